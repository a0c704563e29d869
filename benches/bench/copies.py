"""The tables of a served hub as one Parquet file each, with `force` as a column, for those who do not read a lake:
python -m bench.copies HUB makes those that are not there, and prints how many rows and which columns each has. A program
of its own, so that its memory is not counted as a contestant's."""

import json
import sys
from pathlib import Path

import duckdb

from bench.hub import Hub
from bench.questions import LISTS, TABLES


def main(hub: str) -> None:
    served, told = Hub(Path(hub)), {}
    folder = served.folder / "copies"
    folder.mkdir(exist_ok=True)
    for table in (*TABLES, *LISTS):
        name = table.partition(".")[2]
        file = folder / f"{name}.parquet"
        if not file.exists():
            part = file.with_suffix(".part")
            duckdb.execute(f"copy (select * from {served.relation(table)}) to '{part}' (format parquet)")
            part.rename(file)
        columns = duckdb.execute(f"select column_name, column_type from (describe from '{file}')").fetchall()
        (rows,) = duckdb.execute(f"select count(*) from '{file}'").fetchone()
        told[name] = {"file": str(file), "rows": rows, "columns": dict(columns)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
