"""Asks a hub with at least two releases for its past over Arrow Flight SQL, in every way a driver has.

    pip install adbc-driver-flightsql pyarrow
    muster serve --plaintext
    python tests/python/flight_time.py grpc://127.0.0.1:32010 USER PASSWORD TABLE [CA]

CA is the certificate of the authority that signed the server's, for grpc+tls. TABLE must have other numbers of rows in the first release and in the newest. Ends with
"N passed, N failed"; the exit code is 1 when anything failed.
"""

import pathlib
import sys

from adbc_driver_flightsql import ConnectionOptions, DatabaseOptions, dbapi

HEADER = DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "x-muster-as-of"
COOKIES = DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value
OPTION = ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value + "muster.as_of"
ERASE = ConnectionOptions.OPTION_ERASE_SESSION_OPTION_PREFIX.value + "muster.as_of"

uri, user, password, table, *authority = sys.argv[1:]
tls = {DatabaseOptions.TLS_ROOT_CERTS.value: pathlib.Path(path).read_text() for path in authority}
results = []


def connect(database=None, connection=None):
    """A connection with these options; the hub offers no transactions."""
    options = {"username": user, "password": password, **tls, **(database or {})}
    return dbapi.connect(uri, db_kwargs=options, conn_kwargs=connection or {}, autocommit=True)


def value(connection, sql):
    """The first cell of the answer."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def rows(connection):
    """How many rows the table has for this connection."""
    return value(connection, f"select count(*) as n from {table}")


def check(what, found, wanted):
    """Notes whether the two are the same."""
    results.append(found == wanted)
    print("passed" if found == wanted else f"FAILED: found {found}, wanted {wanted}:", what)


def refused(what, run):
    """Notes whether `run` is refused with a reason that names the zone."""
    try:
        run()
    except dbapi.Error as error:
        check(what, "time zone" in str(error), True)
    else:
        check(what, "answered", "refused")


plain = connect()
first = value(plain, "select cast(min(published_at) as varchar) as first from hub.releases").replace(" ", "T")
then = value(plain, f"select count(*) as n from {table} version as of 1")
now = rows(plain)
check("the table has changed", then != now, True)
check("a header", rows(connect({HEADER: first})), then)
refused("a header without a zone", lambda: rows(connect({HEADER: first.rstrip("Z")})))
with connect(connection={OPTION: first}) as pinned:
    check("an option", rows(pinned), then)
    check("the option is read back", pinned.adbc_connection.get_option(OPTION)[:19], first[:19])
    pinned.adbc_connection.set_options(**{ERASE: ""})
    check("the option erased", rows(pinned), now)
    refused("an option that is no instant", lambda: pinned.adbc_connection.set_options(**{OPTION: "yesterday"}))
with connect({COOKIES: "true"}, {OPTION: first}) as pinned:
    check("an option, with cookies", rows(pinned), then)
for turn in range(10):
    # Nobody fetches the answer of what is set, and yet the next statement must know of it.
    cursor = plain.cursor()
    cursor.execute(f"set muster.as_of = '{first}'")
    check(f"set, {turn}", rows(plain), then)
    again = plain.cursor()
    again.execute("reset muster.as_of")
    check(f"reset, {turn}", rows(plain), now)
    cursor.close()
    again.close()
value(plain, f"set muster.as_of = '{first}'")
with plain.adbc_clone() as other:
    check("another connection", rows(other), now)
check("the session outlives another one", rows(plain), then)
plain.close()
print(f"{results.count(True)} passed, {results.count(False)} failed")
sys.exit(0 if all(results) else 1)
