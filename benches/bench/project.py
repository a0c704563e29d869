"""Writes the project folder that Muster pulls: one force, one source, one entity."""

import json
import pathlib
import shutil
from dataclasses import dataclass

from bench.tables import Table

PASSWORD = "MUSTER_BENCH_PASSWORD"


@dataclass(frozen=True)
class Entity:
    """An entity as the contract declares it. `settings` are further lines of its table."""

    table: Table
    address: str
    system: str
    settings: tuple[str, ...] = ()
    layout: tuple[str, ...] = ()
    relation: str | None = None
    day: str | None = None

    def write(self, project: pathlib.Path) -> None:
        """A fresh project folder in the place of an older one."""
        shutil.rmtree(project, ignore_errors=True)
        connector = project / "connectors" / self.system / "connector.toml"
        connector.parent.mkdir(parents=True)
        connector.write_text(self.connector())
        (project / "muster.toml").write_text(self.manifest())

    def manifest(self) -> str:
        """`muster.toml`."""
        password = f"password = {{ env = \"{PASSWORD}\" }}\n" if self.address.startswith("postgres") else ""
        return (
            "[hub]\nname = \"Benchmark\"\nlake = \"lake\"\nstate = \"sqlite:state.db\"\n\n"
            "[forces.bench]\nname = \"Benchmark\"\n\n"
            f"[sources.bench_{self.system}]\nforce = \"bench\"\nsystem = \"{self.system}\"\n"
            f"address = {json.dumps(self.address)}\n{password}"
        )

    def connector(self) -> str:
        """`connector.toml`."""
        head = [f"system = \"{self.system}\"", "vendor = \"Benchmark\"", "", f"[entities.{self.table.name}]"]
        if self.relation:
            head.append(f"table = \"{self.relation}\"")
        head += [f"key = {json.dumps(list(self.table.key))}", *self.settings, ""]
        if self.layout:
            head += [f"[entities.{self.table.name}.file]", *self.layout, ""]
        head.append(f"[entities.{self.table.name}.columns]")
        return "\n".join(head + [self.column(column) for column in self.table.columns]) + "\n"

    def column(self, column) -> str:
        words = [f"type = \"{column.type}\""]
        if column.required:
            words.append("required = true")
        if column.type == "timestamp":
            words.append("zone = \"UTC\"")
        if column.type == "date" and self.day:
            words.append(f"format = \"{self.day}\"")
        if self.layout and 'format = "fixed"' in self.layout:
            words.append(f"width = {column.width}")
        return f"{column.name} = {{ {', '.join(words)} }}"

    def raw(self, project: pathlib.Path) -> pathlib.Path:
        """The folder of the entity's raw table."""
        return project / "lake" / "raw" / "bench" / f"bench_{self.system}" / self.table.name
