"""openpyxl, row by row, and pyarrow for Parquet: sheet FILE OUT."""

import datetime
import decimal
import sys

import openpyxl
import pyarrow
import pyarrow.parquet

from bench.tables import LINEITEM, Column

BATCH = 50_000
CENT = decimal.Decimal("0.01")


def array(column: Column, values: list) -> pyarrow.Array:
    if column.digits:
        cents = [decimal.Decimal(repr(value)).quantize(CENT) for value in values]
        return pyarrow.array(cents, pyarrow.decimal128(*column.digits))
    if column.type == "date":
        days = [value.date() if isinstance(value, datetime.datetime) else value for value in values]
        return pyarrow.array(days, pyarrow.date32())
    return pyarrow.array(values, pyarrow.int64() if column.type == "int" else pyarrow.string())


def sheet(file: str, out: str) -> None:
    writer, rows = None, []

    def flush() -> None:
        nonlocal writer
        if rows:
            columns = [array(column, list(values)) for column, values in zip(LINEITEM.columns, zip(*rows))]
            batch = pyarrow.record_batch(columns, names=LINEITEM.names)
            path = f"{out}/lineitem.parquet"
            writer = writer or pyarrow.parquet.ParquetWriter(path, batch.schema, compression="zstd",
                                                             compression_level=1)
            writer.write_batch(batch)
            rows.clear()

    for page in openpyxl.load_workbook(file, read_only=True):
        for row in page.iter_rows(min_row=2, values_only=True):
            rows.append(row)
            if len(rows) == BATCH:
                flush()
    flush()
    writer.close()


if __name__ == "__main__":
    {"sheet": sheet}[sys.argv[1]](*sys.argv[2:])
