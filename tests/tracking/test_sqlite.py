"""Rows into a SQLite file: what MLflow's own client, asked for the same, leaves in all tables."""

import math
import sqlite3
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace

import pytest
from mlflow.utils.mlflow_tags import MLFLOW_USER
from sqlalchemy.exc import OperationalError

from fanin.tracking.run_record import Record
from fanin.tracking.store import RefusedError, StoreError, connect

TABLES = ("experiments", "runs", "params", "tags", "metrics", "latest_metrics", "inputs")
RECORDS = {
    "a run": {
        "params": {"depth": "50", "a name/with: signs": "x" * 9000},
        "tags": {"verdict": "healthy", "long": "ü" * 9000, MLFLOW_USER: "somebody"},
        "metrics": [(f"curve/{n}", step, n / (step + 1)) for n in range(3) for step in range(700)],
    },
    "numbers that no database has": {
        "metrics": [
            ("nan", 0, math.nan),
            ("nan", 1, math.nan),
            ("up", 1, math.inf),
            ("down", 1, -math.inf),
            ("tiny", 1, 5e-324),
        ]
    },
    "steps in any order": {"metrics": [("a", 3, 1.0), ("a", 1, 5.0), ("a", 2, -1.0)]},
    "a sweep's own": {"files": ["note.txt"]},
    "one that failed": {"status": "FAILED", "params": {"depth": "50"}, "tags": {"error": "no"}},
}


def plainly(store):
    return replace(store, database=None)


def kept(folder, run_id: str) -> dict[str, list]:
    """All rows of all tables, whatever the run's id and the place."""
    with sqlite3.connect(folder / "mlflow.db") as connection:
        found = {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            for row in rows:
                for moment in ("creation_time", "last_update_time"):
                    row.pop(moment, None)
            texts = [repr(sorted(row.items())) for row in rows]
            found[table] = sorted(
                text.replace(run_id, "ID").replace(str(folder), "HERE") for text in texts
            )
        return found


def record_of(folder, **values) -> Record:
    begun = {"id": "1", "started": 1000, "uri": "here", "experiment": "lab", "name": "a run"}
    return Record(folder=str(folder), **begun, **deepcopy(values))


@pytest.fixture
def both(tmp_path):
    """The folders and the stores: through the client, and by rows."""
    stores = []
    for folder in (tmp_path / "client", tmp_path / "rows"):
        folder.mkdir()
        (folder / "note.txt").write_text("kept")
        stores.append((folder, connect(f"sqlite:///{folder}/mlflow.db", "lab", folder, 5)))
    (first, client), second = stores
    assert second[1].database is not None
    return (first, plainly(client)), second


@pytest.mark.parametrize("values", RECORDS.values(), ids=RECORDS)
def test_all_tables_are_as_the_client_leaves_them(both, values):
    begun, ended = [], []
    for folder, store in both:
        record = record_of(folder, parent="its parent", **values)
        status, record.status = record.status, "RUNNING"
        run_id = store.create(record)
        begun.append(kept(folder, run_id))
        record.status = "FINISHED" if status == "RUNNING" else status
        record.ended = 2000
        for _ in range(2):
            store.log_params(run_id, record)
            store.complete(run_id, record)
        ended.append(kept(folder, run_id))
        assert all((folder / "artifacts" / run_id / "artifacts" / f).exists() for f in record.files)
    assert begun[0] == begun[1]
    assert ended[0] == ended[1]
    assert begun[0] != ended[0]


def test_a_run_that_is_delivered_late_ends_when_it_is_whole(both):
    for folder, store in both:
        record = record_of(folder, status="FINISHED", ended=2000)
        run = store.client.get_run(store.create(record))
        assert (run.info.status, run.info.end_time) == ("RUNNING", None)


@pytest.mark.parametrize("files", [[], ["note.txt"]])
def test_a_place_that_keeps_no_files_has_the_rest(both, files):
    left = []
    for folder, store in both:
        place = store.client.create_experiment("elsewhere", artifact_location="nowhere://x")
        elsewhere = replace(store, experiment_id=place)
        record = record_of(folder, files=files, metrics=[("m", 1, 1.0)], tags={"new": "1"})
        run_id = elsewhere.create(record)
        record.status, record.ended = "FINISHED", 2000
        with pytest.raises(StoreError) if files else nullcontext():
            elsewhere.complete(run_id, record)
        left.append(kept(folder, run_id))
    assert left[0] == left[1]
    assert ("RUNNING" in left[1]["runs"][0]) == bool(files)


def test_a_file_that_is_locked_is_a_store_that_does_not_answer(tmp_path, monkeypatch):
    def locked(*place: str) -> None:
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr("fanin.tracking.sqlite.opened", locked)
    with pytest.raises(StoreError, match="another program holds it"):
        connect(f"sqlite:///{tmp_path}/mlflow.db", "lab", tmp_path, 5)


def test_what_is_later_stays_the_latest(both):
    left = []
    for folder, store in both:
        record = record_of(folder, metrics=[("a", 5, 1.0), ("b", 1, 1.0)])
        run_id = store.create(record)
        record.ended = 2000
        store.complete(run_id, record)
        for later, earlier in ((4, 1500), (5, 1500), (5, 2500), (6, 1500)):
            record.metrics, record.ended = [("a", later, 3.0)], earlier
            store.complete(run_id, record)
            left.append((later, earlier, kept(folder, run_id)))
    assert left[:4] == left[4:]


def test_what_was_deleted_is_refused_and_left_as_it_is(both):
    for folder, store in both:
        record = record_of(folder, metrics=[("a", 1, 1.0)], tags={"new": "1"})
        run_id = store.create(record)
        store.client.delete_run(run_id)
        before = kept(folder, run_id)
        record.status, record.ended = "FINISHED", 2000
        with pytest.raises(RefusedError, match=run_id):
            store.complete(run_id, record)
        assert kept(folder, run_id) == before
        store.client.delete_experiment(store.experiment_id)
        with pytest.raises(RefusedError, match="experiment"):
            store.create(record)
        assert len(kept(folder, run_id)["runs"]) == 1
