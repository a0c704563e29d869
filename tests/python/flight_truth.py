"""Asks a demo hub every question of its truth.json over Arrow Flight SQL, then looks, as each
force's user, for any trace of the other forces.

    pip install adbc-driver-flightsql pyarrow
    muster demo --dir DEMO          # in another terminal
    python tests/python/flight_truth.py DEMO [FORCE…]

Uses the driver that Power BI ships, so a question that passes here passes there. Ends with
"N passed, N failed"; the exit code is 1 when anything failed.
"""

import datetime
import decimal
import json
import pathlib
import sys

from adbc_driver_flightsql import DatabaseOptions, dbapi


def connect(demo, user):
    """A connection of `user`, over TLS, to the server that connect.json names."""
    told = json.loads((demo / "connect.json").read_text())
    authority = pathlib.Path(told["ca"])
    authority = authority if authority.is_absolute() else demo / authority
    options = {
        "username": user,
        "password": told["users"][user],
        DatabaseOptions.TLS_ROOT_CERTS.value: authority.read_text(),
    }
    # The hub offers no transactions, so every statement stands alone.
    return dbapi.connect(told["flight"], db_kwargs=options, autocommit=True)


def cell(value):
    """A value as truth.json writes it."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return format(value, "f")
        case datetime.datetime():
            return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case datetime.date():
            return value.isoformat()
        case _:
            return str(value)


def ask(connection, sql, parameters=None):
    """The rows of `sql`, as text."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [[cell(value) for value in row] for row in cursor.fetchall()]


def refusal(connection, sql):
    """The words with which `sql` is refused; None when it is answered."""
    try:
        ask(connection, sql)
    except Exception as error:  # every driver error is what a client would see
        return str(error)
    return None


class Tally:
    """What passed and what failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, passed, found=""):
        """Counts a check; prints it when it failed."""
        if passed:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}: {str(found)[:600]}")

    def attempt(self, name, work):
        """Counts `work` as failed when it raises; it counts its own checks."""
        try:
            work()
        except Exception as error:
            self.check(name, False, repr(error))


def tables(connection):
    """The tables that the metadata calls list: {(schema, table): columns}."""
    catalogs = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    return {
        (schema["db_schema_name"], table["table_name"]): [c["column_name"] for c in table["table_columns"]]
        for catalog in catalogs
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    }


def questions(demo, tally, connections):
    """Every question of truth.json, as its user."""
    for question in json.loads((demo / "truth.json").read_text()):
        name, sql, expected = question["name"], question["sql"], question["rows"]

        def compare():
            found = ask(connections[question["user"]], sql)
            same = found == expected
            if not same and "order by" not in sql.lower():
                same = sorted(map(str, found)) == sorted(map(str, expected))
            difference = [row for row in found if row not in expected][:3], [r for r in expected if r not in found][:3]
            tally.check(name, same, f"{len(found)} rows for {len(expected)}; found, expected: {difference}; {sql}")

        tally.attempt(name, compare)


def listings(tally, hub):
    """The hub's own user finds the catalog, its schemas and its tables."""
    listed = tables(hub)
    for schema in ("conformed", "marts", "reference", "hub"):
        tally.check(f"schema {schema} is listed", any(s == schema for s, _ in listed), sorted(listed))
    in_sql = ask(
        hub,
        "select table_schema, table_name from information_schema.tables where table_schema <> 'information_schema'",
    )
    tally.check("metadata and information_schema agree", sorted(map(list, listed)) == sorted(in_sql), in_sql)
    tally.check("writes are refused", "read-only" in (refusal(hub, "drop table conformed.person") or ""))


class Spy:
    """Looks, as one force's user, for traces of the others."""

    def __init__(self, tally, demo, user, connection, hub, forces):
        self.tally, self.demo, self.user = tally, demo, user
        self.connection, self.hub = connection, hub
        self.others = {code: name for code, name in forces.items() if code != user}
        words = [word for code, name in self.others.items() for word in (code, name, name.split()[0])]
        self.words = [word.lower() for word in words]
        self.listed = tables(connection)

    def clean(self, name, text):
        """No word of another force, and no file of the hub, in `text`."""
        lower = str(text).lower()
        found = [w for w in [*self.words, str(self.demo.resolve()).lower(), ".parquet"] if w in lower]
        self.tally.check(f"{self.user}: {name}", not found, f"{found} in {lower[:300]}")

    def look(self):
        """Every way of looking."""
        self.clean("lists of tables and columns", self.listed)
        for table in ("schemata", "tables", "columns", "views", "routines"):
            self.clean(f"information_schema.{table}", ask(self.connection, f"select * from information_schema.{table}"))
        for (schema, table), columns in sorted(self.listed.items()):
            name = f"{schema}.{table}"
            self.tally.attempt(f"{self.user}: {name}", lambda: self.table(name, columns))
        self.tally.attempt(f"{self.user}: record", self.record)
        self.tally.attempt(f"{self.user}: what is not granted", self.missing)
        self.tally.attempt(f"{self.user}: parameters", self.parameters)

    def table(self, name, columns):
        """The rows, the plan and the errors of one table."""
        self.clean(f"plan of {name}", ask(self.connection, f"explain select * from {name} limit 3"))
        if name.startswith("hub.") and name != "hub.queries":
            self.clean(f"rows of {name}", ask(self.connection, f"select * from {name}"))
        if "force" not in columns:
            return
        forces = [row[0] for row in ask(self.connection, f"select distinct force from {name}")]
        self.tally.check(f"{self.user}: forces of {name}", set(forces) <= {self.user, None}, forces)
        mine, = ask(self.connection, f"select count(*) from {name}")
        whole, = ask(self.hub, f"select count(*) from {name} where force = '{self.user}'")
        self.tally.check(f"{self.user}: rows of {name}", mine == whole, f"{mine} for {whole}")
        for other in self.others:
            # A row of another force in the scan would divide by zero before any filter above it.
            trap = f"select sum(1 / (case when force = '{other}' then 0 else 1 end)) from {name}"
            self.tally.check(f"{self.user}: trap on {name}", refusal(self.connection, trap) is None, trap)
            count, = ask(self.connection, f"select count(*) from {name} where force = '{other}'")
            self.tally.check(f"{self.user}: {other} in {name}", count == ["0"], count)
        text = next((c for c in columns if c in ("surname", "name", "narrative", "shift_code")), "force")
        self.clean(f"error on {name}", refusal(self.connection, f"select cast({text} as int) from {name}") or "")

    def record(self):
        """One's own statements only."""
        if ("hub", "queries") not in self.listed:
            return
        principals = ask(self.connection, "select distinct principal from hub.queries")
        self.tally.check(f"{self.user}: record", principals in ([], [[self.user]]), principals)

    def missing(self):
        """What is not granted and what does not exist are refused in the same words."""
        hidden = sorted(set(tables(self.hub)) - set(self.listed))
        for schema, table in [*hidden, ("raw", "person"), ("staging", "person"), ("nowhere", "person")]:
            real = refusal(self.connection, f"select * from {schema}.{table}") or "answered"
            made_up = refusal(self.connection, f"select * from {schema}.{table}_x") or "answered"
            same = real == made_up.replace(f"{table}_x", table) and "not found" in real
            self.tally.check(f"{self.user}: {schema}.{table} does not exist", same, f"{real} / {made_up}")
        for sql in (
            "select no_such_column from conformed.person",
            "show all",
            "select * from information_schema.df_settings",
            "select * from information_schema.\"DF_SETTINGS\"",
            "select input_file_name() from conformed.person",
            "show functions like 'x'",
        ):
            text = refusal(self.connection, sql)
            self.tally.check(f"{self.user}: refused: {sql}", text is not None)
            self.clean(f"refusal of {sql}", text)

    def parameters(self):
        """A bound value opens nothing that a written one does not."""
        if ("conformed", "person") not in self.listed:
            return
        for other in self.others:
            found = ask(self.connection, "select count(*) from conformed.person where force = ?", (other,))
            self.tally.check(f"{self.user}: parameter {other}", found == [["0"]], found)


def main(demo, spies):
    """Everything; gives the number of failures. Only the views of `spies` are searched, if there are any."""
    tally = Tally()
    users = json.loads((demo / "connect.json").read_text())["users"]
    connections = {user: connect(demo, user) for user in users}
    hub = connections["hub"]
    tally.attempt("listings", lambda: listings(tally, hub))
    questions(demo, tally, connections)
    codes = [row[0] for row in ask(hub, "select distinct force from hub.coverage where force is not null")]
    names = {"beds": "Bedfordshire Police", "cambs": "Cambridgeshire Constabulary", "herts": "Hertfordshire Constabulary"}
    forces = {code: names.get(code, code) for code in codes}
    for user in sorted(set(users) & set(forces) & set(spies or users)):
        tally.attempt(user, lambda: Spy(tally, demo, user, connections[user], hub, forces).look())
    for connection in connections.values():
        connection.close()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return tally.failed


if __name__ == "__main__":
    sys.exit(1 if main(pathlib.Path(sys.argv[1]), sys.argv[2:]) else 0)
