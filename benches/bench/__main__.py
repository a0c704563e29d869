"""python -m bench SUITE…: runs suites, prints what they say and writes it into the README, unless the data was
smaller or the repetitions fewer than what the README promises."""

import fcntl
import os
import pathlib
import shutil
import signal
import sys

from bench import (
    audit, build, bulk, byforce, dashboards, extract, files, incremental, limits, opening, policy
)
from bench.contest import REPEATS
from bench.data import Data

LEAST_REPEATS = 5
SUITES = {"limits": limits, "extract": extract, "files": files, "incremental": incremental, "build": build,
          "opening": opening, "audit": audit, "bulk": bulk, "dashboards": dashboards, "byforce": byforce,
          "policy": policy}
# These need no generated data but their own.
OWN_DATA = {"audit", "build", "opening", "dashboards", "policy", "byforce"}


def main(names: list[str]) -> int:
    # So that the server is stopped when the run is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scale = float(os.environ.get("SCALE", "1"))
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "muster" / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("another measurement is running; two at once measure each other")
        work = cache / "work"
        # Left behind by a run that was killed.
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            if set(names) <= OWN_DATA:
                return run(names, Data(scale, cache / f"scale-{scale:g}", work))
            return run(names, Data.at(scale, cache, work))
        finally:
            shutil.rmtree(work, ignore_errors=True)


def run(names: list[str], data: Data) -> int:
    failed = False
    for name in names:
        block = SUITES[name].run(data)
        print(f"\n{block.text()}\n", flush=True)
        enough = REPEATS >= getattr(SUITES[name], "LEAST_REPEATS", LEAST_REPEATS)
        if data.scale == 1 and enough and block.complete:
            block.write()
        failed |= any(result.failure for group in block.results.values() for result in group.values())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
