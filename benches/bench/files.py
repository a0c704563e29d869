"""(b) Half a gigabyte of text, markup and workbooks into Parquet; one file beside a thousand of the same rows."""

import shutil
from dataclasses import replace

from bench.contest import Contestant, contest, muster, peer, say
from bench.data import Data
from bench.measure import Result, Sample
from bench.project import Entity
from bench.report import Block, table
from bench.tables import LINEITEM

LAYOUTS = {
    "delimited": ('match = "lineitem*.csv"', 'format = "csv"', 'delimiter = "|"'),
    "fixed": ('match = "lineitem*.txt"', 'format = "fixed"'),
    "xml": ('match = "lineitem*.xml"', 'format = "xml"', 'rows = "/extract/lineitem"'),
    "sheet": ('match = "lineitem*.xlsx"', 'format = "sheet"', 'sheets = "*"'),
}
CLEAN = ('match = "lineitem*.csv"', 'format = "csv"')
TITLES = {
    "delimited": "Delimited, a fifth of the texts quoted",
    "fixed": "Fixed width",
    "xml": "XML, an element for each cell",
    "sheet": "A workbook (xlsx), sheets of a million rows",
}
DAYS = {"fixed": "yyyyMMdd", "sheet": "dd/MM/yyyy"}
PEERS = {
    "delimited": ("DuckDB", "Polars", "pyarrow"),
    "fixed": ("DuckDB", "Polars", "pyarrow"),
    "xml": ("lxml",),
    "sheet": ("DuckDB", "Polars", "openpyxl"),
}
ONCE = {"openpyxl"}
"""Contestants that take minutes."""


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("files")
    for format in LAYOUTS:
        one(block, data, format)
    many(block, data)
    return block


def one(block: Block, data: Data, format: str) -> None:
    """Every contestant on one file."""
    file = next((data.folder / format).iterdir())
    size = file.stat().st_size
    expected = data.expected(format, f"read_parquet('{data.folder}/{format}.parquet')")
    say(f"files {format}: {expected['rows']} rows, {size >> 20} MiB")
    entity = Entity(LINEITEM, f"file:{file.parent}", format, settings=('mode = "diff"',), layout=LAYOUTS[format],
                    day=DAYS.get(format))
    lines = Contestant("`wc -l`", [shutil.which("wc"), "-l", file], is_limit=True)
    contestants = [lines, muster(entity)]
    for name in PEERS[format]:
        more = {"repeats": 1} if name in ONCE else {}
        contestants.append(peer(name, f"with_{name.lower()}", format, file, **more))
    results = contest(contestants, LINEITEM.name, expected, data.work)

    limit = "limit: Parquet with zstd 1 from memory, one core"
    encode = data.encode(f"{format}.parquet")
    results = {limit: Result(limit, [Sample(encode["seconds"], 0, "")]), **results}
    block.section(f"{TITLES[format]}: {expected['rows']:,} rows, {size / 1e6:,.0f} MB")
    block.table(table(results, expected["rows"], limit, size=size))
    block.results[format] = results


def many(block: Block, data: Data) -> None:
    """What a file costs by itself: the same rows in one file and in many."""
    expected = data.expected("small", f"read_parquet('{data.folder}/small.parquet')")
    contestants = []
    for name, folder in (("one file", "one"), ("many files", "small")):
        # Each file holds rows of its own, which is what small files are.
        entity = Entity(LINEITEM, f"file:{data.folder / folder}", folder, settings=('mode = "log"',), layout=CLEAN)
        contestants.append(replace(muster(entity), name=name))
    count = len(list((data.folder / "small").iterdir()))
    say(f"files small: {expected['rows']} rows, {count} files")
    results = contest(contestants, LINEITEM.name, expected, data.work)
    block.section(f"{count:,} small files beside one: {expected['rows']:,} rows")
    block.table(table(results, expected["rows"], "one file"))
    block.results["small"] = results
