"""The rows that we write into a SQLite file are those that MLflow's own client writes."""

import math
import re
import sqlite3
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.utils.mlflow_tags import MLFLOW_USER

from fanin.tracking import sqlite_writer
from fanin.tracking.client_writer import ClientWriter
from fanin.tracking.dataset import make_dataset
from fanin.tracking.errors import RefusedError, StoreError
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.sqlite_writer import SqliteWriter
from fanin.tracking.store import open_store
from fanin.tracking.versions import TESTED

TABLES = (
    "experiments",
    "runs",
    "params",
    "tags",
    "metrics",
    "latest_metrics",
    "inputs",
    "datasets",
)
RECORDS = {
    "a run": {
        "params": {
            "depth": 50,
            "a name/with: signs": "x" * 9000,
            "init.scale": 2.0,
            "jacobian": True,
            "data.path": None,
            "list": [1, "a"],
        },
        "tags": {"verdict": "healthy", "long": "ü" * 9000, MLFLOW_USER: "somebody"},
        "metrics": [(f"curve/{n}", step, n / (step + 1)) for n in range(3) for step in range(700)],
    },
    "numbers that no database has": {
        "metrics": [("up", 1, math.inf), ("down", 1, -math.inf), ("tiny", 1, 5e-324)]
    },
    "steps in any order": {"metrics": [("a", 3, 1.0), ("a", 1, 5.0), ("a", 2, -1.0)]},
    "one with a data set": {
        "dataset": make_dataset("Größe.csv", "0123abcd", "/data/Größe.csv", ["a", "b"], (150, 1))
    },
    "one with data that was drawn": {
        "dataset": make_dataset("gaussian", "4567", "fanin.runner.data.Gaussian", [], (200, 100))
    },
    "a sweep's own": {"files": ["note.txt"]},
    "one that failed": {
        "status": RunStatus.FAILED,
        "params": {"depth": 50},
        "tags": {"error": "no"},
    },
}


def use_client(store):
    return replace(store, writer=ClientWriter(store.client, store.experiment_id))


def in_experiment(store, experiment_id):
    writer = replace(store.writer, experiment_id=experiment_id)
    return replace(store, experiment_id=experiment_id, writer=writer)


def read_tables(folder, run_id: str) -> dict[str, list]:
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
                for name, value in row.items():
                    if name in ("dataset_uuid", "input_uuid", "source_id"):
                        assert re.fullmatch("[0-9a-f]{32}", value)
                        row[name] = "an id"
            texts = [repr(sorted(row.items())) for row in rows]
            found[table] = sorted(
                text.replace(run_id, "ID").replace(str(folder), "HERE") for text in texts
            )
        return found


def make_record(folder, **values) -> RunRecord:
    begun = {"id": "1", "started": 1000, "uri": "here", "experiment": "lab", "name": "a run"}
    return RunRecord(folder=str(folder), **begun, **deepcopy(values))


@pytest.fixture
def both(tmp_path, copy_database):
    """The folders and the stores: through the client, and by rows."""
    stores = []
    for folder in (tmp_path / "client", tmp_path / "rows"):
        stores.append((folder, open_store(copy_database(folder), "lab", folder, 5)))
        (folder / "note.txt").write_text("kept")
    (first, client), second = stores
    assert isinstance(second[1].writer, SqliteWriter)
    return (first, use_client(client)), second


@pytest.mark.parametrize("values", RECORDS.values(), ids=RECORDS)
def test_all_tables_are_as_the_client_leaves_them(both, values):
    begun, ended = [], []
    for folder, store in both:
        record = make_record(folder, parent="its parent", **values)
        status, record.status = record.status, RunStatus.RUNNING
        run_id = store.create_run(record)
        begun.append(read_tables(folder, run_id))
        record.status = RunStatus.FINISHED if status == RunStatus.RUNNING else status
        record.ended = 2000
        for _ in range(2):
            store.log_params(run_id, record)
            store.complete_run(run_id, record)
        ended.append(read_tables(folder, run_id))
        assert all((folder / "artifacts" / run_id / "artifacts" / f).exists() for f in record.files)
    assert begun[0] == begun[1]
    assert ended[0] == ended[1]
    assert begun[0] != ended[0]


def test_runs_share_a_data_set(both):
    """Each is linked to it once, whichever writer came first, and however often it delivers."""
    dataset = make_dataset("my.csv", "0123", "/my.csv", ["a", "y"], (3, 1))
    _, (folder, rows) = both
    stores = [rows, use_client(rows), rows]
    runs = []
    for store in stores:
        record = make_record(folder, dataset=dataset)
        runs.append(store.create_run(record))
        record.status, record.ended = RunStatus.FINISHED, 2000
        for _ in range(2):
            store.complete_run(runs[-1], record)
    assert len(read_tables(folder, runs[0])["datasets"]) == 1
    assert len(read_tables(folder, runs[0])["inputs"]) == 3
    for run_id in runs:
        (used,) = client_run_inputs(rows, run_id)
        assert (used.name, used.digest, used.source_type) == ("my.csv", "0123", "local")


def client_run_inputs(store, run_id):
    return [one.dataset for one in store.client.get_run(run_id).inputs.dataset_inputs]


@pytest.mark.filterwarnings("ignore:The specified dataset source can be interpreted")
def test_a_schema_is_as_mlflow_writes_it():
    frame = pd.DataFrame({"a b": [1.5], "y": [2.0]})
    by_mlflow = mlflow.data.from_pandas(frame, source="/t.csv", digest="0").to_dict()
    ours = make_dataset("t", "0", "/t.csv", ["a b", "y"], (1, 1))
    assert ours.schema == by_mlflow["schema"]
    assert (ours.source, ours.source_type) == (by_mlflow["source"], by_mlflow["source_type"])
    by_mlflow = mlflow.data.from_numpy(np.zeros((3, 2)), source=CodeDatasetSource({})).to_dict()
    assert make_dataset("t", "0", "code", [], (3, 2)).schema == by_mlflow["schema"]
    wide = make_dataset("t", "0", "/t.csv", [f"column {n}" for n in range(10_000)], (3, 9_999))
    assert "mlflow_tensorspec" in wide.schema


def test_what_is_no_number_is_kept_as_the_client_keeps_it(both):
    """Delivered once: MLflow's client before 3.16 cannot deliver nan again, ours can."""
    tables = []
    for folder, store in both:
        record = make_record(folder, metrics=[("nan", 0, math.nan), ("nan", 1, math.nan)])
        run_id = store.create_run(record)
        record.status, record.ended = RunStatus.FINISHED, 2000
        store.complete_run(run_id, record)
        tables.append(read_tables(folder, run_id))
    store.complete_run(run_id, record)
    assert tables[0] == tables[1] == read_tables(folder, run_id)


def test_a_run_that_is_delivered_late_ends_when_it_is_whole(both):
    for folder, store in both:
        record = make_record(folder, status=RunStatus.FINISHED, ended=2000)
        run = store.client.get_run(store.create_run(record))
        assert (run.info.status, run.info.end_time) == ("RUNNING", None)


@pytest.mark.parametrize("files", [[], ["note.txt"]])
def test_a_place_that_keeps_no_files_has_the_rest(both, files):
    left = []
    for folder, store in both:
        place = store.client.create_experiment("elsewhere", artifact_location="nowhere://x")
        elsewhere = in_experiment(store, place)
        record = make_record(folder, files=files, metrics=[("m", 1, 1.0)], tags={"new": "1"})
        run_id = elsewhere.create_run(record)
        record.status, record.ended = RunStatus.FINISHED, 2000
        with pytest.raises(StoreError) if files else nullcontext():
            elsewhere.complete_run(run_id, record)
        left.append(read_tables(folder, run_id))
    assert left[0] == left[1]
    assert ("RUNNING" in left[1]["runs"][0]) == bool(files)


def test_a_file_that_is_locked_is_a_store_that_does_not_answer(both, monkeypatch):
    _, (folder, store) = both
    monkeypatch.setattr(sqlite_writer, "BUSY_SECONDS", 0)
    other = sqlite3.connect(folder / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="is locked by another program") as error:
        store.create_run(make_record(folder))
    assert not isinstance(error.value, RefusedError)
    other.close()
    assert store.create_run(make_record(folder))


def test_a_file_that_is_gone_is_not_made_anew(both):
    _, (folder, store) = both
    (folder / "mlflow.db").unlink()
    with pytest.raises(StoreError, match="cannot be written to"):
        store.create_run(make_record(folder))
    assert not (folder / "mlflow.db").exists()


def test_an_error_in_the_middle_leaves_no_row(both):
    _, (folder, store) = both
    run_id = store.create_run(make_record(folder))
    before = read_tables(folder, run_id)
    with pytest.raises(StoreError):
        store.create_run(make_record(folder, params={"x": "ok", None: "no name"}))
    record = make_record(folder, tags={"new": "1"}, metrics=[("a", 1, 1.0), (None, 1, 1.0)])
    with pytest.raises(StoreError):
        store.complete_run(run_id, record)
    assert read_tables(folder, run_id) == before


def test_what_is_later_stays_the_latest(both):
    left = []
    for folder, store in both:
        record = make_record(folder, metrics=[("a", 5, 1.0), ("b", 1, 1.0)])
        run_id = store.create_run(record)
        record.ended = 2000
        store.complete_run(run_id, record)
        for later, earlier in ((4, 1500), (5, 1500), (5, 2500), (6, 1500)):
            record.metrics, record.ended = [("a", later, 3.0)], earlier
            store.complete_run(run_id, record)
            left.append((later, earlier, read_tables(folder, run_id)))
    assert left[:4] == left[4:]


def test_what_was_deleted_is_refused_and_left_as_it_is(both):
    for folder, store in both:
        record = make_record(folder, metrics=[("a", 1, 1.0)], tags={"new": "1"})
        run_id = store.create_run(record)
        store.client.delete_run(run_id)
        before = read_tables(folder, run_id)
        record.status, record.ended = RunStatus.FINISHED, 2000
        with pytest.raises(RefusedError, match=run_id):
            store.complete_run(run_id, record)
        assert read_tables(folder, run_id) == before
        store.client.delete_experiment(store.experiment_id)
        with pytest.raises(RefusedError, match="experiment"):
            store.create_run(record)
        assert len(read_tables(folder, run_id)["runs"]) == 1


@pytest.mark.parametrize("what", ["version", "schema"])
def test_what_no_test_has_seen_is_written_by_the_client_with_the_same_rows(
    both, tmp_path, copy_database, monkeypatch, what
):
    if what == "version":
        monkeypatch.setattr(mlflow, "__version__", "3.99.1")
    else:
        series = ".".join(mlflow.__version__.split(".")[:2])
        later = TESTED[series]._replace(schema="0123456789ab")
        monkeypatch.setitem(TESTED, series, later)
    folder = tmp_path / "unknown"
    store = open_store(copy_database(folder), "lab", folder, 5)
    (folder / "note.txt").write_text("kept")
    assert isinstance(store.writer, ClientWriter)
    tables = []
    for place, one in ((folder, store), both[1]):
        record = make_record(place, **deepcopy(RECORDS["a run"]), files=["note.txt"])
        run_id = one.create_run(record)
        record.status, record.ended = RunStatus.FINISHED, 2000
        one.complete_run(run_id, record)
        tables.append(read_tables(place, run_id))
    assert tables[0] == tables[1]
