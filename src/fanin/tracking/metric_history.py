"""All values of a run's metrics, as a store keeps them."""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient

from fanin.tracking.versions import has_tested_schema

History = dict[str, list[tuple[int, float]]]
"""A metric's name -> its (step, value), ordered by step; the latest of one step comes last."""


def read_metric_history(
    client: MlflowClient, database: Path | None, run_id: str, names: Sequence[str]
) -> History:
    """Return the values of several metrics of a run; metrics that it lacks are left out.

    A SQLite file of a tested schema is read with one query, any other store with one request per
    metric. Raises whatever MLflow or its drivers raise.
    """
    if database and has_tested_schema(database):
        return _read_rows(database, run_id, names)
    history: History = {}
    for name in names:
        metrics = client.get_metric_history(run_id, name)
        in_order = sorted(metrics, key=lambda metric: (metric.step, metric.timestamp))
        if in_order:
            history[name] = [(metric.step, metric.value) for metric in in_order]
    return history


def _read_rows(database: Path, run_id: str, names: Sequence[str]) -> History:
    marks = ",".join("?" * len(names))
    query = f"""
        SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ? AND key IN ({marks})
        ORDER BY step, timestamp"""
    history: History = {}
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        for name, step, value, is_nan in connection.execute(query, (run_id, *names)):
            history.setdefault(name, []).append((step, math.nan if is_nan else value))
    return history
