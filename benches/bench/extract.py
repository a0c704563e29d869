"""(a) Two tables of a PostgreSQL database into Parquet."""

from bench.contest import Contestant, contest, muster, peer, say
from bench.data import Data
from bench.postgres import Postgres
from bench.project import PASSWORD, Entity
from bench.report import Block, rate, short, table
from bench.tables import HR_WIDE, LINEITEM, Table

# Rows of the growth curve, as shares of lineitem; the last one is the table twice.
GROWTH = (0.25, 0.5, 1, 2)


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("extract")
    with Postgres(data.folder) as server:
        block.says(f"Server: PostgreSQL {server.version()}, its defaults, on the same machine and cores.")
        for measured in (LINEITEM, HR_WIDE):
            fill(server, data, measured)
            one(block, server, data, measured)
        growth(block, server, data)
    return block


def fill(server: Postgres, data: Data, measured: Table) -> None:
    """The table as the force's system has it, with its primary key."""
    def make(name: str) -> None:
        server.ask(f"create table {name} ({measured.ddl})")
        data.load(server, f"select * from '{data.folder}/{measured.name}.parquet'", name)
        server.ask(f"alter table {name} add primary key ({', '.join(measured.key)})")

    server.fill(measured.name, make)


def one(block: Block, server: Postgres, data: Data, measured: Table) -> None:
    """Every contestant on one table."""
    expected = data.expected(measured.name, f"read_parquet('{data.folder}/{measured.name}.parquet')")
    say(f"extract {measured.name}: {expected['rows']} rows")
    limit = Contestant(
        "limit: `COPY … TO '/dev/null' (FORMAT binary)`",
        server.psql(f"copy {measured.name} to '/dev/null' (format binary)"),
        environment=server.environment, is_limit=True)
    common = {"environment": server.environment}
    contestants = [
        limit,
        muster(entity(server, measured), environment=secret(server)),
        peer("DuckDB", "with_duckdb", "extract", measured.name, **common),
        peer("ADBC → pyarrow", "with_adbc", "extract", measured.name, **common),
        # Once: it takes longer than all the others together.
        peer("dlt", "with_dlt", "extract", measured.name, repeats=1,
             written=f"{{out}}/lake/raw/{measured.name}/*.parquet", **common),
    ]
    results = contest(contestants, measured.name, expected, data.work)
    rows = expected["rows"]
    block.section(f"PostgreSQL, `{measured.name}`: {rows:,} rows, {len(measured.columns)} columns")
    block.table(table(results, rows, limit.name))
    encode = data.encode(f"{measured.name}.parquet")
    both = results[limit.name].seconds + encode["seconds"]
    block.says(f"Encoding the same rows as Parquet from memory takes one core {encode['seconds']:.1f} s; one core "
               f"that does both, one after the other, cannot be quicker than {both:.1f} s ({rate(rows, both)}).")
    block.results[measured.name] = results


def growth(block: Block, server: Postgres, data: Data) -> None:
    """Muster alone on more and more rows: time must be linear and memory flat."""
    say("extract: growth")
    lines = [["rows", "time", "rate", "peak memory"]]
    block.results["growth"] = {}
    for share in GROWTH:
        name = LINEITEM.name if share == 1 else f"lineitem_{str(share).replace('.', '_')}"
        server.fill(name, lambda part, share=share: grown(server, part, share))
        rows = int(server.ask(f"select count(*) from {name}"))
        one = muster(entity(server, LINEITEM, relation=name), environment=secret(server), repeats=1)
        result = contest([one], "", {"rows": rows}, data.work)["Muster"]
        block.results["growth"][name] = result
        if result.failure:
            lines.append([f"{rows:,}", f"failed: {short(result.failure)}", "", ""])
        else:
            lines.append([f"{rows:,}", f"{result.seconds:.1f} s", rate(rows, result.seconds),
                          f"{result.peak >> 20} MiB"])
    block.section("Muster on more and more rows of `lineitem` (one repetition each)")
    block.table(lines)


def grown(server: Postgres, part: str, share: float) -> None:
    rows = int(server.ask("select count(*) from lineitem"))
    server.ask(f"create table {part} (like lineitem including defaults)")
    server.ask(f"insert into {part} select * from lineitem limit {round(rows * min(share, 1))}")
    if share > 1:
        server.ask(f"insert into {part} select (l_orderkey + (select max(l_orderkey) from lineitem)), "
                   f"{', '.join(LINEITEM.names[1:])} from lineitem")
    server.ask(f"alter table {part} add primary key ({', '.join(LINEITEM.key)})")


def entity(server: Postgres, measured: Table, relation: str | None = None) -> Entity:
    """The contract of a table in the mode that most entities have."""
    return Entity(measured, server.address, "tpch" if measured.key == LINEITEM.key else "hr_wide",
                  settings=('mode = "diff"',), relation=relation or measured.name)


def secret(server: Postgres) -> dict[str, str]:
    """Muster's variable; it does not read libpq's."""
    return {PASSWORD: server.environment["PGPASSWORD"]}


