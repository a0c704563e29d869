"""(c) Second and later pulls: what a pull costs when nothing, 1 % or 10 % of the rows has changed."""

import hashlib
import pathlib
from dataclasses import replace

from bench.contest import REPEATS, TIMEOUT_SECS, checksums, pull, same, say
from bench.data import Data
from bench.extract import fill, secret
from bench.measure import Failed, Result, measured
from bench.postgres import Postgres
from bench.project import Entity
from bench.report import Block, short
from bench.tables import CHANGED_AT, LINEITEM

SOURCE = replace(LINEITEM, columns=(*LINEITEM.columns, CHANGED_AT))
MODES = {
    "diff": ('mode = "diff"',),
    # What changed within the lag before a pull is read again by the next one, but not landed again.
    "cursor": ('mode = "cursor"', 'cursor = "updated_at"', 'lag = "1h"'),
}

# Rows are changed all over the table, not in one place of it.
STEPS = {
    "first": None,
    "0 %": None,
    "1 %": "(l_orderkey * 7 + l_linenumber) % 100 = 3",
    "10 %": "(l_orderkey * 7 + l_linenumber) % 10 = 4",
}


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("incremental")
    results = {mode: {step: Result(step) for step in STEPS} for mode in MODES}
    with Postgres(data.folder) as server:
        fill(server, data, LINEITEM)
        for repetition in range(REPEATS):
            say(f"incremental: repetition {repetition + 1}")
            repeat(server, data, results)
        server.ask("drop table if exists lineitem_changing")
    block.section("Pulls of `lineitem` with scattered changes")
    block.table(lines(results))
    block.results = results
    return block


def repeat(server: Postgres, data: Data, results: dict[str, dict[str, Result]]) -> None:
    """Both modes over one copy of the table, side by side, change after change."""
    copy(server)
    projects = {mode: data.work / mode for mode in MODES}
    for mode, project in projects.items():
        Entity(SOURCE, server.address, mode, settings=MODES[mode], relation="lineitem_changing").write(project)
    changed: list[str] = []
    for step, where in STEPS.items():
        if where:
            changed.append(where)
            server.ask(f"update lineitem_changing set l_quantity = l_quantity + 1, updated_at = now() at time zone 'UTC' "
                       f"where {where}")
            server.ask("vacuum analyze lineitem_changing")
        expected, landed = after(data, changed), sum(rows_of(data, where) for where in ["true", *changed])
        for mode, project in projects.items():
            result = results[mode][step]
            if any(earlier.failure for earlier in results[mode].values()):
                continue
            try:
                sample = measured(pull(project), secret(server), TIMEOUT_SECS)
                raw = Entity(SOURCE, server.address, mode).raw(project)
                same(expected, checksums(LINEITEM.name, current(raw)))
                # What did not change must not have been landed again.
                same({"rows": landed}, checksums("", f"read_parquet('{raw}/*.parquet')"))
                result.samples.append(sample)
                say(f"  {mode}, {step}: {sample.seconds:.2f} s, {sample.peak >> 20} MiB")
            except Failed as failure:
                result.failure = str(failure)
                say(f"  {mode}, {step} FAILED: {failure}")


def copy(server: Postgres) -> None:
    """The table as it is before anything changes, last changed over the years. Its cursor is indexed,
    as a source's should be."""
    server.ask("drop table if exists lineitem_changing")
    server.ask("create unlogged table lineitem_changing as select *, timestamp '2020-01-01' "
               "+ (l_orderkey * 7 + l_linenumber) % 1800 * interval '1 day' as updated_at from lineitem")
    server.ask(f"alter table lineitem_changing add primary key ({', '.join(LINEITEM.key)})")
    server.ask("create index on lineitem_changing (updated_at)")
    server.ask("vacuum (freeze, analyze) lineitem_changing")
    server.ask("checkpoint")


def after(data: Data, changed: list[str]) -> dict:
    """The checksums of the table after these changes, from the generator's own file."""
    quantity = " + ".join(["l_quantity", *(f"case when {where} then 1 else 0 end" for where in changed)])
    source = f"(select * replace ({quantity} as l_quantity) from '{data.folder}/lineitem.parquet')"
    return data.expected(f"changed-{len(changed)}", source, LINEITEM.name)


def rows_of(data: Data, where: str) -> int:
    """How many rows a change concerns."""
    source = f"(select 1 from '{data.folder}/lineitem.parquet' where {where})"
    return data.kept(f"rows-{hashlib.sha256(where.encode()).hexdigest()[:12]}", lambda: checksums("", source))["rows"]


def current(raw: pathlib.Path) -> str:
    """The newest row of each key."""
    rows = f"read_parquet('{raw}/*.parquet')"
    same_key = " and ".join(f"later.{name} = r.{name}" for name in LINEITEM.key)
    later = f"select 1 from {rows} as later where later._load > 1 and later._load > r._load and {same_key}"
    return f"(select * from {rows} as r where r._op = 'upsert' and not exists ({later}))"


def lines(results: dict[str, dict[str, Result]]) -> list[list[str]]:
    """A line for each mode and step, with its share of the first pull."""
    table = [["mode", "changed", "median", "quartiles", "runs", "peak memory", "of the first pull"]]
    for mode, steps in results.items():
        for step, result in steps.items():
            if result.failure:
                table.append([f"`{mode}`", step, f"failed: {short(result.failure)}", "", "", "", ""])
            elif result.samples:
                low, high = result.spread
                share = "" if step == "first" else f"{result.seconds / steps['first'].seconds:.1%}"
                table.append([f"`{mode}`", "first pull" if step == "first" else step, f"{result.seconds:.2f} s",
                              f"{low:.2f} to {high:.2f}", str(len(result.samples)), f"{result.peak >> 20} MiB", share])
    return table
