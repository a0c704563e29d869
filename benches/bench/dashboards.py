"""(b) Twelve questions of dashboards, asked by 1 to 64 clients at once: of servers that have just been started, every
statement another one; and of ones that have heard them before."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import hub, server
from bench.contest import PEERS, say
from bench.data import Data
from bench.load import Asked, Target, distinct, repeated
from bench.measure import Failed, Result
from bench.postgres import Postgres
from bench.questions import LISTS, QUESTIONS, TABLES, statement
from bench.report import Block, short

CLIENTS = [int(one) for one in os.environ.get("CLIENTS", "1,4,16,64").split(",")]
SECONDS_EACH = float(os.environ.get("SECONDS_EACH", "30"))
LEAST_REPEATS = 1  # There are thousands of answers in each.
COLD, WARM = "cold", "warm"
CHECKED = 3
MUSTERS, ADBC = "Muster", "Muster, ADBC"
NOTHINGS = ("no-op", "no-op, ADBC")

# What the questions filter by.
INDEXES = {
    "spend": ["force, fin_year", "subjective, fin_year"], "strength": ["force, fin_year", "month_end, force"],
    "worked_hours": ["force, month_end"], "overtime": ["force, worked_on"], "journal_line": ["force, fin_year, period"],
    "invoice": ["force, invoice_date"], "supplier": ["force, supplier_id"], "duty": ["duty_date, force"],
}


@dataclass
class Contestant:
    """Who is asked: `start` begins a fresh one, and gives where to ask and the server, if it is one to be watched."""

    name: str
    start: object
    asked: dict[tuple[int, str], Asked] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class Copy:
    """A table as one Parquet file."""

    file: str
    rows: int
    columns: dict[str, str]


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("dashboards", complete=SECONDS_EACH >= 30 and CLIENTS == [1, 4, 16, 64])
    served = hub.estate(data)
    copies = copied(served)
    with Postgres(data.folder) as database:
        filled(database, data, copies)
        contestants = [
            Contestant(MUSTERS, lambda: muster(served)),
            Contestant(ADBC, lambda: muster(served, "adbc")),
            Contestant("Sail", lambda: sail(served)),
            Contestant("ROAPI", lambda: roapi(copies)),
            Contestant("PostgreSQL", lambda: postgres(database)),
            Contestant("DuckDB, the same files", lambda: in_process(data, views(served))),
            Contestant("DuckDB, its own tables", lambda: in_process(data, tables(copies))),
        ]
        expected = answers(contestants[-1])
        for contestant in contestants:
            attempt(contestant, lambda target, _: checked(target, expected))
        for clients in CLIENTS:
            for contestant in contestants:
                attempt(contestant, lambda target, watched: measured(contestant, clients, target, watched, expected))
        floor = [Contestant(NOTHINGS[0], lambda: nothing(data, "flight")),
                 Contestant(NOTHINGS[1], lambda: nothing(data, "adbc"))]
        for clients in CLIENTS:
            for contestant in floor:
                attempt(contestant, lambda target, watched: measured(contestant, clients, target, watched))
    tell(block, copies, [*contestants, *floor])
    return block


def attempt(contestant: Contestant, work) -> None:
    """Starts a contestant that has not failed, and lets it work."""
    if contestant.failure:
        return
    try:
        with contestant.start() as (target, watched):
            work(target, watched)
    except Failed as failure:
        contestant.failure = str(failure)
        say(f"  {contestant.name} FAILED: {failure}")


def answers(contestant: Contestant) -> list:
    """What the questions are answered, to compare everybody with."""
    with contestant.start() as (target, _):
        return target.rows(samples(target))


def samples(target: Target) -> list[str]:
    return [statement(question, number, target.names) for question in QUESTIONS for number in range(CHECKED)]


def checked(target: Target, expected: list) -> None:
    """Fails unless the answers are the expected ones, in their order."""
    found = target.rows(samples(target))
    for place, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            raise Failed(f"wrong answer to \"{QUESTIONS[place // CHECKED].name}\": {one[:2]}, {other[:2]} expected")


def measured(contestant: Contestant, clients: int, target: Target, watched: server.Server | None,
             expected: list | None = None) -> None:
    """A fresh contestant: first statements that are all different, then ones that come again. What it answers to them
    in the end, from its memory perhaps, must still be what is expected."""
    plans = {COLD: distinct(clients, target.names, clients), WARM: repeated(clients, target.names, clients)}
    for mode, plan in plans.items():
        if mode == WARM:
            target.ask(plan, SECONDS_EACH / 3)
        if watched:
            watched.forget()
        before = watched.cpu if watched else 0
        asked = target.ask(plan, SECONDS_EACH)
        if watched:
            asked.peak, asked.server_cpu = watched.peak, watched.cpu - before
        contestant.asked[clients, mode] = asked
        say(f"  {contestant.name}, {clients} clients, {mode}: {asked.rate:,.0f} answers/s, "
            f"p50 {asked.quantile(0.5):.1f} ms, p99 {asked.quantile(0.99):.1f} ms, "
            f"{asked.errors} errors{asked.wrong.most_common(1) or ''}")
    if expected:
        checked(target, expected)


@contextmanager
def muster(served: hub.Hub, kind: str = "flight", user: str = "everything") -> Iterator[tuple[Target, server.Server]]:
    with server.muster(served) as started:
        yield Target(kind, started.uri, lambda table: table, (user, served.password)), started


@contextmanager
def sail(served: hub.Hub) -> Iterator[tuple[Target, server.Server]]:
    """Sail over the lake itself: it reads Delta tables."""
    with server.sail() as started:
        target = Target("flight", started.uri, base)
        for table in (*TABLES, *LISTS):
            place = served.folder / "lake" / table.replace(".", "/")
            target.rows([f"create table {base(table)} using delta location '{place}'"])
        yield target, started


@contextmanager
def roapi(copies: dict[str, Copy]) -> Iterator[tuple[Target, server.Server]]:
    with server.roapi({name: copy.file for name, copy in copies.items()}) as started:
        yield Target("flight", started.uri, base), started


@contextmanager
def postgres(database: Postgres) -> Iterator[tuple[Target, None]]:
    words = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE", "password": "PGPASSWORD"}
    address = " ".join(f"{word}={database.environment[name]}" for word, name in words.items())
    yield Target("postgres", address, lambda table: f"dashboard_{base(table)}"), None


@contextmanager
def in_process(data: Data, statements: list[str]) -> Iterator[tuple[Target, None]]:
    setup = data.work / "duckdb.sql"
    setup.write_text("\n".join(statements) + "\n", encoding="utf-8")
    yield Target("duckdb", str(setup), base), None


@contextmanager
def nothing(data: Data, kind: str) -> Iterator[tuple[Target, server.Server]]:
    """A server that sends the same twelve rows whatever it is asked: what the clients themselves take."""
    file = data.work / "nothing.arrow"
    subprocess.run([sys.executable, PEERS / "serve_pyarrow.py", "make", file], check=True)
    with server.bare(file) as started:
        yield Target(kind, started.uri, base), started


def base(table: str) -> str:
    """A table's name without its layer."""
    return table.partition(".")[2]


def copied(served: hub.Hub) -> dict[str, Copy]:
    """The tables for those who do not read a lake; made once."""
    done = subprocess.run([sys.executable, "-m", "bench.copies", served.folder], check=True, stdout=subprocess.PIPE)
    return {name: Copy(**told) for name, told in json.loads(done.stdout).items()}


def views(served: hub.Hub) -> list[str]:
    return ["set parquet_metadata_cache = true",
            *(f"create view {base(table)} as select * from {served.relation(table)}" for table in (*TABLES, *LISTS))]


def tables(copies: dict[str, Copy]) -> list[str]:
    return [f"create table {name} as select * from '{copy.file}'" for name, copy in copies.items()]


def filled(database: Postgres, data: Data, copies: dict[str, Copy]) -> None:
    """The same rows in PostgreSQL, in the order of forces, with indexes for what the questions filter by."""
    for name, copy in copies.items():
        def make(part: str, name: str = name, copy: Copy = copy) -> None:
            ddl = ", ".join(f"{column} {kind}" for column, kind in copy.columns.items())
            database.ask(f"create table {part} ({ddl})")
            order = " order by force" if "force" in copy.columns else ""
            data.load(database, f"select * from '{copy.file}'{order}", part)
            for indexed in INDEXES.get(name, []):
                database.ask(f"create index on {part} ({indexed})")

        database.fill(f"dashboard_{name}", make)


def tell(block: Block, copies: dict[str, Copy], contestants: list[Contestant]) -> None:
    """The tables."""
    counted = ", ".join(f"{copies[name].rows:,} rows of `{name}`" for name in ("spend", "journal_line", "duty"))
    block.says(f"43 forces, {counted}; {SECONDS_EACH:.0f} s each.")
    for mode, words in ((COLD, "Cold: a fresh server, no statement twice"),
                        (WARM, "Warm: statements that come again, a few of them often")):
        block.section(words)
        lines = [["clients", "", "answers/s", "p50", "p99", "errors", "server's peak", "processor: server", "clients",
                  "Muster's speed"]]
        for clients in CLIENTS:
            own = contestants[0].asked.get((clients, mode))
            for contestant in contestants:
                lines.append(line(contestant, clients, mode, own))
        block.table(lines)
    block.results["dashboards"] = {one.name: Result(one.name, failure=one.failure) for one in contestants}


def line(contestant: Contestant, clients: int, mode: str, own: Asked | None) -> list[str]:
    asked = contestant.asked.get((clients, mode))
    name = f"**{contestant.name}**" if contestant.name == MUSTERS else contestant.name
    if not asked:
        return [str(clients), name, f"failed: {short(contestant.failure or '')}", *[""] * 7]
    return [str(clients), name, f"{asked.rate:,.0f}", f"{asked.quantile(0.5):.1f} ms", f"{asked.quantile(0.99):.1f} ms",
            str(asked.errors), f"{asked.peak >> 20} MiB" if asked.peak else "",
            f"{asked.server_cpu / asked.seconds:.1f}" if asked.peak else "", f"{asked.clients_cpu / asked.seconds:.1f}",
            f"{own.rate / asked.rate:.1f}×" if own and asked is not own and contestant.name not in NOTHINGS else ""]
