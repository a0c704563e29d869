"""A client that fetches the whole answer of one statement: flight|postgres|odbc ADDRESS SQL [OUT].

The user and the password of Flight are in BENCH_USER and BENCH_PASSWORD. Prints how long after the statement was sent
the client had the columns, the first rows and the last; how many rows and bytes came. With OUT, writes them there:
its times do not count then."""

import json
import os
import sys
import time
from contextlib import contextmanager


@contextmanager
def flight(address: str):
    """ADBC's Flight SQL driver, the one that Power BI ships."""
    from adbc_driver_flightsql import DatabaseOptions, dbapi

    # Messages are as large as the server makes them.
    options = {DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(1 << 30)}
    if user := os.environ.get("BENCH_USER"):
        options |= {"username": user, "password": os.environ["BENCH_PASSWORD"]}
    with dbapi.connect(address, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
        def send(sql: str):
            cursor.execute(sql)
            return cursor.fetch_record_batch()

        yield send


@contextmanager
def postgres(address: str):
    """ADBC's PostgreSQL driver; its numerics arrive as text."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        def send(sql: str):
            cursor.execute(sql)
            return cursor.fetch_record_batch()

        yield send


@contextmanager
def odbc(address: str):
    """psqlODBC through arrow-odbc, with a cursor, so that the rows need not all be in memory."""
    from arrow_odbc import read_arrow_batches_from_odbc

    def send(sql: str):
        return read_arrow_batches_from_odbc(sql, connection_string=address, batch_size=65_536)

    yield send


def writing(out: str, columns):
    """Parquet, or an Arrow stream, which keeps the batches as they came."""
    import pyarrow.parquet

    make = pyarrow.ipc.new_stream if out.endswith(".arrow") else pyarrow.parquet.ParquetWriter
    return make(out, columns)


def main(kind: str, address: str, sql: str, out: str | None = None) -> None:
    with {"flight": flight, "postgres": postgres, "odbc": odbc}[kind](address) as send:
        writer, rows, size, first = None, 0, 0, 0.0
        started = time.monotonic()
        batches = send(sql)
        columns = time.monotonic() - started
        for batch in batches:
            first = first or time.monotonic() - started
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if out:
                writer = writer or writing(out, batch.schema)
                writer.write_batch(batch)
        last = time.monotonic() - started
        if writer:
            writer.close()
    print(json.dumps({"columns": columns, "first": first, "seconds": last, "rows": rows, "bytes": size}))


if __name__ == "__main__":
    main(*sys.argv[1:])
