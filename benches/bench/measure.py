"""Runs a command and says how long it took and how much memory it and its children held at most."""

import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

# Often enough for a peak that lasts; the kernel's own mark covers a single process exactly.
SAMPLING_SECS = 0.05


class Failed(Exception):
    """A contestant ended with an error, too late, or with a wrong result."""


@dataclass
class Sample:
    """One repetition."""

    seconds: float
    peak: int
    printed: str
    size: int = 0
    # Seconds of all processors together: what a machine that is not quiet disturbs less.
    cpu: float = 0


@dataclass
class Result:
    """The repetitions of one contestant."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    failure: str | None = None

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles: half of the repetitions lie between them."""
        times = [sample.seconds for sample in self.samples]
        if len(times) < 2:
            return times[0], times[0]
        low, _, high = statistics.quantiles(times, n=4, method="inclusive")
        return low, high

    @property
    def peak(self) -> int:
        """The largest of all repetitions."""
        return max(sample.peak for sample in self.samples)

    @property
    def size(self) -> float:
        """The median of what was written."""
        return statistics.median(sample.size for sample in self.samples)


def measured(command: list, environment: dict[str, str], timeout_secs: float) -> Sample:
    """Runs `command` to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
            env={**os.environ, "NO_COLOR": "1", **environment}, start_new_session=True)
        watch = Watch(process.pid)
        watch.start()
        timer = threading.Timer(timeout_secs, lambda: os.killpg(process.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            took = time.monotonic() - started
            timer.cancel()
            watch.over.set()
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(why(process.returncode, took, timeout_secs, text(errors)))
        peak, cpu = max(usage.ru_maxrss * 1024, watch.peak), usage.ru_utime + usage.ru_stime
        return Sample(took, peak, text(out), cpu=cpu)


def why(code: int, took: float, timeout_secs: float, errors: str) -> str:
    if code == -signal.SIGKILL and took >= timeout_secs:
        return f"not finished after {timeout_secs:.0f} s"
    last = " ".join(errors.strip().splitlines()[-6:])
    return f"exit {code}: {last[-400:]}"


def text(file) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


class Watch(threading.Thread):
    """Samples the memory of a process and everything that it has started."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self.over.wait(SAMPLING_SECS):
            self.peak = max(self.peak, page * sum(map(resident, tree(self.pid))))


def tree(pid: int) -> list[int]:
    try:
        children = [Path(path).read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [pid] + [one for group in children for child in group for one in tree(int(child))]


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
