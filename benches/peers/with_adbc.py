"""ADBC's PostgreSQL driver, batch by batch into pyarrow's Parquet writer: extract TABLE OUT.

Its numerics arrive as text and stay text; the comparison reads them as numbers."""

import sys

import pyarrow.parquet
from adbc_driver_postgresql import dbapi


def extract(table: str, out: str) -> None:
    # The address and the password are in libpq's variables.
    with dbapi.connect("postgresql://") as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from {table}")
        batches = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(
                f"{out}/{table}.parquet", batches.schema, compression="zstd", compression_level=1) as writer:
            for batch in batches:
                writer.write_batch(batch)


if __name__ == "__main__":
    {"extract": extract}[sys.argv[1]](*sys.argv[2:])
