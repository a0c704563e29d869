"""Opening a release of a lake that has a thousand of them: whether the first costs the same as the newest, by its number
and by the instant at which it was current."""

import datetime
import json
import subprocess
from pathlib import Path

from bench.build import build
from bench.contest import MUSTER, REPEATS, TIMEOUT_SECS, say
from bench.data import Data
from bench.estate import Estate, muster
from bench.measure import Failed, Result, measured
from bench.models import CODE
from bench.report import Block, short

STAFF = 600  # in every three forces, of which the lake has one
RELEASES = 1000
OPENED = (1, 100, 1000)
QUESTION = "select count(*) as headings, sum(lines) as lines from marts.spend"
# Each release maps this ledger text or does not, so that `marts.spend` is another in every release.
LIST, LINE = "sql/reference/subjective_map.csv", "Officer Overtime,officer_overtime\n"


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("opening")
    estate = Estate.at(data.folder.parent / f"estate-{STAFF}", 1, STAFF)
    lake = data.folder.parent / f"releases-{RELEASES}"
    answers = release(estate, lake)
    published = {number: manifest(lake, number)["published_at"] for number in OPENED}
    results: dict[str, Result] = {}
    for repetition in range(REPEATS):
        say(f"opening: repetition {repetition + 1}")
        for number in OPENED:
            instant = datetime.datetime.fromtimestamp(published[number] / 1e6, datetime.UTC).isoformat()
            opened(results, f"`--release {number}`", lake, ["--release", str(number)], answers[(number - 1) % 2])
            opened(results, f"`--as-of` its instant, {number}", lake, ["--as-of", instant], answers[(number - 1) % 2])
        opened(results, "the newest", lake, [], answers[(RELEASES - 1) % 2])
    block.section(f"One statement over a release of a lake with {RELEASES:,}")
    block.table([["", "median", "quartiles", "runs", "peak memory"], *map(line, results.values())])
    block.results = {"opening": results}
    return block


def release(estate: Estate, folder: Path) -> list[str]:
    """Makes what is not there of the lake; what the first two releases answer, which differ."""
    kept = folder / "answers.json"
    if not kept.exists():
        if not (folder / "muster.toml").exists():
            estate.project(folder, 1)
            (folder / LIST).parent.mkdir(parents=True)
        texts = [(CODE / LIST).read_text(encoding="utf-8")]
        texts.append(texts[0].replace(LINE, ""))
        made = len(list((folder / "lake" / "releases").glob("*.json")))
        say(f"making releases {made + 1:,} to {RELEASES:,}")
        for number in range(made, RELEASES):
            (folder / LIST).write_text(texts[number % 2], encoding="utf-8")
            muster(folder, "build")
        kept.write_text(json.dumps([answer(folder, ["--release", number]) for number in ("1", "2")]))
    answers = json.loads(kept.read_text())
    if answers[0] == answers[1]:
        raise SystemExit("opening: the releases are all alike, so that a wrong one would not be noticed")
    return answers


def manifest(lake: Path, number: int) -> dict:
    """What the lake says of a release."""
    return json.loads((lake / "lake" / "releases" / f"{number:020}.json").read_text(encoding="utf-8"))


def question(folder: Path, words: list[str]) -> list:
    return [MUSTER, "--project", folder, "query", "--format", "csv", *words, QUESTION]


def answer(folder: Path, words: list[str]) -> str:
    return subprocess.run(question(folder, words), check=True, stdout=subprocess.PIPE, text=True).stdout


def opened(results: dict[str, Result], name: str, folder: Path, words: list[str], expected: str) -> None:
    """Asks once; another release's answer is a failure."""
    result = results.setdefault(name, Result(name))
    if result.failure:
        return
    try:
        sample = measured(question(folder, words), {}, TIMEOUT_SECS)
        if sample.printed != expected:
            raise Failed(f"the answer is {sample.printed.split()}, not {expected.split()}")
        result.samples.append(sample)
    except Failed as failure:
        result.failure = str(failure)


def line(result: Result) -> list[str]:
    if result.failure:
        return [result.name, f"failed: {short(result.failure)}", "", "", ""]
    low, high = result.spread
    return [result.name, f"{result.seconds:.3f} s", f"{low:.3f} to {high:.3f}", str(len(result.samples)),
            f"{result.peak >> 20} MiB"]
