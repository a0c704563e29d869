"""Contestants take turns on the same data; a time counts when what was written is what was read."""

import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

from bench.measure import Failed, Result, measured
from bench.project import Entity

REPEATS = int(os.environ.get("REPEATS", "5"))
TIMEOUT_SECS = 900
MUSTER = os.environ.get("MUSTER", "")
PEERS = pathlib.Path(__file__).parent.parent / "peers"


@dataclass
class Contestant:
    """A command that writes Parquet files into a folder of its own, `{out}` in its words."""

    name: str
    command: list
    written: str = "{out}/**/*.parquet"
    entity: Entity | None = None
    repeats: int = REPEATS
    environment: dict[str, str] = field(default_factory=dict)
    is_limit: bool = False


def peer(name: str, script: str, *words, **more) -> Contestant:
    """One of the programs in `benches/peers`."""
    return Contestant(name, [sys.executable, PEERS / f"{script}.py", *words, "{out}"], **more)


def muster(entity: Entity, **more) -> Contestant:
    """`muster pull` of a project that holds only `entity`, into a lake that is not there yet."""
    written = str(entity.raw(pathlib.Path("{out}")) / "*.parquet")
    return Contestant("Muster", pull("{out}"), written, entity, **more)


def pull(project: pathlib.Path | str) -> list:
    """The command that pulls everything."""
    if not MUSTER:
        raise SystemExit("MUSTER must name the program to measure; benches/run does")
    return [MUSTER, "--project", project, "pull"]


def contest(contestants: list[Contestant], table: str, expected: dict, work: pathlib.Path) -> dict[str, Result]:
    """Every contestant in turn, `REPEATS` times over. One that fails is out, and the result says why."""
    results = {contestant.name: Result(contestant.name) for contestant in contestants}
    for repetition in range(max(contestant.repeats for contestant in contestants)):
        for contestant in contestants:
            result = results[contestant.name]
            if result.failure or repetition >= contestant.repeats:
                continue
            try:
                result.samples.append(once(contestant, table, expected, work / "out"))
                sample = result.samples[-1]
                say(f"  {contestant.name}: {sample.seconds:.2f} s, {sample.peak >> 20} MiB")
            except Failed as failure:
                result.failure = str(failure)
                say(f"  {contestant.name} FAILED: {failure}")
            finally:
                shutil.rmtree(work / "out", ignore_errors=True)
    return results


def once(contestant: Contestant, table: str, expected: dict, out: pathlib.Path):
    """One repetition, verified."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if contestant.entity:
        contestant.entity.write(out)
    command = [str(word).replace("{out}", str(out)) for word in contestant.command]
    sample = measured(command, contestant.environment, TIMEOUT_SECS)
    if not contestant.is_limit:
        written = contestant.written.replace("{out}", str(out))
        same(expected, checksums(table, f"read_parquet('{written}')"))
        sample.size = sum(os.path.getsize(path) for path in glob.glob(written, recursive=True))
    return sample


def checksums(table: str, relation: str) -> dict:
    """What `bench.verify` finds in a relation; without a table, how many rows."""
    command = [sys.executable, "-m", "bench.verify", table, relation]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the result cannot be read: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout)


def same(expected: dict, found: dict) -> None:
    """Fails unless the two sets of checksums agree."""
    differing = [name for name, value in expected.items() if found.get(name) != value]
    if differing:
        counts = f"{found.get('rows')} rows, {expected['rows']} expected"
        raise Failed(f"wrong result: {counts}; different: {', '.join(differing[:5])}")


def say(line: str) -> None:
    """Progress, for whoever waits."""
    print(line, file=sys.stderr, flush=True)
