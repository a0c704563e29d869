"""Whether two builds hold the same: python -m bench.built LAKE FOLDER compares Muster's newest tables with a dbt
project's files, model by model, the number of rows and a sum of hashes for each column, and prints what differs.
A program of its own, so that its memory is not counted as a contestant's."""

import json
import sys
from pathlib import Path

import duckdb

from bench.hub import active
from bench.models import Model, models


def main(lake: str, written: str) -> int:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set TimeZone = 'UTC'")
    problems, rows = [], 0
    for model in models():
        files = active(Path(lake) / model.layer / model.name)
        theirs = f"{written}/*__{model.layer}_{model.name}.parquet"
        if not list(Path(written).glob(Path(theirs).name)):
            theirs = theirs.replace("*__", "")
        if not files:
            # dbt-duckdb writes a row of nulls into the file of a table without rows.
            (count,) = connection.execute(f"select count(columns(*)) from '{theirs}'").fetchone()[:1]
            problems += [f"{model.table}: only one has rows"] if count else []
            continue
        count, found = compared(connection, model, f"read_parquet({files}, hive_partitioning = true)",
                                f"read_parquet('{theirs}')")
        rows += count
        problems += found
    print(json.dumps({"rows": rows, "different": problems}))
    return 0


def compared(connection, model: Model, ours: str, theirs: str) -> tuple[int, list[str]]:
    """How many rows we have, and in which columns the two differ."""
    types = dict(connection.execute(f"select column_name, column_type from (describe from {ours})").fetchall())
    other = [name for (name,) in connection.execute(f"select column_name from (describe from {theirs})").fetchall()]
    if sorted(types) != sorted(other):
        return 0, [f"{model.table}: columns {sorted(set(types) ^ set(other))} are in one of them only"]
    cells = {name: f"hash(cast({name} as {type}))" for name, type in types.items()}
    whole = f"hash({', '.join(f'cast({name} as {type})' for name, type in types.items())})"
    sums = ", ".join(f"sum({cell})::varchar" for cell in [*cells.values(), whole])
    one, two = (connection.execute(f"select count(*), {sums} from {side}").fetchone() for side in (ours, theirs))
    names = ["rows", *types, "whole rows"]
    different = [f"{name} ({a}, {b})" if name == "rows" else name for name, a, b in zip(names, one, two) if a != b]
    return one[0], [f"{model.table}: {', '.join(different)}"] if different else []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
