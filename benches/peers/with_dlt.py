"""dlt from `sql_table` to a folder of Parquet files: extract TABLE OUT. The backend is pyarrow, the
quickest of those that do not hold the whole table in memory."""

import os
import pathlib
import sys

# Set before dlt reads them: no reports home, no files outside of the folder.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
os.environ["DLT_DATA_DIR"] = sys.argv[3]

import dlt  # noqa: E402
from dlt.destinations import filesystem  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402


def extract(table: str, out: str) -> None:
    rows = sql_table(
        credentials="postgresql+psycopg2://", table=table, backend="pyarrow", chunk_size=100_000,
        reflection_level="full_with_precision")
    pipeline = dlt.pipeline(
        "bench", destination=filesystem(pathlib.Path(out, "lake").as_uri()), dataset_name="raw",
        pipelines_dir=f"{out}/pipelines")
    pipeline.run(rows, loader_file_format="parquet", write_disposition="replace")


if __name__ == "__main__":
    {"extract": extract}[sys.argv[1]](*sys.argv[2:])
