"""What a relation holds, independent of the order of its rows: their number, a sum of hashes for each
column and one over whole rows. A program of its own, so that its memory is not counted as a
contestant's: python -m bench.verify TABLE RELATION, where the relation is DuckDB SQL; without a table
(an empty word) only the rows are counted."""

import json
import sys

import duckdb

from bench.tables import TABLES, Column


def plain(column: Column) -> str:
    """The value in one representation, whatever the contestant made of the type."""
    if column.type == "timestamp":
        return f"epoch_us({column.name})"
    return f"cast({column.name} as {column.sql})"


def main(table: str, relation: str) -> None:
    if not table:
        print(json.dumps({"rows": duckdb.sql(f"select count(*) from {relation}").fetchone()[0]}))
        return
    columns = TABLES[table].columns
    sums = [f"sum(hash({plain(column)}))::varchar" for column in columns]
    whole = f"sum(hash({', '.join(plain(column) for column in columns)}))::varchar"
    row = duckdb.sql(f"select count(*), {whole}, {', '.join(sums)} from {relation}").fetchone()
    print(json.dumps(dict(zip(["rows", "whole rows", *TABLES[table].names], row))))


if __name__ == "__main__":
    main(*sys.argv[1:])
