"""A run into MLflow's tables of a SQLite file: rows, where MLflow's client makes objects.

The client holds the file's one lock while it makes an object of each value; what that costs
stands in benchmarks/README.md. What a reader finds is the same, and tested to be. The client, which
every other kind of store is asked through, also looks at each name, and refuses some.
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import LifecycleStage, RunStatus, SourceType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.tracking.dbmodels.models import (
    SqlExperiment,
    SqlLatestMetric,
    SqlMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH
from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.orm import Session

from fanin.tracking.run_record import Record

Row = dict[str, Any]
_RUNS, _PARAMS, _TAGS = SqlRun.__table__, SqlParam.__table__, SqlTag.__table__
_METRICS, _LATEST = SqlMetric.__table__, SqlLatestMetric.__table__


def opened(uri: str, artifacts: str) -> SqlAlchemyStore:
    """The store in that file, which is there; MLflow keeps one connection for all that open it."""
    return SqlAlchemyStore(uri, artifacts)  # type: ignore[no-untyped-call]


def create(
    store: SqlAlchemyStore, experiment: str, name: str, tags: Mapping[str, str], record: Record
) -> str:
    """Open a run for a record, with its params; its id. All or nothing.

    Raises MlflowException where the experiment was deleted.
    """
    run_id = uuid.uuid4().hex
    is_here = (
        SqlExperiment.experiment_id == int(experiment),
        SqlExperiment.lifecycle_stage == LifecycleStage.ACTIVE,
    )
    row = {
        "run_uuid": run_id,
        "experiment_id": int(experiment),
        "name": name,
        "source_type": SourceType.to_string(SourceType.UNKNOWN),
        "source_name": "",
        "source_version": "",
        "entry_point_name": "",
        "user_id": tags.get(MLFLOW_USER, "unknown"),
        "status": RunStatus.to_string(RunStatus.RUNNING),  # until it is complete
        "start_time": record.started,
        "lifecycle_stage": LifecycleStage.ACTIVE,
    }
    with store.ManagedSessionMaker(read_only=False) as session:
        location = session.scalar(select(SqlExperiment.artifact_location).where(*is_here))
        if location is None:
            raise MlflowException(f"experiment {experiment} is deleted", INVALID_PARAMETER_VALUE)
        place: str = append_to_uri_path(  # type: ignore[no-untyped-call]
            location, run_id, store.ARTIFACTS_FOLDER_NAME
        )
        session.execute(insert(_RUNS), {**row, "artifact_uri": place})
        _put(session, insert(_TAGS), _texts(run_id, {**tags, MLFLOW_RUN_NAME: name}))
        _put(session, insert(_PARAMS), _params(run_id, record))
    return run_id


def log_params(store: SqlAlchemyStore, run_id: str, record: Record) -> None:
    """Those that the run does not have yet."""
    with store.ManagedSessionMaker(read_only=False) as session:
        _put(session, insert(_PARAMS).on_conflict_do_nothing(), _params(run_id, record))


def complete(store: SqlAlchemyStore, run_id: str, record: Record) -> None:
    """Files, and then tags, metrics and the end in one transaction. A second time changes nothing.

    Raises MlflowException where the run was deleted; whatever keeping a file raises, once all the
    rest but the end is there.
    """
    is_here = (SqlRun.run_uuid == run_id, SqlRun.lifecycle_stage == LifecycleStage.ACTIVE)
    with store.ManagedSessionMaker() as session:
        place = session.scalar(select(SqlRun.artifact_uri).where(*is_here))
    deleted = MlflowException(f"the run {run_id} is deleted", INVALID_PARAMETER_VALUE)
    if place is None:
        raise deleted
    try:
        _keep_files(store, place, record)
    except Exception:
        with store.ManagedSessionMaker(read_only=False) as session:
            _tell(session, store, run_id, record)
        raise
    end = update(SqlRun).where(*is_here).values(status=record.status, end_time=record.ended)
    with store.ManagedSessionMaker(read_only=False) as session:
        _tell(session, store, run_id, record)
        if session.execute(end).rowcount == 0:
            raise deleted


def _keep_files(store: SqlAlchemyStore, place: str, record: Record) -> None:
    if record.files:  # or else a place that cannot be reached need not be
        artifacts = get_artifact_repository(place, tracking_uri=store.db_uri)
        for name in record.files:
            artifacts.log_artifact(str(Path(record.folder, name)))  # type: ignore[no-untyped-call]


def _tell(session: Session, store: SqlAlchemyStore, run_id: str, record: Record) -> None:
    """Its tags and metrics."""
    metrics = [_metric(store, run_id, record, *metric) for metric in record.metrics]
    _put(session, _set_tag(), _texts(run_id, record.tags, MAX_TAG_VAL_LENGTH))
    _put(session, insert(_METRICS).on_conflict_do_nothing(), metrics)
    _put(session, _set_latest(), _latest(metrics))


def _put(session: Session, statement: Insert, rows: Sequence[Row]) -> None:
    if rows:  # a sweep has no params and no curves of its own
        session.execute(statement, rows)


def _set_tag() -> Insert:
    new = insert(_TAGS)
    return new.on_conflict_do_update(
        index_elements=["key", "run_uuid"], set_={"value": new.excluded.value}
    )


def _set_latest() -> Insert:
    """As the store does it: what is there stays, unless it is older."""
    upsert = insert(_LATEST)
    new, old = upsert.excluded, _LATEST.c
    return upsert.on_conflict_do_update(
        index_elements=["key", "run_uuid"],
        set_={name: new[name] for name in ("value", "timestamp", "step", "is_nan")},
        where=tuple_(new.step, new.timestamp, new.value)
        > tuple_(old.step, old.timestamp, old.value),
    )


def _latest(metrics: Sequence[Row]) -> list[Row]:
    """Of each metric the value that the runs table shows: the one at the last step."""
    by_step = sorted(metrics, key=lambda row: (row["step"], row["value"]))
    return list({row["key"]: row for row in by_step}.values())


def _params(run_id: str, record: Record) -> list[Row]:
    return _texts(run_id, record.params, MAX_PARAM_VAL_LENGTH)


def _texts(run_id: str, texts: Mapping[str, str], most: int | None = None) -> list[Row]:
    return [{"run_uuid": run_id, "key": name, "value": texts[name][:most]} for name in texts]


def _metric(
    store: SqlAlchemyStore, run_id: str, record: Record, name: str, step: int, value: float
) -> Row:
    is_nan, storable = store.sanitize_metric_value(value)
    return {
        "run_uuid": run_id,
        "key": name,
        "step": step,
        "timestamp": record.ended,
        "value": storable,
        "is_nan": is_nan,
    }
