"""A private PostgreSQL with its defaults (fsync included), filled once and kept in the cache folder."""

import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys

USER = DATABASE = "bench"


def program(name: str) -> str:
    """The newest installed one; Debian keeps the server's programs out of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: float(p.parts[4]))
    return str(found[-1]) if found else shutil.which(name) or name


class Postgres:
    """A running server: `with Postgres(folder) as server`. It is stopped at the end, whatever happens."""

    def __init__(self, folder: pathlib.Path):
        # The server refuses to run as root, and another user cannot enter root's home.
        self.as_user: list[str] = []
        root = os.geteuid() == 0
        self.folder = pathlib.Path("/var/tmp/muster-bench") / folder.name if root else folder / "postgres"
        self.folder.mkdir(parents=True, exist_ok=True)
        if root:
            user = "postgres" if known("postgres") else "nobody"
            self.as_user = ["runuser", "-u", user, "--"]
            shutil.chown(self.folder, user)
        self.data = self.folder / "data"
        self.secret = self.folder / "password"

    def __enter__(self) -> "Postgres":
        if not (self.data / "PG_VERSION").exists():
            self.init()
        if (self.data / "postmaster.pid").exists():
            # Left behind by a run that was killed.
            self.control("stop", "-m", "fast", check=False)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self.control("start", "-w", "-o", settings, "-l", str(self.folder / "log"))
        # Every client that is built on libpq takes these; so do psql and DuckDB.
        self.environment = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": USER, "PGDATABASE": DATABASE,
                            "PGPASSWORD": self.secret.read_text()}
        self.address = f"postgres://{USER}@127.0.0.1:{port}/{DATABASE}"
        if self.ask("select 1 from pg_database where datname = 'bench'", database="postgres") != "1":
            self.ask("create database bench", database="postgres")
        return self

    def __exit__(self, *_) -> None:
        self.control("stop", "-m", "fast", check=False)

    def init(self) -> None:
        """A cluster whose only user needs a password, as a force's would."""
        password = secrets.token_hex(16)
        private(self.secret, password)
        given = self.folder / "pwfile"
        private(given, password)
        if self.as_user:
            shutil.chown(given, self.as_user[2])
        command = [*self.as_user, program("initdb"), "-D", str(self.data), "-U", USER, "-E", "UTF8", "--no-locale",
                   "--auth=scram-sha-256", f"--pwfile={given}"]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        finally:
            given.unlink()

    def control(self, *words: str, check: bool = True) -> None:
        command = [*self.as_user, program("pg_ctl"), "-D", str(self.data), *words]
        subprocess.run(command, check=check, stdout=subprocess.DEVNULL, cwd=self.folder)

    def psql(self, sql: str) -> list[str]:
        """The command that runs `sql`."""
        return [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]

    def ask(self, sql: str, database: str = DATABASE) -> str:
        """Runs one statement and returns what it prints."""
        environment = {**os.environ, **self.environment, "PGDATABASE": database,
                       "PGOPTIONS": "-c client_min_messages=warning"}
        done = subprocess.run(self.psql(sql), check=True, env=environment, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def version(self) -> str:
        """The server's version number."""
        return self.ask("show server_version").split()[0]

    def fill(self, table: str, make) -> None:
        """Makes a table that is not there: `make` writes it as `<table>_part`, and only a whole one gets its name."""
        if self.ask(f"select to_regclass('{table}')"):
            return
        print(f"loading {table}", file=sys.stderr)
        self.ask(f"drop table if exists {table}_part")
        make(f"{table}_part")
        self.ask(f"alter table {table}_part rename to {table}")
        # The first reader would otherwise write hint bits, and autovacuum run during a measurement.
        self.ask(f"vacuum (freeze, analyze) {table}")
        self.ask("checkpoint")


def known(user: str) -> bool:
    return subprocess.run(["id", user], capture_output=True).returncode == 0


def private(path: pathlib.Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
