"""Servers that are measured from outside: started for a measurement, watched, and stopped whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.contest import MUSTER, PEERS
from bench.hub import Hub
from bench.measure import Failed, tree

START_SECS = 120
STOP_SECS = 20


@dataclass
class Server:
    """A command that listens on `port`: `with Server(…) as server`."""

    name: str
    command: list
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def uri(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def __enter__(self) -> "Server":
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            cwd=self.folder, env={**os.environ, "NO_COLOR": "1", **self.environment}, start_new_session=True)
        until = time.monotonic() + START_SECS
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > until:
                told = self.told()
                self.__exit__()
                raise Failed(f"{self.name} does not listen: {told}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()

    def told(self) -> str:
        """The end of what it has printed."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip()[-600:]

    @property
    def peak(self) -> int:
        """The most memory that it has held since it was started, or since `forget`."""
        return sum(status(pid, "VmHWM") for pid in tree(self.process.pid))

    def forget(self) -> None:
        """Begins the peak anew."""
        for pid in tree(self.process.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")

    @property
    def cpu(self) -> float:
        """Seconds of processor that it has used."""
        return sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[11:13]))
                   for pid in tree(self.process.pid)) / os.sysconf("SC_CLK_TCK")


def status(pid: int, word: str) -> int:
    """Bytes that the kernel tells of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{word}:"):
            return int(line.split()[1]) * 1024
    return 0


def muster(hub: Hub, name: str = "Muster") -> Server:
    """`muster serve`, without encryption, as the peers."""
    port = free_port()
    words = ["--plaintext", "--no-schedules", "--listen", f"127.0.0.1:{port}"]
    command = [MUSTER, "--project", hub.folder, "serve", *words]
    return Server(name, command, port)


def bare(batches: Path) -> Server:
    """pyarrow's Flight server, which sends the batches of a file from memory."""
    port = free_port()
    return Server("pyarrow Flight, bare", [sys.executable, PEERS / "serve_pyarrow.py", batches, port], port)


def sail() -> Server:
    """Sail's Flight SQL server; it reads the files that a statement names."""
    port = free_port()
    program = Path(sys.executable).with_name("sail")
    return Server("Sail", [program, "flight", "server", "--port", port], port)


def roapi(tables: dict[str, Path | str]) -> Server:
    """ROAPI with these Parquet files, which it reads into memory when it starts: its default, and its quickest."""
    port = free_port()
    command = [Path(sys.executable).with_name("roapi"), "--addr-flight-sql", f"127.0.0.1:{port}",
               "--addr-http", f"127.0.0.1:{free_port()}", "--addr-postgres", f"127.0.0.1:{free_port()}"]
    for name, path in tables.items():
        command += ["--table", f"{name}={path},format=parquet"]
    return Server("ROAPI", command, port)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
