"""What the machine itself can do; the other numbers are to be seen beside these."""

import os
import shutil
import socket
import subprocess
import threading
import time

from bench.data import Data
from bench.report import Block

CHUNK = 1 << 20
CHUNKS = 1024


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("limits")
    delimited = data.folder / "delimited" / "lineitem.csv"
    encode = data.encode("lineitem.parquet")
    file = data.work / "written"
    block.section("What the machine can do")
    block.table([
        ["", "rate"],
        ["writing a file, `conv=fdatasync`", megabytes(best(lambda: written(file)), CHUNK * CHUNKS)],
        ["reading a cached file", megabytes(best(lambda: read(file)), CHUNK * CHUNKS)],
        ["copying memory", megabytes(best(copied), CHUNK * CHUNKS)],
        ["a loopback socket", megabytes(best(sent), CHUNK * CHUNKS)],
        ["`wc -l`", megabytes(best(lambda: counted(delimited)), delimited.stat().st_size)],
        ["Parquet with zstd 1, one core, bytes in memory", megabytes(encode["seconds"], encode["bytes"])],
    ])
    file.unlink()
    return block


def best(work, times: int = 3) -> float:
    """The quickest of a few: a limit is what is possible."""
    def timed() -> float:
        started = time.monotonic()
        work()
        return time.monotonic() - started

    return min(timed() for _ in range(times))


def written(file) -> None:
    command = ["dd", "if=/dev/zero", f"of={file}", "bs=1M", f"count={CHUNKS}", "conv=fdatasync"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def read(file) -> None:
    with open(file, "rb", buffering=0) as opened:
        buffer = bytearray(CHUNK)
        while opened.readinto(buffer):
            pass


def copied() -> None:
    # Larger than the caches of most processors.
    source, target = bytearray(os.urandom(CHUNK) * 64), memoryview(bytearray(CHUNK * 64))
    for _ in range(CHUNKS // 64):
        target[:] = source


def sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        def send() -> None:
            with socket.create_connection(server.getsockname()) as out:
                for _ in range(CHUNKS):
                    out.sendall(chunk)

        chunk = bytes(CHUNK)
        sender = threading.Thread(target=send)
        sender.start()
        with server.accept()[0] as incoming:
            buffer = bytearray(CHUNK)
            while incoming.recv_into(buffer):
                pass
        sender.join()


def counted(file) -> None:
    subprocess.run([shutil.which("wc"), "-l", file], check=True, stdout=subprocess.DEVNULL)


def megabytes(seconds: float, size: int) -> str:
    return f"{size / seconds / 1e6:,.0f} MB/s"
