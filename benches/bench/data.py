"""The generated data of one scale, its checksums and its work folder. What needs memory runs as a program
of its own: the kernel would count this process's memory as that of the commands that it starts."""

import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass

from bench.contest import PEERS, checksums
from bench.postgres import Postgres


@dataclass(frozen=True)
class Data:
    """The data at `scale` in the cache folder; `work` is empty and thrown away afterwards."""

    scale: float
    folder: pathlib.Path
    work: pathlib.Path

    @classmethod
    def at(cls, scale: float, cache: pathlib.Path, work: pathlib.Path) -> "Data":
        """Generates what is not there."""
        folder = cache / f"scale-{scale:g}"
        subprocess.run([sys.executable, "-m", "bench.generate", str(scale), folder], check=True)
        return cls(scale, folder, work)

    def expected(self, name: str, relation: str, table: str | None = None) -> dict:
        """The checksums of the generator's own rows, computed once."""
        table = table or ("hr_wide" if name == "hr_wide" else "lineitem")
        return self.kept(f"expected-{name}", lambda: checksums(table, relation))

    def encode(self, name: str) -> dict:
        """How long one core encodes these rows as Parquet; the best of three."""
        command = [sys.executable, PEERS / "encode.py", self.folder / name]
        runs = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(3)]
        return min(runs, key=lambda run: run["seconds"])

    def load(self, server: Postgres, query: str, table: str) -> None:
        """Writes the result of DuckDB's `query` into a table of the server."""
        command = [sys.executable, PEERS / "with_duckdb.py", "load", query, table]
        subprocess.run(command, check=True, env={**os.environ, **server.environment})

    def kept(self, name: str, make) -> dict:
        """What `make` returned the first time."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(make()))
        return json.loads(path.read_text())
