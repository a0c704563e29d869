"""Generates the data, once per scale, with fixed seeds. A program of its own, so that its memory is
not counted as a contestant's: python -m bench.generate SCALE FOLDER."""

import pathlib
import subprocess
import sys

import duckdb
import numpy
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from bench.tables import HR_WIDE, LINEITEM, Column

SEED = 20260331
HR_ROWS = 500_000
DELIMITED_ROWS = 3_900_000
FIXED_ROWS = 2_900_000
XML_ROWS = 520_000
SHEET_ROWS = 2_300_000
SMALL_ROWS = 500_000
SMALL_FILES = 1_000
SHEET_MOST = 1_000_000
BATCH = 50_000

NAMES = ["Smith", "Jones", "O'Neill", "Ó Briain", "Müller", "Nguyễn", "Patel", "Okafor", "García", "Llewellyn-Hughes"]
STREETS = ["High Street", "Station Road", "Church Lane", "Victoria Terrace", "The Green", "Mill Bank"]
WORDS = "duty rota cover leave agreed pending review moved from district custody training return to work".split()


def main(scale: float, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lineitem(scale, folder)
    made(folder / "hr_wide.parquet", lambda path: hr_wide(path, max(1000, round(HR_ROWS * scale))))
    source = f"read_parquet('{folder}/lineitem.parquet', file_row_number = true)"
    made(folder / "delimited.parquet", lambda path: subset(path, delimited_rows(source, scale)))
    made(folder / "fixed.parquet", lambda path: subset(path, fixed_rows(source, scale)))
    made(folder / "delimited" / "lineitem.csv", lambda path: lines(path, delimited_lines(folder)))
    made(folder / "fixed" / "lineitem.txt", lambda path: lines(path, fixed_lines(folder)))
    for name, rows in (("xml", XML_ROWS), ("sheet", SHEET_ROWS), ("small", SMALL_ROWS)):
        made(folder / f"{name}.parquet", lambda path: subset(path, trimmed_rows(source, round(rows * scale))))
    made(folder / "xml" / "lineitem.xml", lambda path: xml(path, folder / "xml.parquet"))
    made(folder / "sheet" / "lineitem.xlsx", lambda path: sheet(path, folder / "sheet.parquet"))
    made(folder / "one" / "lineitem.csv", lambda path: small(path, folder / "small.parquet", ""))
    count = max(10, round(SMALL_FILES * scale))
    for number in range(count):
        part = f"where file_row_number % {count} = {number}"
        made(folder / "small" / f"lineitem_{number:04}.csv", lambda path: small(path, folder / "small.parquet", part))


def made(path: pathlib.Path, make) -> None:
    """Makes a file that is not there; a broken attempt leaves nothing under its name."""
    if not path.exists():
        print(f"generating {path.name}", file=sys.stderr)
        path.parent.mkdir(exist_ok=True)
        part = path.parent.parent / f"{path.name}.part"
        make(part)
        part.rename(path)


def lineitem(scale: float, folder: pathlib.Path) -> None:
    def make(path: pathlib.Path) -> None:
        tool = pathlib.Path(sys.executable).parent / "tpchgen-cli"
        work = folder / "tpchgen"
        subprocess.run([tool, "parquet", "-q", "-s", str(scale), "-T", "lineitem", "-o", work], check=True)
        (work / "lineitem.parquet").rename(path)
        work.rmdir()

    made(folder / "lineitem.parquet", make)


def hr_wide(path: pathlib.Path, rows: int) -> None:
    random = numpy.random.default_rng(SEED)
    writer = None
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        ids = pyarrow.array(numpy.arange(first + 1, first + count + 1))
        values = [ids] + [column_of(random, column, count) for column in HR_WIDE.columns[1:]]
        batch = pyarrow.record_batch(values, names=HR_WIDE.names)
        writer = writer or pyarrow.parquet.ParquetWriter(path, batch.schema)
        writer.write_batch(batch)
    writer.close()


def column_of(random: numpy.random.Generator, column: Column, count: int) -> pyarrow.Array:
    # Columns that may be empty mostly are: 30 % to 90 %, the same share in every batch of a column.
    share = 0 if column.required else 0.3 + 0.1 * (sum(column.name.encode()) % 7)
    empty = random.random(count) < share
    if column.digits:
        # A decimal is a 128-bit integer of hundredths, low half first.
        cents = random.integers(-10_000_000, 100_000_000, count)
        halves = numpy.column_stack([cents, cents >> 63])
        buffers = [None, pyarrow.py_buffer(numpy.ascontiguousarray(halves))]
        values = pyarrow.Array.from_buffers(pyarrow.decimal128(*column.digits), count, buffers)
    elif column.type == "date":
        values = pyarrow.array(random.integers(3_650, 20_500, count).astype("int32")).cast(pyarrow.date32())
    elif column.type == "timestamp":
        micros = random.integers(1_262_304_000_000_000, 1_770_000_000_000_000, count)
        values = pyarrow.array(micros).cast(pyarrow.timestamp("us"))
    elif column.type == "bool":
        values = pyarrow.array(random.random(count) < 0.6)
    elif column.type == "int":
        values = pyarrow.array(random.integers(0, 2_000_000, count))
    else:
        values = pyarrow.array(texts(random, column.name, count))
    return pyarrow.compute.if_else(pyarrow.array(empty), pyarrow.scalar(None, values.type), values)


def texts(random: numpy.random.Generator, name: str, count: int) -> list[str]:
    if name.startswith("code_"):
        return [f"{name[5:]}{code:03}" for code in random.integers(0, 400, count)]
    numbers = random.integers(1, 10_000, count)
    if name.startswith("address_"):
        picks = random.integers(0, len(STREETS), count)
        return [f"{number} {STREETS[pick]}" for number, pick in zip(numbers, picks)]
    if name.startswith("note_"):
        starts = random.integers(0, len(WORDS), count)
        return [" ".join(WORDS[s:] + WORDS[: s % 9]) + f" {n}" for s, n in zip(starts, numbers)]
    picks = random.integers(0, len(NAMES), count)
    return [f"{NAMES[pick]}{number}" for number, pick in zip(numbers, picks)]


def delimited_rows(source: str, scale: float) -> str:
    """Every fiftieth comment holds what a reader of delimited files must not trip over."""
    nasty = "case when file_row_number % 50 = 7 then 'a \"quoted\" | ' || l_comment else l_comment end"
    return (f"select * exclude (file_row_number) replace ({nasty} as l_comment) from {source} "
            f"where file_row_number < {round(DELIMITED_ROWS * scale)}")


def fixed_rows(source: str, scale: float) -> str:
    """Blanks around a text are padding in a fixed-width file."""
    return trimmed_rows(source, round(FIXED_ROWS * scale))


def trimmed_rows(source: str, rows: int) -> str:
    """The first rows, without blanks around their texts."""
    return (f"select * exclude (file_row_number) replace (trim(l_comment) as l_comment) from {source} "
            f"where file_row_number < {rows}")


def delimited_lines(folder: pathlib.Path) -> tuple[str, str]:
    """A header and lines with `|`; a fifth of the texts is quoted, and all that must be."""
    def cell(number: int, column: Column) -> str:
        name = column.name
        if column.type != "text":
            return f"{name}::varchar"
        quoted = f"'\"' || replace({name}, '\"', '\"\"') || '\"'"
        chosen = f"(l_orderkey * 31 + l_linenumber * 7 + {number}) % 5 = 0"
        return f"case when {chosen} or contains({name}, '|') or contains({name}, '\"') then {quoted} else {name} end"

    cells = ", ".join(cell(number, column) for number, column in enumerate(LINEITEM.columns))
    header = "|".join(LINEITEM.names)
    return header, f"select concat_ws('|', {cells}) as line from '{folder}/delimited.parquet'"


def fixed_lines(folder: pathlib.Path) -> tuple[None, str]:
    """Texts start at the left of their place, numbers end at its right, days are yyyymmdd."""
    def cell(column: Column) -> str:
        if column.type == "text":
            return f"rpad({column.name}, {column.width}, ' ')"
        if column.type == "date":
            return f"strftime({column.name}, '%Y%m%d')"
        return f"lpad({column.name}::varchar, {column.width}, ' ')"

    cells = ", ".join(cell(column) for column in LINEITEM.columns)
    return None, f"select concat({cells}) as line from '{folder}/fixed.parquet'"


def xml(path: pathlib.Path, rows: pathlib.Path) -> None:
    """An element for each row and, in it, one for each column."""
    def cell(name: str) -> str:
        text = f"replace(replace({name}::varchar, '&', '&amp;'), '<', '&lt;')"
        return f"'<{name}>', {text}, '</{name}>'"

    cells = ", ".join(cell(name) for name in LINEITEM.names)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<extract>\n')
        query = f"select concat('<lineitem>', {cells}, '</lineitem>') as line from '{rows}'"
        for batch in duckdb.sql(query).to_arrow_reader(BATCH):
            file.write("\n".join(batch.column(0).to_pylist()) + "\n")
        file.write("</extract>\n")


def sheet(path: pathlib.Path, rows: pathlib.Path) -> None:
    """A workbook whose sheets each begin with the header: numbers as numbers, days as days."""
    import xlsxwriter

    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    page, line = None, SHEET_MOST
    for batch in duckdb.sql(f"select * from '{rows}'").to_arrow_reader(BATCH):
        for row in zip(*(column.to_pylist() for column in batch.columns)):
            if line >= SHEET_MOST:
                page, line = book.add_worksheet(), 1
                page.write_row(0, 0, LINEITEM.names)
            for at, (column, value) in enumerate(zip(LINEITEM.columns, row)):
                if column.type == "text":
                    page.write_string(line, at, value)
                elif column.type == "date":
                    page.write_datetime(line, at, value, day)
                else:
                    page.write_number(line, at, value)
            line += 1
    book.close()


def small(path: pathlib.Path, rows: pathlib.Path, part: str) -> None:
    """Clean delimited text of some of the rows."""
    source = f"read_parquet('{rows}', file_row_number = true)"
    duckdb.sql(f"copy (select * exclude (file_row_number) from {source} {part}) to '{path}' (format csv, header)")


def subset(path: pathlib.Path, query: str) -> None:
    duckdb.sql(f"copy ({query}) to '{path}' (format parquet, compression zstd)")


def lines(path: pathlib.Path, wanted: tuple[str | None, str]) -> None:
    """Writes a query of one text column, line by line."""
    header, query = wanted
    with path.open("w", encoding="utf-8", newline="") as file:
        if header:
            file.write(header + "\n")
        for batch in duckdb.sql(query).to_arrow_reader(BATCH):
            file.write("\n".join(batch.column(0).to_pylist()) + "\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute())
