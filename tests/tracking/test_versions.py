"""What MLflow does not promise is used only with versions that the tests have seen."""

import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import mlflow
import pytest

from fanin.tracking.client_writer import ClientWriter
from fanin.tracking.sqlite_writer import SqliteWriter
from fanin.tracking.store import Store, open_existing, open_store
from fanin.tracking.ui import VIEW
from fanin.tracking.versions import (
    TESTED,
    find_ui_version,
    has_tested_schema,
    has_tested_ui,
    read_revision,
)

UNKNOWN = ["3.12.0", "3.99.1", "4.0.0", "4", "", "3", "nonsense"]


@pytest.mark.parametrize("version", UNKNOWN)
def test_an_unknown_version_has_no_tested_ui(version):
    assert not has_tested_ui(version)


def test_a_known_version_has_what_the_table_says():
    for series, tested in TESTED.items():
        assert has_tested_ui(f"{series}.7") == tested.ui


def test_the_installed_version_is_tested_with_its_schema(migrated_database):
    assert has_tested_schema(migrated_database)
    series = ".".join(mlflow.__version__.split(".")[:2])
    assert read_revision(migrated_database) == TESTED[series].schema


@pytest.mark.parametrize("version", UNKNOWN)
def test_an_unknown_version_has_no_tested_schema(migrated_database, monkeypatch, version):
    monkeypatch.setattr(mlflow, "__version__", version)
    assert not has_tested_schema(migrated_database)


def test_an_unknown_revision_is_no_tested_schema(database_uri, tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'new'")
    assert not has_tested_schema(tmp_path / "mlflow.db")


def test_the_way_that_runs_are_written_follows_the_version(database_uri, tmp_path, monkeypatch):
    store = open_store(database_uri, "lab", tmp_path, timeout=5)
    assert isinstance(store.writer, SqliteWriter)
    monkeypatch.setattr(mlflow, "__version__", "3.99.1")
    assert isinstance(open_existing(database_uri, "lab", timeout=5).writer, ClientWriter)


@pytest.mark.parametrize(("version", "is_tested"), [("3.17.2", True), ("3.99.1", False)])
def test_views_are_written_for_a_tested_ui_only(
    database_uri, tmp_path, monkeypatch, version, is_tested
):
    monkeypatch.setattr(mlflow, "__version__", version)
    views = {"signals": "{}"}
    store = open_store(database_uri, "lab", tmp_path, timeout=5, tags={"a": "b"}, views=views)
    store.set_view("sweep", "{}")
    tags = store.client.get_experiment(store.experiment_id).tags
    assert ({VIEW + "signals", VIEW + "sweep"} <= tags.keys()) == is_tested
    assert tags["a"] == "b"
    assert store.pages.is_tested == is_tested


@pytest.fixture
def serve():
    """A function: start a server that answers every request alike, and return its address."""
    servers = []

    def serve(status: int, text: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status if self.path == "/mlflow/version" else 404)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                """Print nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/mlflow"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "text", "is_tested"),
    [(200, "3.17.0", True), (200, "3.99.0", False), (401, "who are you", False), (200, "", False)],
)
def test_a_server_says_which_ui_it_has(serve, status, text, is_tested):
    store = Store(serve(status, text), None, "1", None, timeout=5)
    assert store.pages.is_tested == is_tested


def test_a_server_that_is_away_has_no_tested_ui():
    assert find_ui_version("http://127.0.0.1:1", timeout=1) == ""


def test_a_database_is_shown_by_the_installed_ui(database_uri):
    assert find_ui_version(database_uri, timeout=1) == mlflow.__version__
