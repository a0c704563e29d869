"""The SQL that dbt runs, as dbt compiled it, without dbt: PROJECT OUT [checks]. Prints what each model and all checks
took. In the order of the models, one after the other, each on all cores."""

import json
import sys
import time
from pathlib import Path

import duckdb

from bench.dbt import OPTIONS, SETTINGS
from bench.models import models


def main(project: str, out: str, checks: str = "") -> None:
    compiled = Path(project) / "target" / "compiled" / "estate"
    connection = duckdb.connect(config={"threads": 2})
    for name, value in SETTINGS.items():
        connection.execute(f"set {name} = '{value}'")
    options = ", ".join(f"{name} {value}" for name, value in OPTIONS.items())
    took: dict[str, float] = {}
    for model in models():
        name, started = f"{model.layer}_{model.name}", time.monotonic()
        sql = (compiled / "models" / "built" / f"{name}.sql").read_text()
        connection.execute(f"copy ({sql}) to '{out}/{name}.parquet' (format parquet, {options})")
        connection.execute(f"create view {name} as from read_parquet('{out}/{name}.parquet')")
        took[model.table] = time.monotonic() - started
    started = time.monotonic()
    for test in sorted((compiled / "tests").glob("*.sql")) if checks else []:
        connection.execute(f"select count(*) from ({test.read_text()})").fetchall()
    took["checks"] = time.monotonic() - started
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
