"""A run into MLflow's tables of a SQLite file: rows, where MLflow's client makes objects.

The client holds the file's one lock while it makes an object of each value: 90 ms a run of 50
layers, where rows take 15. What a reader finds is the same, and tested to be; the client, which
every other kind of store is asked through, looks at names and refuses some.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.tracking.dbmodels.models import (
    SqlLatestMetric,
    SqlMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH
from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.orm import Session

from fanin.tracking.record import Record

Row = dict[str, Any]


def opened(uri: str, artifacts: str) -> SqlAlchemyStore:
    """The store in that file, which is there; MLflow keeps one connection for all that open it."""
    return SqlAlchemyStore(uri, artifacts)  # type: ignore[no-untyped-call]


def log_params(store: SqlAlchemyStore, run_id: str, record: Record) -> None:
    """Those that the run does not have yet."""
    rows = _texts(run_id, record.params, MAX_PARAM_VAL_LENGTH)
    with store.ManagedSessionMaker(read_only=False) as session:
        _put(session, insert(SqlParam).on_conflict_do_nothing(), rows)


def complete(store: SqlAlchemyStore, run_id: str, record: Record) -> None:
    """Files, and then tags, metrics and the end in one transaction. A second time changes nothing.

    Raises MlflowException where the run was deleted.
    """
    with store.ManagedSessionMaker() as session:
        place = session.scalar(select(SqlRun.artifact_uri).where(SqlRun.run_uuid == run_id))
    artifacts = get_artifact_repository(place)
    for name in record.files:
        artifacts.log_artifact(str(Path(record.folder, name)))  # type: ignore[no-untyped-call]
    tags = _texts(run_id, record.tags, MAX_TAG_VAL_LENGTH)
    values = [_value(store, run_id, record, *metric) for metric in record.metrics]
    is_here = (SqlRun.run_uuid == run_id, SqlRun.lifecycle_stage == LifecycleStage.ACTIVE)
    end = update(SqlRun).where(*is_here).values(status=record.status, end_time=record.ended)
    with store.ManagedSessionMaker(read_only=False) as session:
        if session.execute(end).rowcount == 0:
            raise MlflowException(f"the run {run_id} is deleted", INVALID_PARAMETER_VALUE)
        _put(session, _set_tag(), tags)
        _put(session, insert(SqlMetric).on_conflict_do_nothing(), values)
        _put(session, _set_latest(), _latest(values))


def _put(session: Session, statement: Insert, rows: Sequence[Row]) -> None:
    if rows:  # a sweep has no params and no curves of its own
        session.execute(statement, rows)


def _set_tag() -> Insert:
    new = insert(SqlTag)
    return new.on_conflict_do_update(
        index_elements=["key", "run_uuid"], set_={"value": new.excluded.value}
    )


def _set_latest() -> Insert:
    """As the store does it: what is there stays, unless it is older."""
    upsert = insert(SqlLatestMetric)
    new, old = upsert.excluded, SqlLatestMetric
    return upsert.on_conflict_do_update(
        index_elements=["key", "run_uuid"],
        set_={name: new[name] for name in ("value", "timestamp", "step", "is_nan")},
        where=tuple_(new.step, new.timestamp, new.value)
        > tuple_(old.step, old.timestamp, old.value),
    )


def _latest(values: Sequence[Row]) -> list[Row]:
    """Of each metric the value that the runs table shows: the one at the last step."""
    by_step = sorted(values, key=lambda value: (value["step"], value["value"]))
    return list({value["key"]: value for value in by_step}.values())


def _texts(run_id: str, texts: Mapping[str, str], most: int) -> list[Row]:
    return [{"run_uuid": run_id, "key": name, "value": texts[name][:most]} for name in texts]


def _value(
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
