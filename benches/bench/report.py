"""Tables of results, and the blocks of benches/README.md that hold them."""

import datetime
import os
import pathlib
import platform
import re
import subprocess
from dataclasses import dataclass, field
from importlib import metadata

from bench.measure import Result

README = pathlib.Path(__file__).parent.parent / "README.md"
TOOLS = ("adbc-driver-flightsql", "adbc-driver-postgresql", "arrow-odbc", "dbt-core", "dbt-duckdb", "dlt", "duckdb",
         "fastexcel", "lxml", "openpyxl", "polars", "pyarrow", "pysail", "roapi")


@dataclass
class Block:
    """What one suite says, as Markdown, and the results behind it; incomplete when it was told to leave out parts."""

    name: str
    complete: bool = True
    parts: list[str] = field(default_factory=list)
    results: dict[str, dict[str, Result]] = field(default_factory=dict)

    def section(self, title: str) -> None:
        """Starts a section."""
        self.parts.append(f"### {title}")

    def says(self, text: str) -> None:
        """A paragraph."""
        self.parts.append(text)

    def table(self, rows: list[list[str]]) -> None:
        """A table; the first row is its head."""
        head, *body = [f"| {' | '.join(cells)} |" for cells in rows]
        self.parts.append("\n".join([head, "|" + "---|" * len(rows[0]), *body]))

    def text(self) -> str:
        """The whole block."""
        return "\n\n".join([*self.parts, measured_on()])

    def write(self) -> None:
        """Replaces the block of this name in the README."""
        pattern = re.compile(rf"(<!-- begin {self.name} -->\n).*?(<!-- end {self.name} -->)", re.DOTALL)
        old = README.read_text(encoding="utf-8")
        if not pattern.search(old):
            raise SystemExit(f"{README} has no block for {self.name}")
        README.write_text(pattern.sub(lambda m: f"{m[1]}\n{self.text()}\n\n{m[2]}", old), encoding="utf-8")


def table(results: dict[str, Result], rows: int, limit: str, size: int = 0) -> list[list[str]]:
    """One line for each contestant. Shares are of the limit's median; `size` makes the rate one of bytes.
    What writes nothing is no contestant but something to compare them with."""
    lines = [["", "median", "quartiles", "runs", "rate", "peak memory", "written", "of the limit", "Muster's speed"]]
    own, best = results.get("Muster"), results[limit]
    for name, result in results.items():
        if result.failure:
            lines.append([name, f"failed: {short(result.failure)}", *[""] * 7])
            continue
        low, high = result.spread
        seconds, writes = result.seconds, result.size > 0
        lines.append([
            f"**{name}**" if name == "Muster" else name,
            f"{seconds:.2f} s",
            f"{low:.2f} to {high:.2f}",
            str(len(result.samples)),
            f"{size / seconds / 1e6:,.0f} MB/s" if size else rate(rows, seconds),
            f"{result.peak >> 20} MiB" if writes else "",
            f"{result.size / 1e6:.0f} MB" if writes else "",
            f"{best.seconds / seconds:.0%}" if writes and not best.failure else "",
            f"{seconds / own.seconds:.2f}×" if writes and own and not own.failure and own is not result else "",
        ])
    return lines


def rate(rows: int, seconds: float) -> str:
    """Rows a second."""
    return f"{rows / seconds / 1000:,.0f} k rows/s"


def short(text: str) -> str:
    """What fits into a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")[:200]


def measured_on() -> str:
    """The machine and the programs, without names of hosts."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=README.parent)
    tools = ", ".join(f"{tool} {metadata.version(tool)}" for tool in TOOLS)
    return (f"<sub>{datetime.date.today()}, commit {commit.stdout.strip() or 'unknown'}; "
            f"{len(os.sched_getaffinity(0))} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB; "
            f"Linux {platform.release().split('-')[0]}; load before the run {LOAD:.1f}; "
            f"Python {platform.python_version()}, {tools}.</sub>")


LOAD = os.getloadavg()[0]
