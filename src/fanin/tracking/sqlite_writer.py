"""Writes runs as rows of MLflow's tables in a SQLite file.

MLflow's client holds the file's only lock while it makes an object of each value; see
benchmarks/README.md for the cost. The rows written here are the same: tests compare them table by
table, for the schemas that `fanin.tracking.versions` lists. Unlike the client, this
writer does not check names.
"""

import math
import sqlite3
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

from fanin.tracking.artifacts import FOLDER, find_moved_artifacts
from fanin.tracking.param_texts import format_params
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.writer import initial_tags, list_files, shorten_name

BUSY_SECONDS = 20
"""How long a transaction waits for the file's lock, as in MLflow."""

_FIND_EXPERIMENT = """
    SELECT artifact_location FROM experiments
    WHERE experiment_id = :experiment_id AND lifecycle_stage = 'active'"""
_ADD_RUN = """
    INSERT INTO runs (
        run_uuid, experiment_id, name, source_type, source_name, source_version,
        entry_point_name, user_id, status, start_time, lifecycle_stage, artifact_uri
    ) VALUES (
        :run_id, :experiment_id, :name, 'UNKNOWN', '', '', '', :user, :status, :started, 'active',
        :artifacts
    )"""
_FIND_RUN = "SELECT artifact_uri FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
_END_RUN = """
    UPDATE runs SET status = :status, end_time = :ended, artifact_uri = :artifacts
    WHERE run_uuid = :run_id AND lifecycle_stage = 'active'"""
_ADD_PARAM = "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_SET_TAG = """
    INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)
    ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"""
_ADD_METRIC = """
    INSERT INTO metrics (run_uuid, key, step, timestamp, value, is_nan) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
_SET_LATEST_METRIC = """
    INSERT INTO latest_metrics (run_uuid, key, step, timestamp, value, is_nan)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key, run_uuid) DO UPDATE SET
        value = excluded.value, timestamp = excluded.timestamp,
        step = excluded.step, is_nan = excluded.is_nan
    WHERE (excluded.step, excluded.timestamp, excluded.value)
        > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)"""
_ADD_DATASET = """
    INSERT INTO datasets (
        dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source,
        dataset_schema, dataset_profile
    ) VALUES (
        :id, :experiment_id, :name, :digest, :source_type, :source, :schema, :profile
    ) ON CONFLICT DO NOTHING"""
_ADD_INPUT = """
    INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
    SELECT :input_id, 'DATASET', dataset_uuid, 'RUN', :run_id FROM datasets
    WHERE experiment_id = :experiment_id AND name = :name AND digest = :digest
    ON CONFLICT DO NOTHING"""

MetricRow = tuple[str, str, int, int | None, float, bool]
"""run id, name, step, timestamp, value, whether it is nan (its value is 0 then)."""


@dataclass(frozen=True)
class SqliteWriter:
    """Writes the runs of one experiment; see the protocol `Writer`.

    Raises MlflowException if the experiment or the run was deleted, sqlite3.Error if the file
    cannot be written.
    """

    database: Path
    experiment_id: str

    def create_run(self, record: RunRecord) -> str:
        """Start a run with its params, in one transaction."""
        run_id = uuid.uuid4().hex
        tags = {**initial_tags(record), MLFLOW_RUN_NAME: shorten_name(record)}
        row = {
            "run_id": run_id,
            "experiment_id": int(self.experiment_id),
            "name": shorten_name(record),
            "user": tags.get(MLFLOW_USER, "unknown"),
            "status": RunStatus.RUNNING.value,  # even if the record has ended: it is not complete
            "started": record.started,
        }
        with _transaction(self.database) as connection:
            found = connection.execute(_FIND_EXPERIMENT, row).fetchone()
            if found is None:
                raise _deleted(f"experiment {self.experiment_id}")
            place = append_to_uri_path(found[0], run_id, FOLDER)  # type: ignore[no-untyped-call]
            connection.execute(_ADD_RUN, {**row, "artifacts": place})
            connection.executemany(_SET_TAG, _text_rows(run_id, tags))
            _add_params(connection, run_id, record)
        return run_id

    def log_params(self, run_id: str, record: RunRecord) -> None:
        """Add the params that the run does not have yet."""
        with _transaction(self.database) as connection:
            _add_params(connection, run_id, record)

    def complete_run(self, run_id: str, record: RunRecord) -> None:
        """Add the files, then tags, metrics, the data set and the end in one transaction.

        If a file cannot be stored, its error is raised after tags and metrics are written; the
        run is then still running.
        """
        with _transaction(self.database) as connection:
            found = connection.execute(_FIND_RUN, (run_id,)).fetchone()
        if found is None:
            raise _deleted(f"run {run_id}")
        moved = find_moved_artifacts(found[0], run_id, self.database)
        place = moved.as_uri() if moved else found[0]
        try:
            self._add_files(place, record)
        except Exception:
            with _transaction(self.database) as connection:
                self._add_results(connection, run_id, record)
            raise
        end = {
            "run_id": run_id,
            "status": record.status.value,
            "ended": record.ended,
            "artifacts": place,
        }
        with _transaction(self.database) as connection:
            self._add_results(connection, run_id, record)
            if connection.execute(_END_RUN, end).rowcount == 0:
                raise _deleted(f"run {run_id}")

    def _add_results(self, connection: sqlite3.Connection, run_id: str, record: RunRecord) -> None:
        """Add tags, metrics and the data set."""
        rows = [_metric_row(run_id, record.ended, *metric) for metric in record.metrics]
        connection.executemany(_SET_TAG, _text_rows(run_id, record.tags, MAX_TAG_VAL_LENGTH))
        connection.executemany(_ADD_METRIC, rows)
        connection.executemany(_SET_LATEST_METRIC, _latest(rows))
        if record.dataset:
            row = vars(record.dataset) | {
                "id": uuid.uuid4().hex,
                "input_id": uuid.uuid4().hex,
                "experiment_id": int(self.experiment_id),
                "run_id": run_id,
            }
            connection.execute(_ADD_DATASET, row)
            connection.execute(_ADD_INPUT, row)

    def _add_files(self, place: str, record: RunRecord) -> None:
        if record.files:  # without files the place need not be reachable
            artifacts = get_artifact_repository(place, tracking_uri=f"sqlite:///{self.database}")
            for path in list_files(record):
                artifacts.log_artifact(path)  # type: ignore[no-untyped-call]


@contextmanager
def _transaction(database: Path) -> Iterator[sqlite3.Connection]:
    """Commit at the end of the block, or roll back if it raises. The file must exist."""
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    with closing(connection):
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")  # else two that read first could never both write
        with connection:
            yield connection


def _add_params(connection: sqlite3.Connection, run_id: str, record: RunRecord) -> None:
    rows = _text_rows(run_id, format_params(record.params), MAX_PARAM_VAL_LENGTH)
    connection.executemany(_ADD_PARAM, rows)


def _text_rows(
    run_id: str, texts: Mapping[str, str], max_length: int | None = None
) -> list[tuple[str, str, str]]:
    return [(run_id, name, text[:max_length]) for name, text in texts.items()]


def _metric_row(run_id: str, ended: int | None, name: str, step: int, value: float) -> MetricRow:
    """Return a row as MLflow stores it: 0 for nan, the largest float for infinity."""
    if math.isnan(value):
        return run_id, name, step, ended, 0.0, True
    largest = sys.float_info.max
    return run_id, name, step, ended, min(max(float(value), -largest), largest), False


def _latest(rows: Sequence[MetricRow]) -> list[MetricRow]:
    """Return the row at the last step of each metric: the runs table shows its value."""
    by_step = sorted(rows, key=lambda row: (row[2], row[4]))
    return [*{row[1]: row for row in by_step}.values()]


def _deleted(what: str) -> MlflowException:
    return MlflowException(f"the {what} is deleted", INVALID_PARAMETER_VALUE)
