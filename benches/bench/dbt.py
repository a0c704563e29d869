"""Muster's models as a project of dbt-duckdb that reads the same raw files and writes Parquet.

What a practised dbt user would do, and wherever there was a choice, what was quickest for dbt: one model over all
forces (`for_each` makes one for each force instead, to see what that costs), mappings and code lists inlined where
they are read, the database in memory, two threads, every check one test.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from bench.estate import Source
from bench.models import CODE, Check, Model, mappings, models, over_all

OPTIONS = {"compression": "zstd", "compression_level": 1}
SETTINGS = {"TimeZone": "UTC", "integer_division": True, "preserve_insertion_order": False}
PROJECT = """name: estate
config-version: 2
profile: estate
flags: {{send_anonymous_usage_stats: false}}
models:
  estate:
    staging: {{+materialized: ephemeral}}
    reference: {{+materialized: ephemeral}}
    built: {{+materialized: external, +options: {options}}}
"""
PROFILE = """estate:
  target: bench
  outputs:
    bench: {{type: duckdb, path: ":memory:", threads: 2, external_root: {out}, settings: {settings}}}
"""


@dataclass(frozen=True)
class Project:
    """A dbt project in `folder` over the raw tables of `sources` in `lake`."""

    folder: Path
    lake: Path
    sources: list[Source]
    for_each: bool = False

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def written(self, model: Model) -> str:
        """The files of a model, as a pattern."""
        each = "*__" if self.for_each and model.scope == "force" else ""
        return f"{self.out}/{each}{model.layer}_{model.name}.parquet"

    def write(self) -> bool:
        """Writes the project, and whether it is another than before; what dbt has parsed stays, as it would from one
        night to the next."""
        before = self.texts()
        self.out.mkdir(parents=True, exist_ok=True)
        self.file("dbt_project.yml", PROJECT.format(options=json.dumps(OPTIONS)))
        self.file("profiles.yml", PROFILE.format(out=self.out, settings=json.dumps(SETTINGS)))
        for path in sorted(CODE.glob("sql/reference/*.csv")):
            self.file(f"models/reference/reference_{path.stem}.sql",
                      f"select * from read_csv('{path}', header = true, all_varchar = true)\n")
        forces = sorted({source.force for source in self.sources})
        for force in forces if self.for_each else [None]:
            self.staging(force)
            for model in models():
                if model.scope == "force":
                    self.model(model, force)
        for model in models():
            if model.scope == "hub":
                self.model(model, None, forces)
        return self.texts() != before

    def texts(self) -> dict[Path, str]:
        """What dbt parses."""
        parsed = [path for folder in ("models", "tests") for path in (self.folder / folder).rglob("*.sql")]
        return {path: path.read_text(encoding="utf-8") for path in parsed}

    def staging(self, force: str | None) -> None:
        """Every staging table: the union of its mappings, each over all sources of its system."""
        unions: dict[str, list[str]] = {}
        for mapping in mappings():
            sources = [s for s in self.sources if s.system == mapping.system and force in (None, s.force)]
            if sources:
                unions.setdefault(mapping.name, []).append(self.mapped(mapping, sources))
            else:
                unions.setdefault(mapping.name, [])
        for name, parts in unions.items():
            if parts:
                self.file(f"models/staging/{prefixed(force)}staging_{name}.sql", "\nunion all by name\n".join(parts) + "\n")

    def mapped(self, mapping: Model, sources: list[Source]) -> str:
        keys = ["_source"] if self.for_each else ["_force", "_source"]
        sql = over_all(mapping.sql, keys)
        renamed = ", ".join(f"{key} as {key[1:]}" for key in keys)
        def rows(table: re.Match) -> str:
            return "(\n" + "\n    union all by name\n".join(self.rows(source, table[1]) for source in sources) + "\n)"

        sql = re.sub(r"\braw\.(\w+)", rows, sql)
        return f"select * rename ({renamed}) from (\n{sql}\n)"

    def rows(self, source: Source, entity: str) -> str:
        """The current good rows of a source. One with a single load is read as it is: a look into its folder
        tells, and comparing loads would cost dbt a third of the whole build."""
        folder = source.raw(self.lake, entity)
        files = f"read_parquet('{folder}/*.parquet')"
        rows = (f"    select *, '{source.force}' as _force, '{source.name}' as _source from {files} as r "
                "where r._op = 'upsert' and r._raw is null")
        if len(list(folder.glob("*.parquet"))) > 1:
            rows += (f" and not exists (select 1 from {files} as later where later._load > 1 "
                     "and later._key_hash = r._key_hash and later._load > r._load)")
        return rows

    def model(self, model: Model, force: str | None, forces: list[str] | None = None) -> None:
        """One model and its tests."""
        name = f"{prefixed(force)}{model.layer}_{model.name}"
        sql = model.sql if model.scope == "hub" else over_all(model.sql, [] if force else ["force"])
        sql = self.referring(sql, model.reads, force, forces)
        if force:
            sql = f"select '{force}' as force, * from (\n{sql}\n)"
        self.file(f"models/built/{name}.sql", sql + "\n")
        for number, check in enumerate(model.checks):
            severity = "warn" if check.warns else "error"
            failing = self.referring(failing_rows(model, check), [model.table, *related(check)], force)
            self.file(f"tests/{name}_{number}_{check.kind}.sql",
                      f"{{{{ config(severity = '{severity}') }}}}\n{failing}\n")

    def referring(self, sql: str, reads: list[str], force: str | None, forces: list[str] | None = None) -> str:
        """The statement with dbt's references in the place of the tables' names."""
        for table in reads:
            layer, name = table.split(".")
            if layer == "reference":
                found = f"{{{{ ref('reference_{name}') }}}}"
            elif forces and self.for_each:
                parts = " union all ".join(f"select * from {{{{ ref('{f}__{layer}_{name}') }}}}" for f in forces)
                found = f"({parts})"
            else:
                found = f"{{{{ ref('{prefixed(force)}{layer}_{name}') }}}}"
            sql = re.sub(rf"\b{table}\b", found, sql)
        return sql

    def file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def prefixed(force: str | None) -> str:
    return f"{force}__" if force else ""


def related(check: Check) -> list[str]:
    """The table that a check compares with."""
    return [check.words.rpartition(".")[0]] if check.kind == "relate" else []


def failing_rows(model: Model, check: Check) -> str:
    """The rows that fail a check, as dbt's tests return them."""
    table, columns = model.table, check.words
    match check.kind:
        case "unique":
            return f"select {columns} from {table} group by {columns} having count(*) > 1"
        case "not_null":
            nulls = " or ".join(f"{column.strip()} is null" for column in columns.split(","))
            return f"select * from {table} where {nulls}"
        case "accept":
            return f"select * from {table} where not ({check.words})"
        case "relate":
            other, _, key = check.words.rpartition(".")
            same = "" if other.startswith("reference.") or model.scope == "hub" else "t.force = o.force and "
            return (f"select * from {table} as t where t.{check.name} is not null "
                    f"and not exists (select 1 from {other} as o where {same}o.{key} = t.{check.name})")
    raise SystemExit(f"{model.table}: no test is known for \"{check.kind}\"")
