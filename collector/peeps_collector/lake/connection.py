# SPDX-License-Identifier: Apache-2.0
"""A connection to the lake. Only for processes that may die of it: where PostgreSQL goes away in the middle of a
transaction, DuckDB may end its process.

DuckDB's extensions come with wheels; nothing is loaded from the network.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from .settings import LakeError, LakeSettings
from .tables import statements

SCHEMA = "peeps_lake"
"""Of the catalog, in the database of PostgreSQL."""
_TRIES = 100


def connect(settings: LakeSettings, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """The tables are in its current schema; a cursor has them under `lake.` only. Raises duckdb.Error, LakeError."""
    connection = duckdb.connect(config={"threads": 1})
    try:
        # `pytz` is asked for where DuckDB gives a time with a zone to Python; no table of ours has one.
        connection.execute("SET enable_progress_bar=false")
        connection.execute("SET python_enable_replacements=false")
        connection.execute("SET autoinstall_known_extensions=false")
        connection.execute("SET autoload_known_extensions=false")
        for name in ("postgres_scanner", "ducklake", *(("httpfs",) if settings.is_s3 else ())):
            connection.execute(f"LOAD {_quoted(extension_file(name))}")
        if settings.is_s3:
            connection.execute(_secret())
        connection.execute(f"SET ducklake_max_retry_count={_TRIES}")
        options = [f"DATA_PATH {_quoted(data_path(settings))}", f"METADATA_SCHEMA '{SCHEMA}'"]
        # Rows in the catalog instead of files: slower, and a reader fails while they are being moved out.
        options += ["DATA_INLINING_ROW_LIMIT 0", *(["READ_ONLY"] if read_only else [])]
        connection.execute(
            f"ATTACH {_quoted('ducklake:postgres:' + _words(settings.catalog))} AS lake ({', '.join(options)})"
        )
        connection.execute("USE lake")
    except BaseException:
        connection.close()
        raise
    return connection


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Its tables, where it has none. One collector at a time (lake/members.py)."""
    for statement in statements():
        connection.execute(statement)


def extension_file(name: str) -> str:
    """Of the wheel. Raises LakeError where that is for another version of DuckDB, or is not there."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    for folder in folders:
        file = Path(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
        if file.is_file():
            return str(file)
    raise LakeError(
        f"there is no {name} for DuckDB {duckdb.__version__}: `pip install 'peeps-collector[lake]'` installs both"
    )


def data_path(settings: LakeSettings) -> str:
    """With a slash at its end, as DuckLake has it."""
    path = settings.data if settings.is_s3 else str(Path(settings.data).absolute())
    return path.rstrip("/") + "/"


def _words(url: str) -> str:
    """As libpq's `key=value`, which is what DuckLake passes on. What is left out libpq takes from its own variables."""
    parts = urlsplit(url)
    given = {"host": parts.hostname, "port": parts.port, "user": parts.username, "dbname": parts.path.strip("/")}
    return " ".join(f"{key}={value}" for key, value in given.items() if value)


def _secret() -> str:
    """Of the object store, from the variables that its other clients read."""
    environ = os.environ
    given = {
        "KEY_ID": environ.get("AWS_ACCESS_KEY_ID", ""),
        "SECRET": environ.get("AWS_SECRET_ACCESS_KEY", ""),
        "SESSION_TOKEN": environ.get("AWS_SESSION_TOKEN", ""),
        "REGION": environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", ""),
    }
    options = [f"{key} {_quoted(value)}" for key, value in given.items() if value]
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL", "")
    if endpoint:
        parts = urlsplit(endpoint)
        plain = parts.scheme == "http"
        options += [f"ENDPOINT {_quoted(parts.netloc)}", f"USE_SSL {str(not plain).lower()}", "URL_STYLE 'path'"]
    return f"CREATE SECRET lake_files (TYPE s3, {', '.join(options)})" if options else "SELECT 1"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
