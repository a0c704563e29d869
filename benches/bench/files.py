"""(b) Half a gigabyte of delimited and of fixed-width text into Parquet."""

import shutil

from bench.contest import Contestant, contest, muster, peer, say
from bench.data import Data
from bench.measure import Result, Sample
from bench.project import Entity
from bench.report import Block, table
from bench.tables import LINEITEM

LAYOUTS = {
    "delimited": ('match = "lineitem*.csv"', 'format = "csv"', 'delimiter = "|"'),
    "fixed": ('match = "lineitem*.txt"', 'format = "fixed"'),
}
TITLES = {"delimited": "Delimited, a fifth of the texts quoted", "fixed": "Fixed width"}


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("files")
    for format in LAYOUTS:
        one(block, data, format)
    return block


def one(block: Block, data: Data, format: str) -> None:
    """Every contestant on one file."""
    file = next((data.folder / format).iterdir())
    size = file.stat().st_size
    expected = data.expected(format, f"read_parquet('{data.folder}/{format}.parquet')")
    say(f"files {format}: {expected['rows']} rows, {size >> 20} MiB")
    entity = Entity(LINEITEM, f"file:{file.parent}", format, settings=('mode = "diff"',), layout=LAYOUTS[format],
                    day="yyyyMMdd" if format == "fixed" else None)
    lines = Contestant("`wc -l`", [shutil.which("wc"), "-l", file], is_limit=True)
    contestants = [lines, muster(entity)]
    contestants += [peer(name, f"with_{name.lower()}", format, file) for name in ("DuckDB", "Polars", "pyarrow")]
    results = contest(contestants, LINEITEM.name, expected, data.work)

    limit = "limit: Parquet with zstd 1 from memory, one core"
    encode = data.encode(f"{format}.parquet")
    results = {limit: Result(limit, [Sample(encode["seconds"], 0, "")]), **results}
    block.section(f"{TITLES[format]}: {expected['rows']:,} rows, {size / 1e6:,.0f} MB")
    block.table(table(results, expected["rows"], limit, size=size))
    block.results[format] = results
