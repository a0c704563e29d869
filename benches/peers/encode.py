"""The limit of writing: FILE is decoded into memory, then only its encoding as Parquet with zstd 1 is
timed, on one core, to a file that is thrown away. Prints the seconds and the bytes in memory."""

import json
import sys
import tempfile
import time

import pyarrow.parquet

if __name__ == "__main__":
    table = pyarrow.parquet.read_table(sys.argv[1])
    with tempfile.TemporaryFile() as out:
        started = time.monotonic()
        pyarrow.parquet.write_table(table, out, compression="zstd", compression_level=1)
        print(json.dumps({"seconds": time.monotonic() - started, "bytes": table.nbytes}))
