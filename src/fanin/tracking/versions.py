"""The tested versions of MLflow.

fanin relies on two things that MLflow does not guarantee: the tables of its SQLite files, and the
addresses and views of its UI. It uses each only with the versions below. With any other version,
MLflow's client writes the runs, and links lead to the UI's plainest pages.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import mlflow
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request_safe

from fanin.tracking.errors import StoreError, translate_errors


class Tested(NamedTuple):
    """The test results for one minor version of MLflow.

    schema: the revision of its database, whose tables tests/tracking/test_sqlite_writer.py has
    compared. ui: whether its UI passes tests/tracking/test_browser.py.
    """

    schema: str
    ui: bool


TESTED = {
    "3.13": Tested(schema="da6fb0208061", ui=False),
    "3.14": Tested(schema="b7e4c1a90f23", ui=False),
    "3.15": Tested(schema="6f8d9c3b2a1e", ui=True),
    "3.16": Tested(schema="b7e2c1a4d9f3", ui=True),
    "3.17": Tested(schema="dc11669786a5", ui=True),
    "3.18": Tested(schema="f4a9b2c7d1e6", ui=True),
}
"""By minor version. To add one, install it and run the two tests."""


def has_tested_ui(version: str) -> bool:
    """Return whether the UI of an MLflow version such as 3.17.2 is tested."""
    tested = _find_tested(version)
    return tested is not None and tested.ui


def has_tested_schema(database: Path) -> bool:
    """Return whether the installed MLflow and the schema of a SQLite file are tested."""
    tested = _find_tested(mlflow.__version__)
    return tested is not None and tested.schema == read_revision(database)


def read_revision(database: Path) -> str:
    """Return the revision of a SQLite file's schema, which Alembic keeps there."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(revision)


def find_ui_version(uri: str, timeout: int) -> str:
    """Return the version of the UI that shows a store: a server's, or else the installed one.

    timeout: seconds to wait for a server. Returns "" if it does not answer.
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


def _find_tested(version: str) -> Tested | None:
    return TESTED.get(".".join(version.split(".")[:2]))
