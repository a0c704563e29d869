"""(d) Grouping by force over the largest table, served by Muster, beside DuckDB as a library on the same files."""

from contextlib import ExitStack

from bench import hub
from bench.contest import REPEATS, checksums, say
from bench.dashboards import MUSTERS, in_process, muster, views
from bench.data import Data
from bench.measure import Failed, Result, Sample
from bench.report import Block

DUCKDB = "DuckDB"
TABLE = "conformed.duty"
# The condition that is true of every row is another in each repetition: nobody answers from memory.
STATEMENTS = {
    "rows": "select force, count(*) as duties from {duty} where worked_minutes > -{turn} group by force order by force",
    "a sum": "select force, sum(worked_minutes) as minutes from {duty} where worked_minutes > -{turn} "
             "group by force order by force",
    "two sums, by force and shift": "select force, shift_code, sum(worked_minutes) as worked, sum(planned_minutes) as "
                                    "planned from {duty} where worked_minutes > -{turn} "
                                    "group by force, shift_code order by force, shift_code",
    "a sum, of one month": "select force, sum(worked_minutes) as minutes from {duty} where worked_minutes > -{turn} "
                           "and duty_date between date '2025-01-01' and date '2025-01-31' "
                           "group by force order by force",
    "how many people": "select force, count(distinct collar_no) as collars from {duty} where worked_minutes > -{turn} "
                       "group by force order by force",
}


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("byforce")
    served = hub.estate(data)
    results = {name: {who: Result(who) for who in (MUSTERS, DUCKDB)} for name in STATEMENTS}
    with ExitStack() as stack:
        targets = {MUSTERS: stack.enter_context(muster(served))[0],
                   DUCKDB: stack.enter_context(in_process(data, views(served)))[0]}
        with targets[MUSTERS].asking() as one, targets[DUCKDB].asking() as other:
            for turn in range(1, REPEATS + 2):
                for name, sql in STATEMENTS.items():
                    asked = {who: ask(sql.format(duty=targets[who].names(TABLE), turn=turn))
                             for who, ask in ((MUSTERS, one), (DUCKDB, other))}
                    if asked[MUSTERS][1] != asked[DUCKDB][1]:
                        raise Failed(f"{name}: the answers differ")
                    # The first time, both read what they keep in memory from then on.
                    if turn > 1:
                        for who, (seconds, _) in asked.items():
                            results[name][who].samples.append(Sample(seconds, 0, ""))
    rows = checksums("", served.relation(TABLE))["rows"]
    block.says(f"`{TABLE}`: {rows:,} rows of {hub.FORCES} forces, one file for each.")
    block.table([["", MUSTERS, "quartiles", DUCKDB, "quartiles", "runs", "of DuckDB's time"],
                 *(line(name, pair[MUSTERS], pair[DUCKDB]) for name, pair in results.items())])
    block.results = results
    for name, pair in results.items():
        say(f"  {name}: {pair[MUSTERS].seconds * 1000:.0f} ms, DuckDB {pair[DUCKDB].seconds * 1000:.0f} ms")
    return block


def line(name: str, own: Result, other: Result) -> list[str]:
    def cells(result: Result) -> list[str]:
        low, high = result.spread
        return [f"{result.seconds * 1000:.0f} ms", f"{low * 1000:.0f} to {high * 1000:.0f}"]

    return [name, *cells(own), *cells(other), str(len(own.samples)), f"{own.seconds / other.seconds:.2f}×"]
