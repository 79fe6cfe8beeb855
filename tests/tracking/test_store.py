"""The tracking store, on real SQLite databases."""

import math

import pytest

from fanin.tracking.errors import RefusedError, StoreError
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.store import (
    Store,
    find_run,
    open_existing,
    open_store,
    open_store_once,
    search_all,
)
from fanin.tracking.tags import PARENT


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def store(tmp_path, database_uri):
    return open_store(database_uri, "lab", tmp_path / "unused", timeout=5)


def make_record(tmp_path, **values) -> RunRecord:
    return RunRecord(uri="here", experiment="lab", name="a run", folder=str(tmp_path), **values)


def test_a_record_is_a_run_with_all_that_it_says(store, tmp_path):
    points = [(f"curve/{n}", step, float(n * step)) for n in range(5) for step in range(500)]
    (tmp_path / "note.txt").write_text("kept")
    record = make_record(tmp_path, params={"x": 1, "y": 2.0}, tags={"a": "tag"})
    run_id = store.create_run(record)
    begun = store.client.get_run(run_id)
    assert begun.info.status == "RUNNING"
    assert begun.data.params == {"x": "1", "y": "2.0"}

    record.metrics, record.files = points, ["note.txt"]
    record.status, record.ended = RunStatus.FINISHED, record.started + 1234
    record.tags["verdict"] = "healthy"
    for _ in range(2):  # the second time changes nothing
        store.complete_run(run_id, record)
        run = store.client.get_run(run_id)
        assert (run.info.start_time, run.info.end_time) == (record.started, record.ended)
        assert run.info.status == "FINISHED"
        assert run.data.tags.items() >= {"a": "tag", "verdict": "healthy"}.items()
        for n in range(5):
            history = store.client.get_metric_history(run_id, f"curve/{n}")
            assert len(history) == 500
            assert {m.step: m.value for m in history} == {s: float(n * s) for s in range(500)}
        assert store.artifact_text(run_id, "note.txt") == "kept"
    assert (tmp_path / "artifacts" / run_id).is_dir()  # beside the database


def test_runs_are_found_by_what_they_are(store, tmp_path, uri):
    parent = store.create_run(make_record(tmp_path))
    records = [make_record(tmp_path, parent=parent, started=n) for n in (1, 2, 3)]
    ids = [store.create_run(record) for record in records]
    assert [run.id for run in store.runs_with_tag(PARENT, parent)] == ids[::-1]
    assert [run.id for run in store.runs_with_tag(PARENT, parent, most=1)] == ids[-1:]
    assert store.find_run_id(records[1]) == ids[1]
    assert store.find_run_id(make_record(tmp_path)) is None
    found, run = find_run(uri, parent, timeout=5)
    assert (found.experiment_id, run.name) == (store.experiment_id, "a run")
    with pytest.raises(RefusedError, match="not found"):
        find_run(uri, "0" * 32, timeout=5)


def test_more_runs_than_a_page(store, tmp_path, monkeypatch):
    monkeypatch.setattr("fanin.tracking.store.PAGE_SIZE", 2)
    for _ in range(5):
        store.create_run(make_record(tmp_path, parent="p"))
    assert len(store.runs_with_tag(PARENT, "p")) == 5


def test_a_run_that_goes_on_has_no_error_any_more(store, tmp_path):
    record = make_record(tmp_path, tags={"error": "no"}, status=RunStatus.KILLED)
    run_id = store.create_run(record)
    store.complete_run(run_id, record)
    store.reopen(run_id)
    run = store.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert "error" not in run.data.tags
    store.reopen(run_id)


def test_an_experiment_is_made_once(store, tmp_path, uri):
    again = open_store(uri, "lab", tmp_path, timeout=5)
    assert again.experiment_id == store.experiment_id


def test_looking_makes_nothing(tmp_path, uri):
    assert open_existing(uri, "lab", timeout=5) is None
    assert list(tmp_path.iterdir()) == []
    made = open_store(uri, "lab", tmp_path, timeout=5)
    assert open_existing(uri, "other", timeout=5) is None
    assert open_existing(uri, "lab", timeout=5).experiment_id == made.experiment_id


def test_a_deleted_experiment_is_named(store, tmp_path, uri):
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(StoreError, match="lab is deleted"):
        open_store(uri, "lab", tmp_path, timeout=5)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path, uri):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one" * 50)
    with pytest.raises(StoreError) as error:
        open_store(uri, "lab", tmp_path, timeout=5)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("address", ["http://localhost:1", "postgresql://me@localhost:1/db"])
def test_nobody_there_is_said_at_once(tmp_path, address):
    with pytest.raises(StoreError, match="no server answers there"):
        open_store(address, "lab", tmp_path, timeout=5)


def test_passwords_are_not_shown():
    assert mask_passwords("postgresql://me:secret@host/db") == "postgresql://***@host/db"
    assert mask_passwords("at http://token@host, and") == "at http://***@host, and"
    assert mask_passwords("http://me:p@ss@host/a b") == "http://***@host/a b"
    assert mask_passwords("http://host/?user=me&password=x&a=1").endswith("password=***&a=1")
    assert mask_passwords("http://host:5000") == "http://host:5000"
    assert mask_passwords("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_a_long_name_is_cut(store, tmp_path):
    """PostgreSQL takes 250 characters, SQLite any number."""
    record = RunRecord(uri="here", experiment="lab", name="x" * 1000, folder=str(tmp_path))
    assert len(store.client.get_run(store.create_run(record)).info.run_name) == 250


def test_an_experiment_is_given_the_tags_that_it_lacks(store, tmp_path, uri):
    """It may be of an earlier version, and a user may have written a description."""
    store.set_experiment_tag("note", "my own")
    open_store(uri, "lab", tmp_path, timeout=5, tags={"note": "ours", "kind": "training"})
    assert store.client.get_experiment(store.experiment_id).tags == {
        "note": "my own",
        "kind": "training",
    }


def test_an_experiment_is_made_where_its_tags_are_refused(tmp_path, database_uri):
    made = open_store(database_uri, "new", tmp_path, timeout=5, tags={"../no/name": "x"})
    assert made.client.get_experiment(made.experiment_id).name == "new"
    with pytest.raises(RefusedError):
        made.set_experiment_tag("../no/name", "x")


def test_a_process_opens_a_file_once(tmp_path, copy_database):
    first, second = (copy_database(tmp_path / name) for name in ("first", "second"))
    store = open_store_once(first, "lab", tmp_path, 5)
    assert open_store_once(first, "lab", tmp_path, 5) is store
    other = open_store_once(second, "lab", tmp_path, 5)
    other.create_run(make_record(tmp_path))
    assert store.search("") == []
    assert len(other.search("")) == 1


def test_runs_of_all_experiments_are_searched_the_oldest_first(store, tmp_path, uri):
    other = open_store(uri, "other", tmp_path, timeout=5)
    late = store.create_run(make_record(tmp_path, started=2000, params={"x": 1}))
    early = other.create_run(make_record(tmp_path, started=1000, params={"x": 1}))
    store.create_run(make_record(tmp_path, params={"x": 2}))
    pairs = search_all(uri, "params.x = '1'", timeout=5)
    assert [run.id for _, run in pairs] == [early, late]
    ids = [other.experiment_id, store.experiment_id]
    assert [found.experiment_id for found, _ in pairs] == ids
    with pytest.raises(RefusedError):
        search_all(uri, "no filter", timeout=5)


def test_what_is_not_there_is_not_made(tmp_path, uri):
    for ask in (lambda: find_run(uri, "0" * 32, 5), lambda: search_all(uri, "", 5)):
        with pytest.raises(StoreError, match="there is no store"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_a_store_shows_no_password():
    store = Store("http://me:secret@host", None, "1", None, 5)
    assert "secret" not in repr(store)


@pytest.mark.parametrize("has_rows", [True, False])
def test_the_history_of_metrics_is_read(store, tmp_path, has_rows, monkeypatch):
    record = make_record(tmp_path, status=RunStatus.FINISHED)
    record.metrics = [("a", 3, 1.0), ("a", 1, 5.0), ("a", 2, -1.0), ("b", 0, math.nan)]
    run_id = store.create_run(record)
    for record.ended in (2000, 1000):
        store.complete_run(run_id, record)
        record.metrics = [("a", 2, 7.0)]  # written later, but as it was before
    monkeypatch.setattr("fanin.tracking.metric_history.has_tested_schema", lambda _: has_rows)
    history = store.metric_history(run_id, ["a", "b", "none"])
    assert history.keys() == {"a", "b"}
    assert history["a"] == [(1, 5.0), (2, 7.0), (2, -1.0), (3, 1.0)]
    ((step, value),) = history["b"]
    assert step == 0
    assert math.isnan(value)
    assert store.metric_history(run_id, []) == {}


def test_an_artifact_that_is_not_there_is_a_store_error(store, tmp_path):
    with pytest.raises(StoreError):
        store.artifact_text(store.create_run(make_record(tmp_path)), "none.txt")


def test_a_fresh_database_is_made_in_silence(tmp_path, uri, capfd):
    """MLflow would announce its migrations."""
    open_store(uri, "lab", tmp_path, timeout=5)
    assert capfd.readouterr() == ("", "")
