"""Polars, lazily from scan to sink, but for workbooks: delimited FILE OUT | fixed FILE OUT | sheet FILE OUT."""

import sys

import polars

from bench.tables import LINEITEM, Column


def dtype(column: Column) -> polars.DataType:
    if column.digits:
        return polars.Decimal(*column.digits)
    return {"int": polars.Int64, "text": polars.String, "date": polars.Date}[column.type]


def delimited(file: str, out: str) -> None:
    schema = {column.name: dtype(column) for column in LINEITEM.columns}
    sink(polars.scan_csv(file, separator="|", schema=schema), out)


def fixed(file: str, out: str) -> None:
    def cell(column: Column, start: int, width: int) -> polars.Expr:
        text = polars.col("line").str.slice(start, width)
        if column.type == "date":
            return text.str.to_date("%Y%m%d").alias(column.name)
        return text.str.strip_chars().cast(dtype(column)).alias(column.name)

    lines = polars.scan_csv(file, separator="\x00", quote_char=None, has_header=False, new_columns=["line"],
                            schema={"line": polars.String})
    sink(lines.select(cell(*place) for place in LINEITEM.places()), out)


def sheet(file: str, out: str) -> None:
    # Through calamine, as floats and days; every sheet begins with the header.
    sheets = polars.read_excel(file, sheet_id=0)
    cells = [polars.col(column.name).round(2).cast(dtype(column)) if column.digits
             else polars.col(column.name).cast(dtype(column)) for column in LINEITEM.columns]
    sink(polars.concat([page.lazy() for page in sheets.values()]).select(cells), out)


def sink(frame: polars.LazyFrame, out: str) -> None:
    frame.sink_parquet(f"{out}/lineitem.parquet", compression="zstd", compression_level=1, maintain_order=False)


if __name__ == "__main__":
    {"delimited": delimited, "fixed": fixed, "sheet": sheet}[sys.argv[1]](*sys.argv[2:])
