"""DuckDB: install | extract TABLE OUT | delimited FILE OUT | fixed FILE OUT |
sheet FILE OUT. Threads and memory as it chooses."""

import pathlib
import sys

import duckdb

EXTENSIONS = pathlib.Path(sys.prefix) / "duckdb-extensions"
PARQUET = "(format parquet, compression zstd, compression_level 1)"


def connect() -> duckdb.DuckDBPyConnection:
    # Nothing asks for the order of the rows; without it DuckDB is quicker and needs less memory.
    return duckdb.connect(config={"extension_directory": str(EXTENSIONS), "preserve_insertion_order": False})


def install() -> None:
    from duckdb_extensions import import_extension

    for name in ("postgres", "excel"):
        import_extension(name, con=connect())


def extract(table: str, out: str) -> None:
    connection = connect()
    connection.load_extension("postgres")
    # The address and the password are in libpq's variables.
    connection.execute("attach '' as pg (type postgres, read_only)")
    connection.execute(f"copy pg.public.{table} to '{out}/{table}.parquet' {PARQUET}")


def load(query: str, table: str) -> None:
    """Fills a table of the benchmark's own server; no contestant does this."""
    connection = connect()
    connection.load_extension("postgres")
    connection.execute("attach '' as pg (type postgres)")
    connection.execute(f"insert into pg.public.{table} {query}")


def delimited(file: str, out: str) -> None:
    from bench.tables import LINEITEM

    types = ", ".join(f"'{column.name}': '{column.sql}'" for column in LINEITEM.columns)
    source = (f"read_csv('{file}', columns = {{{types}}}, delim = '|', quote = '\"', escape = '\"', "
              "header = true, auto_detect = false)")
    connect().execute(f"copy (select * from {source}) to '{out}/lineitem.parquet' {PARQUET}")


def fixed(file: str, out: str) -> None:
    from bench.tables import LINEITEM

    def cell(column, start: int, width: int) -> str:
        text = f"substr(line, {start + 1}, {width})"
        if column.type == "date":
            return f"strptime({text}, '%Y%m%d')::date as {column.name}"
        return f"trim({text})::{column.sql} as {column.name}"

    cells = ", ".join(cell(*place) for place in LINEITEM.places())
    source = (f"read_csv('{file}', columns = {{'line': 'varchar'}}, delim = '\\0', quote = '', escape = '', "
              "header = false, auto_detect = false)")
    connect().execute(f"copy (select {cells} from {source}) to '{out}/lineitem.parquet' {PARQUET}")


def sheet(file: str, out: str) -> None:
    import openpyxl
    from bench.tables import LINEITEM

    connection = connect()
    connection.load_extension("excel")
    # It reads one sheet at a time and has to be told their names.
    names = openpyxl.load_workbook(file, read_only=True).sheetnames
    cells = ", ".join(f"{column.name}::{column.sql} as {column.name}" for column in LINEITEM.columns)
    pages = " union all ".join(f"select * from read_xlsx('{file}', sheet = '{name}', header = true)" for name in names)
    connection.execute(f"copy (select {cells} from ({pages})) to '{out}/lineitem.parquet' {PARQUET}")


if __name__ == "__main__":
    commands = {"install": install, "extract": extract, "load": load, "delimited": delimited, "fixed": fixed,
                "sheet": sheet}
    commands[sys.argv[1]](*sys.argv[2:])
