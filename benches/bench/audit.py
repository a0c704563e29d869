"""Verifying and reading a record of a million statements. The record is written by this module from what
`src/audit/mod.rs` says of its form, so that a verification also says that the form is as described."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

from bench.contest import MUSTER, REPEATS, TIMEOUT_SECS, say
from bench.data import Data
from bench.estate import Estate, muster
from bench.measure import Failed, Result, measured
from bench.report import Block, short

STAFF = 600  # in every three forces, of which the lake has one
STATEMENTS = 1_000_000
FILE_BYTES = 64 << 20
BEGAN = 1_774_976_400_000_000
TEXT = ("select fin_year, subjective, sum(amount) as amount from marts.spend where force = 'beds' and period = {} "
        "group by fin_year, subjective order by fin_year, subjective")
COUNT = "select outcome, count(*) as statements, sum(rows) as rows from hub.queries group by outcome order by outcome"
OWN = COUNT.replace("from hub.queries", "from hub.queries where principal = 'p7'")


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("audit")
    estate = Estate.at(data.folder.parent / f"estate-{STAFF}", 1, STAFF)
    lake = data.folder.parent / f"record-{STATEMENTS}"
    size = write(estate, lake)
    refuse(lake)
    results: dict[str, Result] = {}
    for repetition in range(REPEATS):
        say(f"audit: repetition {repetition + 1}")
        timed(results, "the start of the program: `muster audit head`", lake, ["audit", "head"], r"\d+:[0-9a-f]{64}")
        timed(results, "`muster audit verify`", lake, ["audit", "verify"],
              rf"{2 * STATEMENTS // 1_000_000}\d{{6}} entries .*the record is whole")
        timed(results, "`hub.queries`, counted by outcome", lake, ["query", "--format", "csv", COUNT],
              rf"succeeded,{STATEMENTS // 1_000_000}\d{{6}},")
        timed(results, "`hub.queries`, those of one principal of a hundred", lake, ["query", "--format", "csv", OWN],
              rf"succeeded,{STATEMENTS // 100},")
    block.section(f"A record of {2 * STATEMENTS:,} entries, {size / 1e6:,.0f} MB in files of 64 MiB")
    start = next(iter(results.values()))
    block.table([["", "median", "quartiles", "runs", "entries a second", "the same without the start", "peak memory"],
                 *(line(result, start) for result in results.values())])
    block.results = {"audit": results}
    return block


def write(estate: Estate, folder: Path) -> int:
    """Makes what is not there: a lake with a release and a record; the size of the record."""
    record = folder / "lake" / "audit"
    if not (folder / "written").exists():
        if not (folder / "lake" / "releases").exists():
            estate.project(folder, 1)
            muster(folder, "build")
        say(f"writing a record of {STATEMENTS:,} statements")
        record.mkdir(exist_ok=True)
        for old in record.glob("*.log"):
            old.unlink()
        chain(record)
        (folder / "written").touch()
    return sum(path.stat().st_size for path in record.glob("*.log"))


def chain(folder: Path) -> None:
    """Every statement begins, and ends while the next ones begin."""
    last, seq, file, written = "0" * 64, 0, None, FILE_BYTES
    for event in events():
        seq += 1
        text = f'{{"seq":{seq},' + json.dumps(event, separators=(",", ":"), ensure_ascii=False)[1:]
        last = hashlib.sha256((last + text).encode()).hexdigest()
        if written >= FILE_BYTES:
            if file:
                file.close()
            file, written = (folder / f"{seq:020}.log").open("wb"), 0
        written += file.write(f"{last} {text}\n".encode())
    file.close()


def events():
    """What the lines say but for their numbers."""
    open_at = {}
    for number in range(STATEMENTS + 8):
        if number < STATEMENTS:
            # Before it, all earlier statements have begun and those but the last eight have ended.
            open_at[number] = 1 + number + max(0, number - 8)
            yield {"kind": "begin", "at": BEGAN + number * 40_000, "principal": f"p{number % 100}",
                   "peer": f"10.0.{number % 100}.7:{40_000 + number % 20_000}", "statement": TEXT.format(number % 12 + 1),
                   "release": 1 + number // 20_000, "tables": ["marts.spend"], "forces": ["beds"]}
        if number >= 8:
            yield {"kind": "end", "at": BEGAN + number * 40_000 + 3_000, "of": open_at.pop(number - 8),
                   "outcome": "succeeded", "rows": number % 500, "bytes": number % 500 * 40, "micros": 323_000}


def refuse(folder: Path) -> None:
    """A record in which one byte is another must not pass, or the times would mean nothing."""
    path = sorted((folder / "lake" / "audit").glob("*.log"))[1]
    with path.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
        try:
            file.flush()
            told = subprocess.run([MUSTER, "--project", folder, "audit", "verify"], stdout=subprocess.PIPE, text=True)
        finally:
            file.seek(1_000_000)
            file.write(byte)
    if told.returncode != 1 or f"wrong: {path.name} line" not in told.stdout:
        raise SystemExit(f"audit: a changed byte was not found: {told.stdout}")


def timed(results: dict[str, Result], name: str, folder: Path, words: list[str], expected: str) -> None:
    """Runs a command once; another answer than the expected one is a failure."""
    result = results.setdefault(name, Result(name))
    if result.failure:
        return
    try:
        sample = measured([MUSTER, "--project", folder, *words], {}, TIMEOUT_SECS)
        if not re.search(expected, sample.printed, re.DOTALL):
            raise Failed(f"the answer is {sample.printed.split()}")
        result.samples.append(sample)
    except Failed as failure:
        result.failure = str(failure)


def line(result: Result, start: Result) -> list[str]:
    if result.failure:
        return [result.name, f"failed: {short(result.failure)}", *[""] * 5]
    low, high = result.spread
    line = [result.name, f"{result.seconds:.3f} s", f"{low:.3f} to {high:.3f}", str(len(result.samples))]
    rates = ["", ""]
    if result is not start and not start.failure:
        rates = [f"{2 * STATEMENTS / secs / 1e6:.2f} M" for secs in (result.seconds, result.seconds - start.seconds)]
    return [*line, *rates, f"{result.peak >> 20} MiB"]
