"""The tables that every contestant reads: columns, types and keys, declared once."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column; `type` is one of the contract's types, `width` its place in the fixed-width file."""

    name: str
    type: str
    required: bool = True
    width: int | None = None

    @property
    def digits(self) -> tuple[int, int] | None:
        """Precision and scale of a decimal."""
        match = re.fullmatch(r"decimal\((\d+),(\d+)\)", self.type)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def sql(self) -> str:
        """The type in DuckDB and in PostgreSQL."""
        plain = {"int": "bigint", "text": "varchar", "bool": "boolean"}
        return plain.get(self.type, self.type)


@dataclass(frozen=True)
class Table:
    """A table with its key."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as `create table` wants them."""
        return ", ".join(f"{c.name} {c.sql}{' not null' if c.required else ''}" for c in self.columns)

    def places(self) -> list[tuple[Column, int, int]]:
        """Each column of the fixed-width file with its first character (from 0) and its width."""
        start, places = 0, []
        for column in self.columns:
            places.append((column, start, column.width))
            start += column.width
        return places


MONEY = "decimal(15,2)"

LINEITEM = Table("lineitem", ("l_orderkey", "l_linenumber"), (
    Column("l_orderkey", "int", width=10),
    Column("l_partkey", "int", width=10),
    Column("l_suppkey", "int", width=8),
    Column("l_linenumber", "int", width=2),
    Column("l_quantity", MONEY, width=12),
    Column("l_extendedprice", MONEY, width=12),
    Column("l_discount", MONEY, width=6),
    Column("l_tax", MONEY, width=6),
    Column("l_returnflag", "text", width=1),
    Column("l_linestatus", "text", width=1),
    Column("l_shipdate", "date", width=8),
    Column("l_commitdate", "date", width=8),
    Column("l_receiptdate", "date", width=8),
    Column("l_shipinstruct", "text", width=25),
    Column("l_shipmode", "text", width=10),
    Column("l_comment", "text", width=44),
))

CHANGED_AT = Column("updated_at", "timestamp")
"""What the copies of lineitem for the incremental pulls have besides its columns."""


def hr_wide() -> Table:
    """Sixty columns as an HR system has them: few are numbers, most are codes, many are empty."""
    kinds = (
        [("surname", "text", True), ("forename", "text", True), ("known_as", "text", False)]
        + [(f"address_{i}", "text", i == 1) for i in range(1, 6)]
        + [(f"note_{i}", "text", False) for i in range(1, 5)]
        + [(f"code_{i}", "text", i <= 8) for i in range(1, 21)]
        + [(f"day_{i}", "date", i <= 3) for i in range(1, 10)]
        + [(f"amount_{i}", "decimal(12,2)", i <= 3) for i in range(1, 9)]
        + [(f"number_{i}", "int", i <= 2) for i in range(1, 6)]
        + [(f"stamp_{i}", "timestamp", i == 1) for i in range(1, 4)]
        + [("is_active", "bool", True), ("is_officer", "bool", False)]
    )
    columns = (Column("person_id", "int"), *(Column(*kind) for kind in kinds))
    assert len(columns) == 60, len(columns)
    return Table("hr_wide", ("person_id",), columns)


HR_WIDE = hr_wide()
TABLES = {table.name: table for table in (LINEITEM, HR_WIDE)}
