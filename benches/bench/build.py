"""Full builds and re-builds of the demo's estate beside the same models in dbt + DuckDB: how long, in how much memory,
for how many forces and how many changed rows. A time counts only when both hold the same rows."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.contest import MUSTER, PEERS, REPEATS, TIMEOUT_SECS, say
from bench.data import Data
from bench.dbt import Project
from bench.estate import Estate
from bench.measure import Failed, Result, Sample, measured
from bench.report import Block, short

LEAST_REPEATS = 3
ALL_FORCES = (1, 2, 4, 8, 16, 43)
FORCES = tuple(int(number) for number in os.environ.get("FORCES", "").split(",") if number) or ALL_FORCES
STAFF = 8000
CHANGES = tuple(float(number) / 100 for number in os.environ.get("CHANGES", "").split(",") if number)

# The share of rows that change before a build; nothing is there before the first.
SPREAD = {"full": None, "0 %": 0.0, "0.1 %": 0.001, "1 %": 0.01, "10 %": 0.1, "100 %": 1.0}
GATHERED = {"0.1 % gathered": 0.001, "1 % gathered": 0.01, "10 % gathered": 0.1}
MUSTERS, WITH_TESTS, WITHOUT, ALONE = "Muster", "dbt build", "dbt run", "DuckDB alone"


@dataclass
class Size:
    """What was measured with one number of forces."""

    forces: int
    rows: int = 0
    steps: dict[str, dict[str, Result]] = field(default_factory=dict)
    models: dict[str, list[float]] = field(default_factory=dict)
    alone: dict[str, list[float]] = field(default_factory=dict)

    def result(self, step: str, name: str) -> Result:
        return self.steps.setdefault(step, {}).setdefault(name, Result(f"{name}, {step}, {self.forces} forces"))


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("build", complete=FORCES == ALL_FORCES and not CHANGES)
    staff = max(200, round(STAFF * data.scale))
    estate = Estate.at(data.folder.parent / f"estate-{staff}", max(FORCES), staff)
    sizes = []
    for forces in FORCES:
        sizes.append(Size(forces))
        for repetition in range(REPEATS):
            say(f"build: {forces} forces, repetition {repetition + 1}")
            try:
                repeat(Run(sizes[-1], estate, data.work))
            except Failed as failure:
                say(f"  FAILED: {failure}")
                sizes[-1].result("full", MUSTERS).failure = str(failure)
                break
    tell(block, sizes)
    block.results = {f"{size.forces} {step}": results for size in sizes for step, results in size.steps.items()}
    kept = data.folder.parent / "build.json"
    kept.write_text(json.dumps([told(size) for size in sizes], indent=1))
    return block


@dataclass
class Run:
    """One repetition with one number of forces."""

    size: Size
    estate: Estate
    work: Path

    def fresh(self) -> tuple[Estate, Project]:
        """The estate landed and never built."""
        project = self.estate.project(self.work / "estate", self.size.forces)
        dbt = Project(self.work / "dbt", project.folder / "lake", project.sources)
        shutil.rmtree(dbt.folder, ignore_errors=True)
        return project, dbt

    def take_turns(self, step: str, project: Estate, dbt: Project) -> None:
        """Everybody builds what there is now."""
        # The nightly run does not parse a project that has not changed: neither does this one.
        if dbt.write():
            prepared(dbt, "parse")
        self.timed(step, MUSTERS, build(project.folder), dbt)
        self.timed(step, WITH_TESTS, command(dbt, "build"), dbt)
        self.same(step, WITH_TESTS, project, dbt)
        if step == "full":
            self.timed(step, WITHOUT, command(dbt, "run"), dbt)
            self.keep_models(project)
            script = [sys.executable, PEERS / "with_duckdb_models.py", dbt.folder, dbt.out, "checks"]
            sample = self.timed(step, ALONE, script, dbt)
            for model, seconds in json.loads(sample.printed).items():
                self.size.alone.setdefault(model, []).append(seconds)

    def timed(self, step: str, name: str, words: list, dbt: Project) -> Sample:
        if name != MUSTERS:
            for path in dbt.out.glob("*"):
                path.unlink()
        sample = measured(words, {"DBT_PROFILES_DIR": str(dbt.folder)}, TIMEOUT_SECS)
        self.size.result(step, name).samples.append(sample)
        say(f"  {step}, {name}: {sample.seconds:.2f} s, {sample.cpu:.2f} s of processor, {sample.peak >> 20} MiB")
        return sample

    def same(self, step: str, name: str, project: Estate, dbt: Project) -> None:
        """Fails unless Muster's tables and the peer's hold the same."""
        check = [sys.executable, "-m", "bench.built", project.folder / "lake", dbt.out]
        done = subprocess.run(check, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{step}: the results cannot be read: {done.stderr.strip()[-400:]}")
        told = json.loads(done.stdout)
        if told["different"]:
            raise Failed(f"{step}, {name}: other results than Muster's: {'; '.join(told['different'])[:600]}")
        self.size.rows = told["rows"]

    def keep_models(self, project: Estate) -> None:
        """What Muster itself says that its models took."""
        with sqlite3.connect(project.folder / "state.db") as state:
            rows = state.execute("select name, sum(finished_at - started_at) / 1e6 from steps where kind = 'build' "
                                 "group by name").fetchall()
        for model, seconds in rows:
            self.size.models.setdefault(model, []).append(seconds)


def repeat(run: Run) -> None:
    """Every step once: changes all over the estate one after the other, then, from the start, gathered ones."""
    project, dbt = run.fresh()
    for step, share in wanted(SPREAD):
        if share:
            project.change(share, gathered=False)
        run.take_turns(step, project, dbt)
    if run.size.forces == 1 or not wanted(GATHERED):
        return
    project, dbt = run.fresh()
    measured(build(project.folder), {}, TIMEOUT_SECS)
    for step, share in wanted(GATHERED):
        project.change(share, gathered=True)
        run.take_turns(step, project, dbt)


def wanted(steps: dict[str, float | None]) -> list[tuple[str, float | None]]:
    """Those that are to be measured; the full build always is."""
    return [(step, share) for step, share in steps.items() if share is None or not CHANGES or share in CHANGES]


def build(folder: Path) -> list:
    """Muster's command that builds and releases, and pulls nothing."""
    return [MUSTER, "--project", folder, "build"]


def command(dbt: Project, word: str) -> list:
    """One of dbt's commands."""
    return [Path(sys.executable).with_name("dbt"), "--no-version-check", word, "--project-dir", dbt.folder]


def prepared(dbt: Project, word: str) -> None:
    done = subprocess.run(command(dbt, word), capture_output=True, text=True, env={**os.environ, "DBT_PROFILES_DIR": str(dbt.folder)})
    if done.returncode:
        raise Failed(f"dbt {word}: {done.stdout.strip()[-600:]}")


def tell(block: Block, sizes: list[Size]) -> None:
    """The tables."""
    block.section("Full build")
    block.table([["forces", "rows made", "Muster", "peak", WITH_TESTS, "peak", WITHOUT, ALONE, "Muster's speed",
                  "without its checks"], *(full(size) for size in sizes)])
    block.section("Re-build")
    block.table([["forces", "changed", "Muster", "peak", "of its full build", WITH_TESTS, "peak", "Muster's speed"],
                 *(line for size in sizes for line in again(size))])
    block.section(f"Where the time goes, {sizes[-1].forces} forces")
    block.says("Muster's own record of its full build, summed over forces, beside the SQL that dbt compiled, run by "
               "DuckDB without dbt, one model after the other.")
    block.table(where(sizes[-1]))


def full(size: Size) -> list[str]:
    results = size.steps["full"]
    own = results[MUSTERS]
    if own.failure:
        return [str(size.forces), "", f"failed: {short(own.failure)}", *[""] * 7]
    return [str(size.forces), f"{size.rows:,}", seconds(own), peak(own), seconds(results[WITH_TESTS]),
            peak(results[WITH_TESTS]), seconds(results[WITHOUT]), seconds(results[ALONE]),
            f"{results[WITH_TESTS].seconds / own.seconds:.2f}×", f"{results[WITHOUT].seconds / own.seconds:.2f}×"]


def again(size: Size) -> list[list[str]]:
    whole = size.steps["full"][MUSTERS]
    lines = []
    for step, results in size.steps.items():
        own, theirs = results.get(MUSTERS), results.get(WITH_TESTS)
        if step != "full" and own and own.samples and theirs and theirs.samples:
            lines.append([str(size.forces), step, seconds(own), peak(own), f"{own.seconds / whole.seconds:.1%}",
                          seconds(theirs), peak(theirs), f"{theirs.seconds / own.seconds:.2f}×"])
    return lines


def where(size: Size) -> list[list[str]]:
    lines = [["", "Muster", ALONE, "Muster's speed"]]
    for model, times in size.alone.items():
        own, other = size.models.get(model), sum(times) / len(times)
        took = sum(own) / len(own) if own else None
        lines.append([model, f"{took:.2f} s" if own else "", f"{other:.2f} s", f"{other / took:.2f}×" if took else ""])
    return lines


def seconds(result: Result) -> str:
    return f"{result.seconds:.2f} s"


def peak(result: Result) -> str:
    return f"{result.peak >> 20} MiB"


def told(size: Size) -> dict:
    """Everything that was measured, for other programs."""
    def samples(result: Result) -> list[dict]:
        return [{"seconds": sample.seconds, "cpu": sample.cpu, "peak": sample.peak} for sample in result.samples]

    steps = {step: {name: samples(result) for name, result in results.items()} for step, results in size.steps.items()}
    return {"forces": size.forces, "rows": size.rows, "steps": steps, "models": size.models, "alone": size.alone}
