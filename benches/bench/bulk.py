"""(a) One large answer over Flight SQL to Python's ADBC driver, beside a server that does nothing but send the same
batches; and how long the first rows take, whatever their number."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import hub, server
from bench.contest import PEERS, REPEATS, TIMEOUT_SECS, checksums, same, say
from bench.data import Data
from bench.extract import fill
from bench.measure import Failed, Result, Sample, why
from bench.postgres import Postgres
from bench.report import Block, short
from bench.server import Server
from bench.tables import LINEITEM

COLUMNS = ", ".join(LINEITEM.names)
BARE = "pyarrow Flight, bare"
# Rows of the answers whose first rows are timed.
SIZES = [10**power for power in range(3, 8)]


@dataclass
class Fetch(Sample):
    """One fetch of a whole answer: after how long the client had the columns, and the first rows."""

    columns: float = 0
    first: float = 0
    rows: int = 0


@dataclass(frozen=True)
class Client:
    """A way to fetch the answer of a statement. Not every server is one whose memory we can see."""

    name: str
    kind: str
    address: str
    sql: str
    server: Server | None = None
    user: tuple[str, str] | None = None

    def fetch(self, sql: str | None = None, out: Path | None = None) -> Fetch:
        """The statement, or another, once; written to a file if there is one."""
        words = [self.kind, self.address, sql or self.sql, *([out] if out else [])]
        command = [sys.executable, PEERS / "fetch.py", *words]
        environment = dict(os.environ)
        if self.user:
            environment["BENCH_USER"], environment["BENCH_PASSWORD"] = self.user
        used = 0.0
        if self.server:
            self.server.forget()
            used = self.server.cpu
        try:
            done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True,
                                  timeout=TIMEOUT_SECS)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"not finished after {TIMEOUT_SECS} s") from late
        if done.returncode:
            raise Failed(why(done.returncode, 0, TIMEOUT_SECS, done.stderr))
        told = json.loads(done.stdout)
        peak, used = (self.server.peak, self.server.cpu - used) if self.server else (0, 0)
        return Fetch(told["seconds"], peak, done.stdout, told["bytes"], used,
                     columns=told["columns"], first=told["first"], rows=told["rows"])


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("bulk")
    served = hub.lineitem(data)
    expected = data.expected(LINEITEM.name, f"read_parquet('{data.folder}/{LINEITEM.name}.parquet')")
    with ExitStack() as stack:
        started = stack.enter_context(server.muster(served))
        own = Client("Muster", "flight", started.uri, f"select {COLUMNS} from conformed.lineitem", started,
                     ("everything", served.password))
        clients = [own, *peers(stack, data, served, own)]
        results = taken(clients, expected, data.work)
        block.section(f"`lineitem`: {expected['rows']:,} rows, {len(LINEITEM.columns)} columns, "
                      f"{results['Muster'].size / 1e6:,.0f} MB as Arrow")
        block.table(table(results, expected["rows"]))
        block.results["bulk"] = results
        small = sizes(clients[:2], expected["rows"])
    block.section("The first rows, whatever their number")
    block.says("From the statement sent to the first rows in the client's hands, with what the client waited for the "
               "columns (`GetFlightInfo`) in brackets; and to the last row.")
    block.table(small_table(small))
    return block


def peers(stack: ExitStack, data: Data, served: hub.Hub, own: Client) -> list[Client]:
    """Whoever else sends these rows. The bare server comes first, and has its batches from Muster's own answer."""
    batches = data.work / "batches.arrow"
    kept(own, batches)
    files = served.files("conformed.lineitem")
    whole = data.folder / "lineitem.parquet"
    found = []
    for name, make, sql in (
            (BARE, lambda: server.bare(batches), "select all"),
            ("Sail", server.sail, f"select {COLUMNS} from parquet.`{Path(files[0]).parent}`"),
            ("ROAPI", lambda: server.roapi({"lineitem": whole}), f"select {COLUMNS} from lineitem")):
        started = stack.enter_context(make())
        found.append(Client(name, "flight", started.uri, sql, started))
    database = stack.enter_context(Postgres(data.folder))
    fill(database, data, LINEITEM)
    e = database.environment
    uri = f"postgresql://{e['PGUSER']}:{e['PGPASSWORD']}@{e['PGHOST']}:{e['PGPORT']}/{e['PGDATABASE']}"
    words = (f"Driver={{PostgreSQL Unicode}};Server={e['PGHOST']};Port={e['PGPORT']};Database={e['PGDATABASE']};"
             f"Uid={e['PGUSER']};Pwd={e['PGPASSWORD']};UseDeclareFetch=1;Fetch=10000")
    sql = f"select {COLUMNS} from lineitem"
    return [*found, Client("PostgreSQL, ADBC", "postgres", uri, sql),
            Client("PostgreSQL, psqlODBC", "odbc", words, sql)]


def kept(own: Client, file: Path) -> None:
    """Keeps Muster's answer as it came, batch by batch."""
    environment = {**os.environ, "BENCH_USER": own.user[0], "BENCH_PASSWORD": own.user[1]}
    subprocess.run([sys.executable, PEERS / "fetch.py", own.kind, own.address, own.sql, file], env=environment,
                   check=True, stdout=subprocess.DEVNULL)


def taken(clients: list[Client], expected: dict, work: Path) -> dict[str, Result]:
    """Every client once to be checked, then in turn. One that fails is out, and the result says why."""
    results = {client.name: Result(client.name) for client in clients}
    for repetition in range(REPEATS + 1):
        for client in clients:
            result = results[client.name]
            if result.failure or repetition > often(client):
                continue
            try:
                if repetition == 0:
                    out = work / "fetched.parquet"
                    client.fetch(out=out)
                    same(expected, checksums(LINEITEM.name, f"read_parquet('{out}')"))
                    continue
                sample = client.fetch()
                if sample.rows != expected["rows"]:
                    raise Failed(f"{sample.rows} rows, {expected['rows']} expected")
                result.samples.append(sample)
                say(f"  {client.name}: {sample.seconds:.2f} s, first rows {sample.first * 1000:.0f} ms")
            except Failed as failure:
                result.failure = str(failure)
                say(f"  {client.name} FAILED: {failure}")
    return results


def often(client: Client) -> int:
    """How often it is measured: what takes longer than all the others together, once."""
    return 1 if client.kind == "odbc" else REPEATS


def table(results: dict[str, Result], rows: int) -> list[list[str]]:
    """A line for each client. Bytes are those of Muster's answer for everybody."""
    lines = [["", "median", "quartiles", "runs", "rows/s", "MB/s", "first rows", "server's peak", "its processor",
              "of the bare server", "Muster's speed"]]
    own, bare = results["Muster"], results[BARE]
    for name, result in results.items():
        if result.failure:
            lines.append([name, f"failed: {short(result.failure)}", *[""] * 9])
            continue
        low, high = result.spread
        seconds = result.seconds
        lines.append([
            f"**{name}**" if result is own else name, f"{seconds:.2f} s", f"{low:.2f} to {high:.2f}",
            str(len(result.samples)), f"{rows / seconds / 1e6:.2f} M",
            f"{own.size / seconds / 1e6:,.0f}" if own.samples else "",
            f"{median(sample.first for sample in result.samples) * 1000:.0f} ms",
            f"{result.peak >> 20} MiB" if result.peak else "",
            f"{median(sample.cpu for sample in result.samples):.2f} s" if result.peak else "",
            f"{bare.seconds / seconds:.2f}×" if bare.samples and result is not bare else "",
            f"{seconds / own.seconds:.2f}×" if own.samples and result is not own else ""])
    return lines


def sizes(clients: list[Client], there: int) -> dict[int, dict[str, list[Fetch]]]:
    """Answers of every size, in turn; no two statements are alike, so that none is answered from memory."""
    own = clients[0]
    found: dict[int, dict[str, list[Fetch]]] = {}
    # A tenth of the table is enough for a tenth of the largest answer.
    for size in (size for size in SIZES if size <= 2 * there):
        for repetition in range(REPEATS):
            for client in clients:
                rows = size + repetition
                # More rows than there are: the table again behind itself.
                whole = own.sql if rows <= there else f"{own.sql} union all {own.sql}"
                sample = client.fetch(f"{whole} limit {rows}")
                if sample.rows != rows:
                    raise Failed(f"{client.name}: {sample.rows} rows, {rows} expected")
                found.setdefault(size, {}).setdefault(client.name, []).append(sample)
        say(f"  {size:,} rows: first {median(s.first for s in found[size][own.name]) * 1000:.0f} ms")
    return found


def small_table(found: dict[int, dict[str, list[Fetch]]]) -> list[list[str]]:
    lines = []
    for size, clients in found.items():
        lines = lines or [["rows", *(f"{name}: {word}" for name in clients for word in ("first", "last"))]]
        cells = []
        for samples in clients.values():
            first, columns = (median(s.first for s in samples) * 1000, median(s.columns for s in samples) * 1000)
            cells += [f"{first:.1f} ms ({columns:.1f})", f"{median(s.seconds for s in samples):.3f} s"]
        lines.append([f"{size:,}", *cells])
    return lines
