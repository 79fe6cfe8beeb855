"""The versions of MLflow that the tests have seen.

Two things rest on what no MLflow version promises: the tables of its SQLite files, and the
addresses and views of its UI. Both are used only with the versions below. With any other version
runs are written by MLflow's client, and links lead to its plainest pages.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request_safe

from fanin.tracking.errors import StoreError, translate_errors

TESTED = {
    "3.13": "da6fb0208061",
    "3.14": "b7e4c1a90f23",
    "3.15": "6f8d9c3b2a1e",
    "3.16": "b7e2c1a4d9f3",
    "3.17": "dc11669786a5",
    "3.18": "f4a9b2c7d1e6",
}
"""A minor version -> the revision of its database schema.

To add one: install it, and run tests/tracking/test_sqlite_writer.py and test_browser.py.
"""


def is_tested(version: str) -> bool:
    """Tell whether the tests have seen a version such as 3.17.2."""
    return ".".join(version.split(".")[:2]) in TESTED


def has_tested_schema(database: Path) -> bool:
    """Tell whether the tests have seen the installed MLflow with the schema of a SQLite file."""
    series = ".".join(mlflow.__version__.split(".")[:2])
    return series in TESTED and read_revision(database) == TESTED[series]


def read_revision(database: Path) -> str:
    """Return the revision of a SQLite file's schema, as Alembic keeps it there."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(revision)


def find_ui_version(uri: str, timeout: int) -> str:
    """Return the version of the UI that shows a store: a server's, or else the installed one.

    timeout: seconds to wait for a server. Returns "" if it does not say.
    """
    if not uri.startswith("http"):
        return mlflow.__version__
    try:
        with translate_errors():
            credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
            answer = http_request_safe(  # type: ignore[no-untyped-call]
                credentials, "/version", "GET", timeout=timeout
            )
            return str(answer.text)
    except StoreError:
        return ""
