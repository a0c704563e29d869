"""The bare server: serve_pyarrow.py FILE PORT reads an Arrow stream into memory and answers every statement with its
batches, the first of them where the statement ends in `limit N`, again from the start where it wants more.
serve_pyarrow.py make FILE writes twelve rows that say nothing."""

import re
import sys

import pyarrow
import pyarrow.flight


class Bare(pyarrow.flight.FlightServerBase):
    def __init__(self, file: str, port: int):
        super().__init__(f"grpc://127.0.0.1:{port}")
        with pyarrow.ipc.open_stream(file) as stream:
            self.columns, self.batches = stream.schema, list(stream)

    def get_flight_info(self, context, descriptor):
        if b"CommandStatementQuery" not in descriptor.command:
            raise NotImplementedError("only statements")
        # The statement stands as it is in the message around it, which ends with it.
        limit = re.search(rb"limit (\d+)\b", descriptor.command)
        endpoint = pyarrow.flight.FlightEndpoint(limit[1] if limit else b"all", [])
        return pyarrow.flight.FlightInfo(self.columns, descriptor, [endpoint], -1, -1)

    def do_get(self, context, ticket):
        batches = self.batches if ticket.ticket == b"all" else self.first(int(ticket.ticket))
        return pyarrow.flight.RecordBatchStream(pyarrow.RecordBatchReader.from_batches(self.columns, batches))

    def first(self, left: int) -> list:
        found = []
        while left > 0:
            for batch in self.batches:
                found.append(batch.slice(0, left))
                left -= batch.num_rows
                if left <= 0:
                    break
        return found


def make(file: str) -> None:
    rows = pyarrow.table({"name": [f"row {number}" for number in range(12)], "amount": list(range(12))})
    with pyarrow.ipc.new_stream(file, rows.schema) as stream:
        stream.write_table(rows)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        sys.exit(make(sys.argv[2]))
    Bare(sys.argv[1], int(sys.argv[2])).serve()
