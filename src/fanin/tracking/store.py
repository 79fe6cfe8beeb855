"""A store: one experiment of an MLflow tracking store, and how to open it."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException

from fanin.tracking.artifacts import FOLDER, find_moved_artifacts
from fanin.tracking.client_writer import ClientWriter
from fanin.tracking.errors import StoreError, translate_errors
from fanin.tracking.metric_history import History, read_metric_history
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.sqlite_writer import SqliteWriter
from fanin.tracking.tags import ERROR, RECORD_ID
from fanin.tracking.tracked_run import TrackedRun
from fanin.tracking.ui import VIEW, Pages
from fanin.tracking.versions import find_ui_version, has_tested_schema, has_tested_ui
from fanin.tracking.writer import Writer

PAGE_SIZE = 1000
"""Runs per request."""
DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Store:
    """One experiment of a tracking store. Every error is a StoreError.

    writer: writes the runs. database: the file of a SQLite store. timeout: seconds.
    """

    uri: str = field(repr=False)  # it may hold a password
    client: MlflowClient
    experiment_id: str
    writer: Writer
    timeout: int
    database: Path | None = None

    def create_run(self, record: RunRecord) -> str:
        """Start a run with the record's tags and params, and return its id in the store."""
        with translate_errors():
            return self.writer.create_run(record)

    def log_params(self, run_id: str, record: RunRecord) -> None:
        """Add the params that the run does not have yet."""
        with translate_errors():
            self.writer.log_params(run_id, record)

    def complete_run(self, run_id: str, record: RunRecord) -> None:
        """Add the record except its params, and end the run. A second call changes nothing."""
        with translate_errors():
            self.writer.complete_run(run_id, record)

    def reopen(self, run_id: str) -> None:
        """Set a run that has ended to running again, without its error."""
        with translate_errors():
            self.client.update_run(run_id, status=RunStatus.RUNNING.value)
            with suppress(MlflowException):  # the run may lack the tag
                self.client.delete_tag(run_id, ERROR)

    def set_tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        with translate_errors():
            self.client.set_tag(run_id, name, value)

    def set_experiment_tag(self, name: str, value: str) -> None:
        """Set a tag of the experiment."""
        with translate_errors():
            self.client.set_experiment_tag(self.experiment_id, name, value)

    def set_view(self, key: str, view: str) -> None:
        """Offer a view of the runs table, made by `ui.format_view`, in the experiment's menu.

        Does nothing if the tests have not seen this version of MLflow's UI.
        """
        if self.pages.is_tested:
            self.set_experiment_tag(VIEW + key, view)

    def find_run_id(self, record: RunRecord) -> str | None:
        """Return the id of the run that was started for a record, if there is one."""
        runs = self._search(f"tags.`{RECORD_ID}` = '{record.id}'", most=1)
        return next((run.info.run_id for run in runs), None)

    def runs_with_tag(self, tag: str, value: str, most: int | None = None) -> list[TrackedRun]:
        """Return the runs with that value of a tag, the latest first; at most `most`."""
        return self.search(f"tags.`{tag}` = '{value}'", most)

    def search(self, filter_text: str, most: int | None = None) -> list[TrackedRun]:
        """Return the runs that match a filter of MLflow, the latest first; at most `most`."""
        return [TrackedRun.read(run) for run in self._search(filter_text, most)]

    def artifact_text(self, run_id: str, name: str) -> str:
        """Return the text of an artifact, even if the project folder was moved."""
        with translate_errors():
            folder = self._find_moved_artifacts(run_id)
            path = folder / name if folder else self.client.download_artifacts(run_id, name)
            return Path(path).read_text()

    def metric_history(self, run_id: str, names: Sequence[str]) -> History:
        """Return all values of several metrics of a run; metrics that it lacks are left out."""
        with translate_errors():
            return read_metric_history(self.client, self.database, run_id, names)

    @cached_property
    def pages(self) -> Pages:
        """The experiment's pages in MLflow's UI. The first time, a server is asked its version."""
        return Pages(self.experiment_id, has_tested_ui(find_ui_version(self.uri, self.timeout)))

    def _find_moved_artifacts(self, run_id: str) -> Path | None:
        if self.database is None:
            return None
        location = str(self.client.get_run(run_id).info.artifact_uri)
        return find_moved_artifacts(location, run_id, self.database)

    def _search(self, filter_text: str, most: int | None = None) -> Iterator[Run]:
        token = None
        while True:
            with translate_errors():
                page = self.client.search_runs(
                    [self.experiment_id],
                    filter_text,
                    max_results=most or PAGE_SIZE,
                    order_by=["attributes.start_time DESC"],
                    page_token=token,
                )
            yield from page
            token = page.token
            if most or not token:
                return


def open_store(
    uri: str,
    experiment: str,
    artifacts: Path,
    timeout: int,
    tags: Mapping[str, str] = _NO_TEXTS,
    views: Mapping[str, str] = _NO_TEXTS,
) -> Store:
    """Open a store, and create the experiment if it is missing. Raises StoreError.

    A server chooses where artifacts go, a SQLite file has them next to it, and any other database
    has them in the folder `artifacts`. timeout: seconds that each request may take. tags: given
    to the experiment if it lacks them. views: the same, key -> view of the runs table.
    """
    with translate_errors(), _lock(uri):
        client = _make_client(uri, timeout)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            experiment_id = _create_experiment(client, experiment, _artifact_root(uri, artifacts))
            found = client.get_experiment(experiment_id)
        store = _make_store(client, uri, found.experiment_id, timeout)
    if found.lifecycle_stage != "active":
        raise StoreError(f"its experiment {experiment} is deleted; restore it or name another")
    with suppress(StoreError):  # for browsing only: no run depends on them
        _add_missing_tags(store, found, tags, views)
    return store


def open_store_once(uri: str, experiment: str, artifacts: Path, timeout: int) -> Store:
    """Open a store; a SQLite file is opened only once per process, a server each time."""
    if uri.startswith("sqlite:"):
        return _open_cached(uri, experiment, artifacts, timeout)
    return open_store(uri, experiment, artifacts, timeout)


_open_cached = cache(open_store)


def open_existing(uri: str, experiment: str, timeout: int) -> Store | None:
    """Open a store, or return None if it or the experiment is missing. Creates nothing."""
    database = _database(uri)
    if database and not database.exists():
        return None
    with translate_errors(), _lock(uri):
        client = _make_client(uri, timeout)
        found = client.get_experiment_by_name(experiment)
        return _make_store(client, uri, found.experiment_id, timeout) if found else None


def find_run(uri: str, run_id: str, timeout: int) -> tuple[Store, TrackedRun]:
    """Return a run by its id, and the store of its experiment. Raises StoreError."""
    _require_database(uri)
    with translate_errors(), _lock(uri):
        client = _make_client(uri, timeout)
        run = client.get_run(run_id)
        store = _make_store(client, uri, run.info.experiment_id, timeout)
    return store, TrackedRun.read(run)


def search_all(uri: str, filter_text: str, timeout: int) -> list[tuple[Store, TrackedRun]]:
    """Return the runs of all experiments that match a filter of MLflow, the oldest first.

    Each comes with the store of its experiment. Raises StoreError.
    """
    _require_database(uri)
    with translate_errors(), _lock(uri):
        client = _make_client(uri, timeout)
        experiments = client.search_experiments()
        stores = [_make_store(client, uri, one.experiment_id, timeout) for one in experiments]
    pairs = [(store, run) for store in stores for run in store.search(filter_text)]
    return sorted(pairs, key=lambda pair: pair[1].started)


def _make_client(uri: str, timeout: int) -> MlflowClient:
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(timeout)
    address = urlsplit(uri)
    port = DEFAULT_PORTS.get(address.scheme.partition("+")[0])
    if address.hostname and port:
        # SQLAlchemy would try for minutes to reach a database server that is down.
        socket.create_connection((address.hostname, address.port or port), timeout).close()
    return MlflowClient(tracking_uri=uri)


def _make_store(client: MlflowClient, uri: str, experiment_id: str, timeout: int) -> Store:
    database = _database(uri)
    writer: Writer = ClientWriter(client, experiment_id)
    if database and has_tested_schema(database):
        writer = SqliteWriter(database, experiment_id)
    return Store(uri, client, experiment_id, writer, timeout, database)


def _create_experiment(client: MlflowClient, experiment: str, location: str | None) -> str:
    try:
        return client.create_experiment(experiment, artifact_location=location)
    except MlflowException:
        found = client.get_experiment_by_name(experiment)  # another process has just created it
        if found is None:
            raise
        return found.experiment_id


def _add_missing_tags(
    store: Store, experiment: Experiment, tags: Mapping[str, str], views: Mapping[str, str]
) -> None:
    for name in tags.keys() - experiment.tags.keys():
        store.set_experiment_tag(name, tags[name])
    for key in views:
        if VIEW + key not in experiment.tags:
            store.set_view(key, views[key])


def _require_database(uri: str) -> None:
    """Refuse a SQLite file that does not exist: MLflow would create it."""
    database = _database(uri)
    if database and not database.exists():
        raise StoreError(f"there is no store {database}")


def _lock(uri: str) -> AbstractContextManager[object]:
    """Let one process at a time open a SQLite file: two that create its tables break it."""
    database = _database(uri)
    if database is None:
        return nullcontext()
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{database}.lock")


def _database(uri: str) -> Path | None:
    """Return the file of a SQLite store."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def _artifact_root(uri: str, artifacts: Path) -> str | None:
    if uri.startswith(("http", "databricks")):
        return None
    database = _database(uri)
    return (database.parent / FOLDER if database else artifacts).as_uri()
