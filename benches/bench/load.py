"""Many clients at once: how they are spread over processes, and what they saw."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.contest import PEERS
from bench.measure import Failed
from bench.questions import QUESTIONS, statement

# Python runs one thread at a time: a few processes share the clients.
PROCESSES = 4
# Statements that repeat: so many choices of each question, of which some are asked for far more often than others.
CHOICES, SKEW = 100, 1.1
REPEATED = 3000
# Statements that do not: enough for the quickest of those who cannot answer from memory.
DISTINCT = 30_000


@dataclass
class Asked:
    """What the clients of one measurement saw."""

    seconds: float
    taken: list[int]
    wrong: Counter = field(default_factory=Counter)
    # Seconds of processor: the clients' and the server's; and the server's most memory.
    clients_cpu: float = 0
    server_cpu: float = 0
    peak: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.taken) / self.seconds

    def quantile(self, share: float) -> float:
        """Milliseconds within which so many of the answers came."""
        return sorted(self.taken)[min(len(self.taken) - 1, int(share * len(self.taken)))] / 1000

    @property
    def errors(self) -> int:
        return sum(self.wrong.values())


@dataclass(frozen=True)
class Target:
    """Where clients ask: how, at which address, as whom, and what tables are called there."""

    kind: str
    address: str
    names: object
    user: tuple[str, str] | None = None

    def start(self, *words: str) -> subprocess.Popen:
        environment = dict(os.environ)
        if self.user:
            environment["BENCH_USER"], environment["BENCH_PASSWORD"] = self.user
        command = [sys.executable, str(PEERS / "ask.py"), words[0], self.kind, self.address, *words[1:]]
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @contextmanager
    def asking(self) -> Iterator[Callable[[str], tuple[float, list[list]]]]:
        """One client: a statement in, its seconds and its rows out."""
        process = self.start("rows")

        def ask(sql: str) -> tuple[float, list[list]]:
            process.stdin.write(json.dumps(sql) + "\n")
            process.stdin.flush()
            told = process.stdout.readline()
            if not told:
                raise Failed(f"not answered: {sql[:200]}")
            seconds, rows = json.loads(told)
            return seconds, rows

        try:
            yield ask
        finally:
            process.kill()
            process.wait()

    def rows(self, statements: list[str]) -> list[list[list]]:
        """The answers themselves."""
        with self.asking() as ask:
            return [ask(sql)[1] for sql in statements]

    def ask(self, plan: list[list[str]], seconds: float) -> Asked:
        """Every client at once; each has a list of statements."""
        # DuckDB is in the clients' process, and there is one of it.
        processes = 1 if self.kind == "duckdb" else min(PROCESSES, len(plan))
        started = []
        try:
            for number in range(processes):
                process = self.start("time", str(seconds))
                started.append(process)
                for statements in plan[number::processes]:
                    process.stdin.write(json.dumps(statements) + "\n")
                process.stdin.write("\n")
                process.stdin.flush()
            for process in started:
                if process.stdout.readline() != "ready\n":
                    raise Failed("the clients cannot connect")
            for process in started:
                process.stdin.write("\n")
                process.stdin.flush()
            told = [json.loads(process.stdout.readline() or "null") for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait()
        if None in told:
            raise Failed("the clients ended before they had told what they saw")
        wrong: Counter = Counter()
        for one in told:
            wrong.update(one["wrong"])
        taken = [micros for one in told for micros in one["taken"]]
        if not taken:
            raise Failed(f"no answer at all: {wrong.most_common(1)}")
        return Asked(max(one["seconds"] for one in told), taken, wrong, sum(one["cpu"] for one in told))


def distinct(clients: int, names, seed: int) -> list[list[str]]:
    """For every client statements that nobody else asks."""
    each = max(500, DISTINCT // clients)
    return [[statement(QUESTIONS[(client + turn) % len(QUESTIONS)], hash((seed, client, turn)), names)
             for turn in range(each)] for client in range(clients)]


def repeated(clients: int, names, seed: int) -> list[list[str]]:
    """For every client statements that others ask too, a few of them often."""
    weights = [1 / (rank + 1) ** SKEW for rank in range(CHOICES)]
    pool = [[statement(question, number, names) for number in range(CHOICES)] for question in QUESTIONS]
    plan = []
    for client in range(clients):
        chance = random.Random(hash((seed, client)))
        ranks = chance.choices(range(CHOICES), weights, k=REPEATED)
        plan.append([pool[(client + turn) % len(pool)][rank] for turn, rank in enumerate(ranks)])
    return plan
