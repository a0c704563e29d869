"""lxml, element by element, and pyarrow for Parquet: xml FILE OUT."""

import decimal
import sys

import pyarrow
import pyarrow.parquet
from lxml import etree

from bench.tables import LINEITEM, Column

BATCH = 50_000


def dtype(column: Column) -> pyarrow.DataType:
    if column.digits:
        return pyarrow.decimal128(*column.digits)
    return {"int": pyarrow.int64(), "text": pyarrow.string(), "date": pyarrow.date32()}[column.type]


def array(column: Column, texts: list[str]) -> pyarrow.Array:
    if column.digits:
        return pyarrow.array([decimal.Decimal(text) for text in texts], dtype(column))
    return pyarrow.array(texts, pyarrow.string()).cast(dtype(column))


def xml(file: str, out: str) -> None:
    schema = pyarrow.schema([(column.name, dtype(column)) for column in LINEITEM.columns])
    writer = pyarrow.parquet.ParquetWriter(f"{out}/lineitem.parquet", schema, compression="zstd", compression_level=1)
    cells: list[list[str]] = [[] for _ in LINEITEM.columns]

    def flush() -> None:
        columns = [array(column, texts) for column, texts in zip(LINEITEM.columns, cells)]
        writer.write_batch(pyarrow.record_batch(columns, schema=schema))
        for texts in cells:
            texts.clear()

    for _, row in etree.iterparse(file, tag="lineitem"):
        for texts, cell in zip(cells, row):
            texts.append(cell.text)
        # Without both, the whole document stays in memory.
        row.clear()
        del row.getparent()[0]
        if len(cells[0]) == BATCH:
            flush()
    flush()
    writer.close()


if __name__ == "__main__":
    {"xml": xml}[sys.argv[1]](*sys.argv[2:])
