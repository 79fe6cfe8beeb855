"""A tracking store, and the life of a run in it.

A run costs the store a handful of calls: it is created with its tags, its params and metrics
go in batches, its files follow, and it is closed with a true status whatever happened.
"""

import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

# MLflow reads these when it is imported. Nothing is sent or fetched but what a run holds, and a
# server that does not answer is given up on in seconds, not in MLflow's four minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from fanin.tracking.reasons import reason

logging.getLogger("mlflow").setLevel(logging.WARNING)  # or a fresh database announces itself
logging.getLogger("mlflow.utils.databricks_utils").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.ERROR)  # a server that is away is said once, by us


class StoreError(Exception):
    """The store cannot be opened. Its text is one line that says why."""


@dataclass(frozen=True)
class Store:
    """One experiment of a tracking store."""

    client: MlflowClient
    experiment_id: str

    @contextmanager
    def run(
        self,
        name: str,
        tags: Mapping[str, str],
        *,
        params: Mapping[str, object] | None = None,
        parent: str | None = None,
    ) -> Iterator["Run"]:
        """A run that is FINISHED at the end of the block, KILLED or FAILED if it raises.

        Its params are there from the start, so that a run that fails says of what.
        """
        if parent is not None:
            tags = {**tags, MLFLOW_PARENT_RUN_ID: parent}
        created = self.client.create_run(self.experiment_id, tags=dict(tags), run_name=name)
        run = Run(self.client, created.info.run_id)
        status = "KILLED"
        try:
            if params:
                run.log(params=params)
            yield run
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            self.client.set_terminated(run.id, status)


@dataclass(frozen=True)
class Run:
    """A run that is open."""

    client: MlflowClient
    id: str

    def log(
        self,
        *,
        params: Mapping[str, object] | None = None,
        metrics: Iterable[tuple[str, int, float]] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Params, (name, step, value) metrics and tags, in as few calls as the store allows.

        MLflow's client splits what is over the limits of one call.
        """
        now = time.time_ns() // 1_000_000
        points = [Metric(name, value, now, step) for name, step, value in metrics]
        self.client.log_batch(
            self.id,
            metrics=points,
            params=[Param(name, str(value)) for name, value in (params or {}).items()],
            tags=[RunTag(name, value) for name, value in (tags or {}).items()],
        )

    def table(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Keep rows of equal keys as an artifact that MLflow shows as a table."""
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        self.client.log_table(self.id, columns, f"{name}.json")

    def attach(self, path: Path) -> None:
        """Keep a file with the run."""
        self.client.log_artifact(self.id, str(path))


def connect(uri: str, experiment: str, artifacts: Path) -> Store:
    """Open a store and the experiment, made if it is not there yet. Raises StoreError.

    A server decides for itself where artifacts go, a database file has them beside it, and any
    other database has them under `artifacts`.
    """
    try:
        with _lock(uri):
            client = MlflowClient(tracking_uri=uri)
            found = client.get_experiment_by_name(experiment)
            if found is None:
                return Store(client, _create(client, experiment, _location(uri, artifacts)))
    except Exception as error:  # whatever driver, network or file system is behind the address
        raise StoreError(without_password(reason(error))) from error
    if found.lifecycle_stage != "active":
        raise StoreError(f"its experiment {experiment} is deleted; restore it or name another")
    return Store(client, found.experiment_id)


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
