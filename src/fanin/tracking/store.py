"""A tracking store: an experiment in it, the runs that it holds, and how a record gets there."""

import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

# MLflow reads these when it is imported. Nothing is sent or fetched but what a run holds, and
# what a store does not take at once waits in the journal rather than in MLflow's retries.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # with its password, run by run

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from fanin.tracking import sqlite as bulk
from fanin.tracking.reasons import reason
from fanin.tracking.run_record import Record

logging.getLogger("mlflow").setLevel(logging.WARNING)  # or a fresh database announces itself
logging.getLogger("mlflow.utils.databricks_utils").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # a server that is away is said once, by us

RECORD_ID = "record.id"
OUTPUT_DIR = "output_dir"
ERROR = "error"
PARENT = MLFLOW_PARENT_RUN_ID
NOTE = MLFLOW_RUN_NOTE
"""The tag that the UI shows as a description, of a run or an experiment, in markdown."""
MAX_TAG_LENGTH = 5000
"""Characters that every kind of store takes."""
PAGE = 1000
MAX_NAME_LENGTH = 250  # in a database that looks
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""All control characters but tab and line feed, and those that turn the direction of a text."""


class StoreError(Exception):
    """The store cannot be opened, or does not answer. Its text is one line that says why."""


class RefusedError(StoreError):
    """The store answers, but does not take or have what it is asked for."""


_REFUSALS = (
    "INVALID_PARAMETER_VALUE",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
)


@dataclass(frozen=True)
class Store:
    """One experiment of a tracking store. Whatever fails is a StoreError."""

    client: MlflowClient
    experiment_id: str
    database: SqlAlchemyStore | None = None
    """The same store, where it is a SQLite file: what a run holds is put there in bulk."""

    def create(self, record: Record) -> str:
        """Open a run for it, with its params, so that a run that fails says of what; its id."""
        with _one_line():
            tags = {**record.tags, RECORD_ID: record.id}
            if record.parent is not None:
                tags[MLFLOW_PARENT_RUN_ID] = record.parent
            name = record.name[:MAX_NAME_LENGTH]
            if self.database:
                return bulk.create(self.database, self.experiment_id, name, tags, record)
            created = self.client.create_run(
                self.experiment_id, start_time=record.started, tags=tags, run_name=name
            )
            run_id: str = created.info.run_id
            self.log_params(run_id, record)
            return run_id

    def log_params(self, run_id: str, record: Record) -> None:
        """Those that it does not have yet."""
        with _one_line():
            if self.database:
                bulk.log_params(self.database, run_id, record)
            else:
                params = [Param(name, value) for name, value in record.params.items()]
                self.client.log_batch(run_id, params=params)

    def reopen(self, run_id: str) -> None:
        """Say that a run goes on."""
        with _one_line():
            self.client.update_run(run_id, status="RUNNING")
            with suppress(MlflowException):  # it may have had none
                self.client.delete_tag(run_id, ERROR)

    def tag(self, run_id: str, name: str, value: str) -> None:
        with _one_line():
            self.client.set_tag(run_id, name, value)

    def tag_experiment(self, name: str, value: str) -> None:
        with _one_line():
            self.client.set_experiment_tag(self.experiment_id, name, value)

    def find(self, record: Record) -> str | None:
        """The id of the run that was opened for a record, if one was."""
        found = self._search(f"tags.`{RECORD_ID}` = '{record.id}'", most=1)
        return next((run.info.run_id for run in found), None)

    def complete(self, run_id: str, record: Record) -> None:
        """Hand over all of a record that is over but its params. A second time changes nothing."""
        with _one_line():
            if self.database:
                bulk.complete(self.database, run_id, record)
            else:
                self._log_found(run_id, record)
                for name in record.files:
                    self.client.log_artifact(run_id, str(Path(record.folder, name)))
                self.client.set_terminated(run_id, record.status, end_time=record.ended)

    def runs(self, tag: str, value: str, most: int | None = None) -> list["Tracked"]:
        """The runs with that value of a tag, the latest first."""
        return self.where(f"tags.`{tag}` = '{value}'", most)

    def where(self, condition: str, most: int | None = None) -> list["Tracked"]:
        """The runs for which a filter of MLflow holds, the latest first."""
        return [_tracked(run) for run in self._search(condition, most)]

    def file(self, run_id: str, name: str) -> str:
        """The text of an artifact."""
        with _one_line():
            return Path(self.client.download_artifacts(run_id, name)).read_text()

    def _log_found(self, run_id: str, record: Record) -> None:
        """Tags and metrics; MLflow's client splits what is over the limits of one call.

        The same values with the same timestamps are stored once.
        """
        when = record.ended or record.started
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, when, step) for name, step, value in record.metrics],
            tags=[RunTag(name, value) for name, value in record.tags.items()],
        )

    def _search(self, condition: str, most: int | None = None) -> Iterator[Run]:
        token = None
        while True:
            with _one_line():
                page = self.client.search_runs(
                    [self.experiment_id],
                    condition,
                    max_results=most or PAGE,
                    order_by=["attributes.start_time DESC"],
                    page_token=token,
                )
            yield from page
            token = page.token
            if most or not token:
                return


@dataclass(frozen=True)
class Tracked:
    """A run that a store holds; of each curve, the value at the last layer.

    Others may write to a store, so `_tracked` checks each field, and nothing else reads a run.
    Texts have no control characters. record_id: 32 hex digits, or None where the tag is anything
    else. started: milliseconds since 1970.
    """

    id: str
    name: str
    status: str
    started: int
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    record_id: str | None = None

    @property
    def output_dir(self) -> Path:
        """Where it says that its files are. Look for its record there before you believe it."""
        return Path(self.tags.get(OUTPUT_DIR) or ".")


def connect(
    uri: str,
    experiment: str,
    artifacts: Path,
    timeout: int,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> Store:
    """Open a store and the experiment, made if it is not there yet. Raises StoreError.

    A server decides for itself where artifacts go, a database file has them beside it, and any
    other database has them under `artifacts`. Nothing is waited for longer than `timeout`
    seconds. The experiment is given those of the tags that it does not have.
    """
    with _one_line(), _lock(uri):
        client = _client(uri, timeout)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            created = _create(client, experiment, _location(uri, artifacts))
            found = client.get_experiment(created)
        database = bulk.opened(uri, found.artifact_location) if _database(uri) else None
    if found.lifecycle_stage != "active":
        raise StoreError(f"its experiment {experiment} is deleted; restore it or name another")
    store = Store(client, found.experiment_id, database)
    with suppress(StoreError):  # they help who looks, and no run depends on them
        for name in tags.keys() - found.tags.keys():
            store.tag_experiment(name, tags[name])
    return store


connect_once = cache(connect)
"""A database file is where it was and needs no second look. (A server may have gone away.)"""


def look(uri: str, experiment: str, timeout: int) -> Store | None:
    """The same, but nothing is made: None where the store or the experiment is not there yet."""
    database = _database(uri)
    if database and not database.exists():
        return None
    with _one_line(), _lock(uri):
        client = _client(uri, timeout)
        found = client.get_experiment_by_name(experiment)
    return Store(client, found.experiment_id) if found else None


def run_of(uri: str, run_id: str, timeout: int) -> tuple[Store, Tracked]:
    """A run by its id, and the store with the run's experiment. Raises StoreError."""
    _must_be_there(uri)
    with _one_line(), _lock(uri):
        client = _client(uri, timeout)
        run = client.get_run(run_id)
    return Store(client, run.info.experiment_id), _tracked(run)


def runs_where(uri: str, condition: str, timeout: int) -> list[tuple[Store, Tracked]]:
    """The runs of all experiments for which a filter of MLflow holds, the oldest first.

    Each with the store that has its experiment. Raises StoreError.
    """
    _must_be_there(uri)
    with _one_line(), _lock(uri):
        client = _client(uri, timeout)
        stores = [Store(client, found.experiment_id) for found in client.search_experiments()]
    found = [(store, run) for store in stores for run in store.where(condition)]
    return sorted(found, key=lambda pair: pair[1].started)


def _tracked(run: Run) -> Tracked:
    info, data = run.info, run.data
    record_id = data.tags.get(RECORD_ID, "")
    return Tracked(
        id=printable(info.run_id),
        name=printable(info.run_name or ""),
        status=printable(info.status),
        started=int(info.start_time or 0),
        params={printable(name): printable(value) for name, value in data.params.items()},
        tags={printable(name): printable(value) for name, value in data.tags.items()},
        metrics={printable(name): float(value) for name, value in data.metrics.items()},
        record_id=record_id if re.fullmatch("[0-9a-f]{32}", record_id) else None,
    )


def printable(text: str) -> str:
    """The text without what a terminal would obey: control characters, changes of direction."""
    return _UNPRINTABLE.sub("", text)


def _client(uri: str, timeout: int) -> MlflowClient:
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(timeout)
    address = urlsplit(uri)
    port = PORTS.get(address.scheme.partition("+")[0])
    if address.hostname and port:
        # A database that is away would be tried for minutes.
        socket.create_connection((address.hostname, address.port or port), timeout).close()
    return MlflowClient(tracking_uri=uri)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # whatever driver, network or file system is behind the address
        refused = isinstance(error, MlflowException) and error.error_code in _REFUSALS
        kind = RefusedError if refused else StoreError
        raise kind(without_password(reason(error))) from error


def _must_be_there(uri: str) -> None:
    """A SQLite database that is not there would be made."""
    database = _database(uri)
    if database and not database.exists():
        raise StoreError(f"there is no store {database}")


def _lock(uri: str) -> AbstractContextManager[object]:
    """One process at a time: two that build a fresh SQLite database at once would break it."""
    path = _database(uri)
    if path is None:
        return nullcontext()
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def _database(uri: str) -> Path | None:
    """The file of a SQLite store."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def _location(uri: str, artifacts: Path) -> str | None:
    if uri.startswith(("http", "databricks")):
        return None
    database = _database(uri)
    return (database.parent / "artifacts" if database else artifacts).as_uri()


def without_password(text: str) -> str:
    """An address, or a text with addresses in it, as it may be shown and stored."""
    text = re.sub(r"://\S*@", "://***@", text)
    return re.sub(r"(password|token)=[^&\s]*", r"\1=***", text, flags=re.IGNORECASE)


def _create(client: MlflowClient, experiment: str, location: str | None) -> str:
    try:
        return client.create_experiment(experiment, artifact_location=location)
    except MlflowException:
        found = client.get_experiment_by_name(experiment)  # another process was faster
        if found is None:
            raise
        return found.experiment_id
