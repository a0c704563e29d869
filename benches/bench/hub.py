"""Hubs that are served in a measurement: a lake made once, its users, and the files of its tables."""

import json
import secrets
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

from bench.contest import MUSTER, say
from bench.data import Data
from bench.estate import Estate, codes, muster
from bench.extract import entity, fill, secret
from bench.postgres import Postgres
from bench.tables import LINEITEM

STAFF = 8000  # in every three forces, as in the demo
FORCES = 43
EVERYTHING = 'forces = ["*"]\ntables = ["*"]'


class Hub:
    """A project folder whose newest release is served, and the password that all of its users have."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.password = (folder / "password").read_text(encoding="utf-8")

    def files(self, table: str) -> list[str]:
        """The Parquet files of the newest version of `layer.name`; `force` is in the names of their folders."""
        return active(self.folder / "lake" / table.replace(".", "/"))

    def relation(self, table: str) -> str:
        """The table as DuckDB reads the same files."""
        return f"read_parquet({self.files(table)}, hive_partitioning = true)"


def active(table: Path) -> list[str]:
    """The files of the newest version of a Delta table. The log is kept whole, so its commits suffice."""
    files: dict[str, None] = {}
    for commit in sorted((table / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[unquote(action["add"]["path"])] = None
            elif "remove" in action:
                files.pop(unquote(action["remove"]["path"]), None)
    return [str(table / path) for path in files]


def lineitem(data: Data) -> Hub:
    """A hub of one force with `conformed.lineitem`, pulled out of PostgreSQL."""
    def make(folder: Path) -> None:
        with Postgres(data.folder) as server:
            fill(server, data, LINEITEM)
            entity(server, LINEITEM).write(folder)
            names = ",\n    ".join(LINEITEM.names)
            staging = folder / "connectors" / "tpch" / "staging" / "lineitem.sql"
            written(staging, "Lines of orders.\ngrain: l_orderkey, l_linenumber", f"    {names}", "raw.lineitem")
            written(folder / "sql" / "conformed" / "lineitem.sql",
                    "Lines of orders.\ngrain: force, l_orderkey, l_linenumber", f"    {names}", "staging.lineitem")
            muster(folder, "run", environment=secret(server))
        # Serving needs neither the database nor its password.
        manifest = folder / "muster.toml"
        lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
        manifest.write_text("".join(line for line in lines if not line.startswith("password")), encoding="utf-8")

    return made(data.folder.parent / f"served-lineitem-{data.scale:g}", make, {"everything": EVERYTHING})


def estate(data: Data) -> Hub:
    """A hub of the demo's estate with 43 forces. Its roles: everything, one force, and every force by its name."""
    staff = max(200, round(STAFF * data.scale))

    def make(folder: Path) -> None:
        landed = Estate.at(data.folder.parent / f"estate-{staff}", FORCES, staff)
        landed.project(folder, FORCES)
        muster(folder, "build")

    named = ", ".join(f'"{code}"' for code in codes(FORCES))
    tables = 'tables = ["conformed.*", "marts.*", "reference.*"]'
    roles = {"everything": EVERYTHING, "named": f"forces = [{named}]\n{tables}",
             "one": f'forces = ["{codes(FORCES)[0]}"]\n{tables}'}
    return made(data.folder.parent / f"served-estate-{staff}", make, roles)


def made(folder: Path, make, roles: dict[str, str]) -> Hub:
    """The hub that `make` makes in a folder where none is, with a user for each role, of the same name."""
    if not (folder / "password").exists():
        say(f"making the hub {folder.name}")
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
        with (folder / "muster.toml").open("a", encoding="utf-8") as manifest:
            for role, words in roles.items():
                manifest.write(f"\n[roles.{role}]\n{words}\n")
        password = secrets.token_hex(16)
        for role in roles:
            subprocess.run([MUSTER, "--project", folder, "user", "add", role, "--role", role, "--password-stdin"],
                           input=password, text=True, check=True, stdout=subprocess.DEVNULL)
        kept = folder / "password"
        kept.touch(mode=0o600)
        kept.write_text(password, encoding="utf-8")
    return Hub(folder)


def written(path: Path, header: str, columns: str, table: str) -> None:
    """A model that takes a table as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"/*\n{header}\n*/\nselect\n{columns}\nfrom {table}\n", encoding="utf-8")
