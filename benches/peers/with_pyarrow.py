"""pyarrow, batch by batch: delimited FILE OUT | fixed FILE OUT."""

import sys

import pyarrow
import pyarrow.compute as compute
import pyarrow.csv
import pyarrow.parquet

from bench.tables import LINEITEM, Column


def dtype(column: Column) -> pyarrow.DataType:
    if column.digits:
        return pyarrow.decimal128(*column.digits)
    return {"int": pyarrow.int64(), "text": pyarrow.string(), "date": pyarrow.date32()}[column.type]


def delimited(file: str, out: str) -> None:
    types = {column.name: dtype(column) for column in LINEITEM.columns}
    batches = pyarrow.csv.open_csv(
        file, parse_options=pyarrow.csv.ParseOptions(delimiter="|"),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types))
    write(batches, out)


def fixed(file: str, out: str) -> None:
    lines = pyarrow.csv.open_csv(
        file, read_options=pyarrow.csv.ReadOptions(column_names=["line"]),
        parse_options=pyarrow.csv.ParseOptions(delimiter="\x01", quote_char=False),
        convert_options=pyarrow.csv.ConvertOptions(column_types={"line": pyarrow.binary()}))

    def cell(line: pyarrow.Array, column: Column, start: int, width: int) -> pyarrow.Array:
        text = compute.binary_slice(line, start, start + width).cast(pyarrow.string())
        if column.type == "date":
            return compute.strptime(text, "%Y%m%d", "s").cast(pyarrow.date32())
        return compute.ascii_trim_whitespace(text).cast(dtype(column))

    write((pyarrow.record_batch([cell(batch.column(0), *place) for place in LINEITEM.places()], schema=schema())
           for batch in lines), out)


def schema() -> pyarrow.Schema:
    return pyarrow.schema([(column.name, dtype(column)) for column in LINEITEM.columns])


def write(batches, out: str) -> None:
    with pyarrow.parquet.ParquetWriter(
            f"{out}/lineitem.parquet", schema(), compression="zstd", compression_level=1) as writer:
        for batch in batches:
            writer.write_batch(batch)


if __name__ == "__main__":
    {"delimited": delimited, "fixed": fixed}[sys.argv[1]](*sys.argv[2:])
