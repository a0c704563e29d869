"""Muster's models as DuckDB's SQL over every force at once.

A model of scope `force` sees one force's rows, so its statement never names the force. Over all forces at once every
join, grouping and window needs it: `over_all` adds the columns to the tree of the statement, by rule and not by hand,
so that a new model needs no edit here. Whether the result is right is not believed but measured: see `bench.built`.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp

CODE = Path(__file__).parent.parent.parent

# DataFusion's words → DuckDB's. Both divide integers without a rest once DuckDB's `integer_division` is set.
DIALECT = (
    # Seconds since 1970; no instant of the estate has a part of a second.
    (r"to_unixtime\((\w+)\)", r"(epoch_us(\1) // 1000000)"),
    # A day plus an interval is a day in DataFusion and an instant in DuckDB, where a day plus a number is a day.
    (r"\+ interval '(\d+) days?'", r"+ \1"),
    # DuckDB's is hexadecimal text already.
    (r"encode\(sha256\((.*)\), 'hex'\)", r"sha256(\1)"),
)


@dataclass(frozen=True)
class Check:
    """A line of `checks:`: its kind, its name or the column that it relates, its words and whether it only warns."""

    kind: str
    name: str | None
    words: str
    warns: bool


@dataclass(frozen=True)
class Model:
    """A file of SQL: `layer.name`, its statement in DuckDB's words, and what its header says."""

    layer: str
    name: str
    sql: str
    scope: str
    checks: list[Check] = field(default_factory=list)
    system: str | None = None

    @property
    def table(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def reads(self) -> list[str]:
        """The tables it names, each once."""
        return list(dict.fromkeys(re.findall(r"\b(?:staging|reference|conformed|marts)\.\w+", self.sql)))


def read(path: Path, layer: str, system: str | None = None) -> Model:
    """The model of one file."""
    header, sql = re.match(r"/\*\n(.*?)\*/\n(.*)", path.read_text(encoding="utf-8"), re.DOTALL).groups()
    scope = re.search(r"^scope: (\w+)", header, re.MULTILINE)
    lines = header.partition("checks:\n")[2].splitlines()
    return Model(layer, path.stem, duckdb(sql), scope[1] if scope else "force", [check(line) for line in lines], system)


def check(line: str) -> Check:
    kind, name, words, warns = re.fullmatch(r"\s*(\w+)(?: (\w+))?: (.*?)\s*(\(warn\))?", line).groups()
    return Check(kind, name, duckdb(words), bool(warns))


def duckdb(sql: str) -> str:
    """The same in DuckDB's words."""
    for theirs, ours in DIALECT:
        sql = re.sub(theirs, ours, sql)
    return sql


def mappings() -> list[Model]:
    """Every connector's mappings."""
    return [read(path, "staging", path.parent.parent.name) for path in sorted(CODE.glob("connectors/*/staging/*.sql"))]


def models() -> list[Model]:
    """Conformed models and marts, each after what it reads."""
    found = [read(path, layer) for layer in ("conformed", "marts") for path in sorted(CODE.glob(f"sql/{layer}/*.sql"))]
    waiting, done = {model.table: model for model in found}, []
    while waiting:
        ready = [model for model in waiting.values() if not any(name in waiting for name in model.reads)]
        if not ready:
            raise SystemExit(f"these models read each other: {', '.join(waiting)}")
        for model in ready:
            done.append(waiting.pop(model.table))
    return done


def over_all(sql: str, keys: list[str]) -> str:
    """The statement over every force at once: `keys` in front of what it returns, in every join of two tables that
    have them, in every grouping and in every window. Without keys it stays what it is."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    if keys:
        keyed(tree, keys, set())
    # A table keeps its name when something else comes to stand in its place.
    for table in tree.find_all(exp.Table):
        if table.db and not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    return tree.sql(dialect="duckdb", comments=False)


def keyed(query: exp.Expression, keys: list[str], known: set[str]) -> bool:
    """Gives a query the keys; whether it now has them. `known` are the common tables that have."""
    known = set(known)
    for common in query.ctes:
        if keyed(common.this, keys, known):
            known.add(common.alias)
    if isinstance(query, exp.SetOperation):
        return all([keyed(side, keys, known) for side in (query.left, query.right)])
    if isinstance(query, exp.Subquery):
        return keyed(query.this, keys, known)
    return selected(query, keys, known)


def selected(query: exp.Select, keys: list[str], known: set[str]) -> bool:
    start = query.find(exp.From, bfs=True).this
    joins = query.args.get("joins") or []
    anchor = start.alias_or_name if has(start, keys, known) else None
    full = False
    for join in joins:
        if not has(join.this, keys, known):
            continue
        other = join.this.alias_or_name
        if anchor is None:
            anchor = other
            continue
        join.on(*(f"{anchor}.{key} = {other}.{key}" for key in keys), dialect="duckdb", copy=False)
        if join.side == "FULL":
            full = other
    if anchor is None:
        return False
    columns = [f"coalesce({anchor}.{key}, {full}.{key})" if full else f"{anchor}.{key}" for key in keys]
    if not any(isinstance(column, exp.Star) for column in query.expressions):
        first = [exp.alias_(exp.maybe_parse(column, dialect="duckdb"), key) for column, key in zip(columns, keys)]
        query.set("expressions", first + query.expressions)
    if query.args.get("group"):
        query.group_by(*columns, dialect="duckdb", copy=False)
    for window in query.find_all(exp.Window):
        # One that only names a window gets the keys from that window's own words.
        if window.find_ancestor(exp.Select) is query and not window.alias:
            first = [exp.maybe_parse(column, dialect="duckdb") for column in columns]
            window.set("partition_by", first + (window.args.get("partition_by") or []))
    return True


def has(source: exp.Expression, keys: list[str], known: set[str]) -> bool:
    """Whether what stands in a `from` has the keys: everything but code lists and what is made of them alone."""
    if isinstance(source, exp.Table):
        return source.name in known if not source.db else source.db != "reference"
    return keyed(source, keys, known)
