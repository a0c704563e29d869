"""Clients that ask one statement after the other.

ask.py time KIND ADDRESS SECONDS reads a line for each client, a JSON list of statements; asks with all of them at once,
each from its list in turn, again from the start at its end; and prints how many microseconds each answer took until
all of it was in the client's hands, and what went wrong. It says "ready" when every client is connected, and begins at
the next line of its input: several of these processes, each with a share of the clients, measure together.
ask.py rows KIND ADDRESS reads a statement from each line, as JSON, and prints for each how many seconds it took and
the rows of the answer as texts, to be compared.

KIND is flight, adbc, postgres or duckdb, whose address is a file with the statements that make its tables."""

import datetime
import decimal
import json
import os
import sys
import threading
import time
from collections import Counter


def flight(address: str):
    """Two calls for each statement, as drivers without Python make them, and little else: ADBC's own work in the
    client is several times that of a small answer at the server."""
    from google.protobuf.any_pb2 import Any
    from google.protobuf.wrappers_pb2 import StringValue
    from pyarrow import flight

    command = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    user = os.environ.get("BENCH_USER")

    def connect():
        client = flight.connect(address)
        headers = [client.authenticate_basic_token(user, os.environ["BENCH_PASSWORD"])] if user else []
        options = flight.FlightCallOptions(headers=headers)

        def ask(sql: str):
            # The message around a statement has it in the place where a StringValue has its text.
            query = Any(type_url=command, value=StringValue(value=sql).SerializeToString())
            info = client.get_flight_info(flight.FlightDescriptor.for_command(query.SerializeToString()), options)
            return client.do_get(info.endpoints[0].ticket, options).read_all()

        return ask

    return connect


def adbc(address: str):
    """ADBC's Flight SQL driver as Python programs use it: every statement is prepared first, which makes four calls."""
    from adbc_driver_flightsql import dbapi

    user = os.environ.get("BENCH_USER")
    options = {"username": user, "password": os.environ["BENCH_PASSWORD"]} if user else {}

    def connect():
        connection = dbapi.connect(address, db_kwargs=options, autocommit=True)

        def ask(sql: str):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetch_arrow_table()

        return ask

    return connect


def postgres(address: str):
    """psycopg2, whose rows are Python's: for small answers the quickest way."""
    import psycopg2

    def connect():
        connection = psycopg2.connect(address)
        connection.autocommit = True

        def ask(sql: str):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

        return ask

    return connect


def duckdb(address: str):
    """DuckDB within this process: one database, a cursor for each client."""
    import duckdb

    database = duckdb.connect(config={"threads": len(os.sched_getaffinity(0))})
    with open(address, encoding="utf-8") as statements:
        for sql in statements:
            database.execute(sql)

    def connect():
        cursor = database.cursor()
        return lambda sql: cursor.execute(sql).to_arrow_table()

    return connect


KINDS = {"flight": flight, "adbc": adbc, "postgres": postgres, "duckdb": duckdb}


def timed(kind: str, address: str, seconds: str) -> None:
    plan = [json.loads(line) for line in iter(sys.stdin.readline, "\n")]
    connect = KINDS[kind](address)
    clients = [connect() for _ in plan]
    print("ready", flush=True)
    sys.stdin.readline()
    ends = time.monotonic() + float(seconds)
    taken: list[list[int]] = [[] for _ in plan]
    wrong: Counter[str] = Counter()

    def work(number: int) -> None:
        ask, statements, turn = clients[number], plan[number], 0
        while (started := time.monotonic()) < ends:
            try:
                ask(statements[turn % len(statements)])
                taken[number].append(round((time.monotonic() - started) * 1e6))
            except Exception as error:  # whatever a client would see
                wrong[" ".join(str(error).split())[:160]] += 1
                # Who is refused comes again a little later.
                time.sleep(0.05)
            turn += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(plan))]
    cpu, began = time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = {"taken": [one for client in taken for one in client], "wrong": wrong,
            "cpu": time.process_time() - cpu, "seconds": time.monotonic() - began}
    print(json.dumps(told), flush=True)
    # Closing the connections one by one is nobody's answer.
    os._exit(0)


def rows(kind: str, address: str) -> None:
    ask = KINDS[kind](address)()
    for line in iter(sys.stdin.readline, ""):
        started = time.monotonic()
        answer = ask(json.loads(line))
        print(json.dumps([time.monotonic() - started, plain(answer)]), flush=True)


def plain(answer) -> list[list[str | None]]:
    """The rows in one form, whoever answered."""
    if not isinstance(answer, list):
        answer = [list(row.values()) for row in answer.to_pylist()]
    return [[cell(value) for value in row] for row in answer]


def cell(value) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case datetime.datetime():
            return value.date().isoformat()
        case datetime.date():
            return value.isoformat()
        case _:
            # Sums of decimals have other scales elsewhere.
            return f"{decimal.Decimal(str(value)).normalize():f}"


if __name__ == "__main__":
    {"time": timed, "rows": rows}[sys.argv[1]](*sys.argv[2:])
