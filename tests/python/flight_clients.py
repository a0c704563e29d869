"""Reads a hub over Arrow Flight SQL with the Python programs that analysts have: ADBC, bare
pyarrow.flight, SQLAlchemy, Polars, pandas and DuckDB.

    pip install --requirement tests/python/requirements.txt
    muster serve
    python tests/python/flight_clients.py grpc+tls://localhost:32010 USER PASSWORD SCHEMA.TABLE CA

CA is the certificate of the authority that signed the server's. TABLE must have a column "force", and USER must see at least two forces in it. Ends with
"N passed, N failed"; the exit code is 1 when anything failed.
"""

import os
import pathlib
import sys
import threading
import urllib.parse

uri, user, password, name, authority = sys.argv[1:]
# SQLAlchemy's dialect has no option for a certificate; gRPC reads this before its first connection.
os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = authority

import duckdb
import flightsql.flightsql_pb2 as messages
import flightsql.sqlalchemy  # registers the dialect
import pandas
import polars
import pyarrow
import sqlalchemy
from adbc_driver_flightsql import DatabaseOptions, dbapi
from flightsql.client import flight_descriptor
from pyarrow import flight

schema, table = name.split(".")
results = []


def check(what, found, wanted):
    """Notes whether the two are the same."""
    results.append(found == wanted)
    print("passed" if found == wanted else f"FAILED: found {found!r}, wanted {wanted!r}:", what)


def refused(what, kind, words, run):
    """Notes whether `run` fails with an error of `kind` that says `words`."""
    try:
        answer = run()
    except Exception as error:
        said = words in str(error)
        check(what, (type(error).__name__, said or str(error)), (kind, True))
    else:
        check(what, f"answered {answer!r}", f"refused: {words}")


def connect():
    """A connection of the driver that Power BI ships; the hub offers no transactions."""
    options = {"username": user, "password": password}
    options[DatabaseOptions.TLS_ROOT_CERTS.value] = pathlib.Path(authority).read_text()
    return dbapi.connect(uri, db_kwargs=options, autocommit=True)


def ask(connection, sql, parameters=None):
    """The answer as an Arrow table."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def adbc(connection):
    """Statements, plans without rows, partitions."""
    count = ask(connection, f"select count(*) as n from {name}")["n"].to_pylist()
    forces = ask(connection, f"select distinct force from {name} order by force")["force"].to_pylist()
    check("more than one force is seen", len(forces) > 1, True)
    whole = ask(connection, f"select * from {name}")
    check("every row comes", [whole.num_rows], count)
    with connection.cursor() as cursor:
        check("a schema without rows", cursor.adbc_execute_schema(f"select * from {name}"), whole.schema)
        partitions, promised = cursor.adbc_execute_partitions(f"select * from {name}")
        check("one partition", (len(partitions), promised), (1, whole.schema))
        cursor.adbc_read_partition(partitions[0])
        check("the partition's rows", cursor.fetch_arrow_table().num_rows, whole.num_rows)
        cursor.execute(f"select * from {name} where 1 = 0")
        empty = cursor.fetch_arrow_table()
        check("no rows have columns too", (empty.num_rows, empty.schema), (0, whole.schema))
        cursor.execute("show tables")
        check("show", cursor.fetch_arrow_table().num_rows > 0, True)
        cursor.execute(f"explain select * from {name}")
        check("explain", cursor.fetchone()[0], "logical_plan")
    return forces


def parameters(connection, forces):
    """Prepared statements, with one row of values and with many."""
    sql = f"select count(*) as n from {name} where force = ?"
    single = [ask(connection, sql, (force,))["n"].to_pylist() for force in forces]
    check("each value has rows", all(n > 0 for [n] in single), True)
    many = pyarrow.record_batch({"1": pyarrow.array(forces)})
    check("many rows of values", ask(connection, sql, many)["n"].to_pylist(), [n for [n] in single])
    check("a value that is only text", ask(connection, sql, ("' or 1 = 1 --",))["n"].to_pylist(), [0])
    with connection.cursor() as cursor:
        wanted = cursor.adbc_prepare(sql)
        check("the parameters have types", wanted.types, [pyarrow.string()])
        for turn in range(3):
            cursor.execute(sql, (forces[0],))
            check(f"the handle is kept, {turn}", cursor.fetchone()[0], single[0][0])
    typed = ask(connection, "select $1 + 1 as a, $2 as b", (41, "x")).to_pylist()
    check("numbered parameters", typed, [{"a": 42, "b": "x"}])


def listings(connection):
    """What a navigator shows, at every depth."""
    catalogs = connection.adbc_get_objects(depth="catalogs").read_all().to_pylist()
    check("catalogs", [row["catalog_name"] for row in catalogs], ["muster"])
    schemas = connection.adbc_get_objects(depth="db_schemas").read_all().to_pylist()
    found = [row["db_schema_name"] for row in schemas[0]["catalog_db_schemas"]]
    check("schemas", schema in found, True)
    for depth in ("tables", "columns", "all"):
        listed = connection.adbc_get_objects(
            depth=depth, catalog_filter="muster", db_schema_filter=schema, table_name_filter=table
        )
        [only] = listed.read_all().to_pylist()[0]["catalog_db_schemas"][0]["db_schema_tables"]
        check(f"tables, {depth}", (only["table_name"], only["table_type"]), (table, "TABLE"))
        if depth != "tables":
            columns = [column["column_name"] for column in only["table_columns"]]
            check(f"columns, {depth}", columns, ask(connection, f"select * from {name}").schema.names)
    served = ask(connection, f"select * from {name}").schema
    check("the schema of a table", connection.adbc_get_table_schema(table, db_schema_filter=schema), served)
    check("types of tables", sorted(connection.adbc_get_table_types()), ["TABLE", "VIEW"])
    check("who answers", connection.adbc_get_info()["vendor_name"], "Muster")


def refusals(connection):
    """Errors have the class that programs look at, and the hub's own words."""

    def execute(sql):
        return lambda: ask(connection, sql)

    def update(sql):
        with connection.cursor() as cursor:
            cursor.executemany(sql, [(1,)])

    def ingest():
        with connection.cursor() as cursor:
            cursor.adbc_ingest("copy", pyarrow.table({"a": [1]}))

    refused("not SQL", "ProgrammingError", "syntax error", execute("selec 1"))
    refused("no such table", "ProgrammingError", "not found", execute("select * from conformed.nothing"))
    refused("a write as a query", "ProgrammingError", "read-only", execute(f"delete from {name}"))
    refused("a write as an update", "ProgrammingError", "read-only", lambda: update(f"delete from {name}"))
    refused("an ingestion", "ProgrammingError", "read-only", ingest)
    refused("a wrong number of values", "ProgrammingError", "1 parameters", lambda: ask(connection, "select ? as a", (1, 2)))
    refused("while rows are read", "ProgrammingError", "division by zero", execute("select 1 / (value - 500000) from generate_series(1, 1000000)"))
    options = {"username": user, "password": "wrong", DatabaseOptions.TLS_ROOT_CERTS.value: pathlib.Path(authority).read_text()}
    refused("a wrong password", "ProgrammingError", "unknown user or wrong password", lambda: dbapi.connect(uri, db_kwargs=options, autocommit=True))


def cancelled(connection):
    """A statement that would run for hours ends when it is cancelled."""
    with connection.cursor() as cursor:
        cursor.execute("select a.value from generate_series(1, 1000000) a cross join generate_series(1, 1000000) b")
        threading.Timer(0.5, cursor.adbc_cancel).start()
        refused("cancel", "OperationalError", "ancel", cursor.fetchall)
    check("the connection lives on", ask(connection, "select 1 as a").to_pylist(), [{"a": 1}])


class Cookies(flight.ClientMiddlewareFactory):
    """Sends back what the server sets, as the ODBC driver does."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def start_call(self, info):
        return Cookie(self)


class Cookie(flight.ClientMiddleware):
    """One call's part of it."""

    def __init__(self, jar):
        super().__init__()
        self.jar = jar

    def sending_headers(self):
        return {"cookie": "; ".join(self.jar.kept)} if self.jar.kept else {}

    def received_headers(self, headers):
        self.jar.kept.extend(value.split(";")[0] for value in headers.get("set-cookie", []))


def bare():
    """pyarrow.flight without a driver."""
    jar = Cookies()
    client = flight.FlightClient(uri, tls_root_certs=pathlib.Path(authority).read_bytes(), middleware=[jar])
    header = client.authenticate_basic_token(user, password)
    check("a bearer token", header[1].startswith(b"Bearer "), True)
    check("a cookie", [text.split("=")[0] for text in jar.kept], ["arrow_flight_session_id"])
    options = flight.FlightCallOptions(headers=[header])
    actions = {action.type: action.description for action in client.list_actions(options)}
    expected = {
        "CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo", "CancelQuery",
        "RenewFlightEndpoint", "SetSessionOptions", "GetSessionOptions", "CloseSession",
    }
    check("actions", set(actions), expected)
    check("actions are described", all(actions.values()), True)
    wanted = flight_descriptor(messages.CommandStatementQuery(query=f"select * from {name}"))
    info = client.get_flight_info(wanted, options)
    check("no location", info.endpoints[0].locations, [])
    check("announced and asked for", client.get_schema(wanted, options).schema, info.schema)
    read = client.do_get(info.endpoints[0].ticket, options).read_all()
    check("announced and sent", (read.schema, read.num_rows > 0), (info.schema, True))
    fields = [field.metadata[b"ARROW:FLIGHT:SQL:IS_SEARCHABLE"] for field in read.schema]
    check("columns can be searched", set(fields), {b"1"})
    close = flight.Action("ClosePreparedStatement", b"garbage")
    check("closing never fails", list(client.do_action(close, options)), [])
    late = flight.FlightCallOptions(headers=[header], timeout=1.0)
    endless = "select a.value from generate_series(1, 1000000) a cross join generate_series(1, 1000000) b"
    info = client.get_flight_info(flight_descriptor(messages.CommandStatementQuery(query=endless)), options)
    refused("a deadline", "FlightTimedOutError", "eadline", lambda: client.do_get(info.endpoints[0].ticket, late).read_all())

    def put(command):
        writer, reader = client.do_put(flight_descriptor(command), pyarrow.schema([("a", pyarrow.int64())]), options)
        with writer:
            writer.write_batch(pyarrow.record_batch({"a": [1]}))
            writer.done_writing()
            reader.read()

    def exchange():
        writer, reader = client.do_exchange(wanted, options)
        with writer:
            writer.done_writing()
            reader.read_chunk()

    update = messages.CommandStatementUpdate(query=f"delete from {name}")
    refused("an update", "ArrowInvalid", "read-only", lambda: put(update))
    refused("an exchange", "ArrowInvalid", "read-only", exchange)


def alchemy(forces):
    """SQLAlchemy with InfluxData's dialect for Flight SQL."""
    place = urllib.parse.urlsplit(uri)
    features = {"feature-sqlalchemy-prepared-statements": "on", "feature-sqlalchemy-primary-keys": "on"}
    for kind, query in (("literal", {}), ("prepared", features)):
        url = sqlalchemy.engine.URL.create(
            "datafusion+flightsql", user, password, place.hostname, place.port, query=query
        )
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            counted = connection.execute(sqlalchemy.text(f"select count(*) as n from {name}")).scalar()
            check(f"a text, {kind}", counted > 0, True)
            inspector = sqlalchemy.inspect(connection)
            check(f"schemas, {kind}", schema in inspector.get_schema_names(), True)
            check(f"tables, {kind}", table in inspector.get_table_names(schema), True)
            names = [column["name"] for column in inspector.get_columns(table, schema)]
            columns = [sqlalchemy.Column(column) for column in names]
            found = sqlalchemy.table(table, *columns, schema=schema)
            count = sqlalchemy.select(sqlalchemy.func.count()).select_from(found)
            rows = connection.execute(count.where(found.c.force == forces[0])).scalar()
            check(f"an expression with a value, {kind}", 0 < rows < counted, True)
        engine.dispose()


def frames(connection, forces):
    """Polars, pandas and DuckDB over the driver."""
    wanted = ask(connection, f"select force, count(*) as n from {name} group by force order by force").to_pylist()
    sql = f"select * from {name}"
    read = polars.read_database(sql, connection=connection)
    grouped = read.group_by("force").agg(polars.len().cast(polars.Int64).alias("n")).sort("force")
    check("Polars", grouped.to_dicts(), wanted)
    chosen = polars.read_database(f"{sql} where force = ?", connection=connection, execute_options={"parameters": (forces[0],)})
    check("Polars with a value", chosen["force"].unique().to_list(), [forces[0]])
    series = pandas.read_sql(sql, connection).groupby("force").size()
    check("pandas", [{"force": force, "n": int(n)} for force, n in series.items()], wanted)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetch_record_batch()
        found = duckdb.sql("select force, count(*) as n from rows group by force order by force").fetchall()
    check("DuckDB", [{"force": force, "n": n} for force, n in found], wanted)


connection = connect()
forces = adbc(connection)
parameters(connection, forces)
listings(connection)
refusals(connection)
cancelled(connection)
bare()
alchemy(forces)
frames(connection, forces)
connection.close()
print(f"{results.count(True)} passed, {results.count(False)} failed")
sys.exit(0 if all(results) else 1)
