"""The tracking store, on real SQLite databases."""

import pytest

from fanin.tracking.run_record import Record
from fanin.tracking.store import (
    PARENT,
    RefusedError,
    StoreError,
    connect,
    look,
    run_of,
    without_password,
)


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def store(tmp_path, uri):
    return connect(uri, "lab", tmp_path / "unused", timeout=5)


def a_record(tmp_path, **values) -> Record:
    return Record(uri="here", experiment="lab", name="a run", folder=str(tmp_path), **values)


def test_a_record_is_a_run_with_all_that_it_says(store, tmp_path):
    points = [(f"curve/{n}", step, float(n * step)) for n in range(5) for step in range(500)]
    (tmp_path / "note.txt").write_text("kept")
    record = a_record(tmp_path, params={"x": "1"}, tags={"a": "tag"})
    run_id = store.create(record)
    begun = store.client.get_run(run_id)
    assert begun.info.status == "RUNNING"
    assert begun.data.params == {"x": "1"}

    record.metrics, record.files = points, ["note.txt"]
    record.status, record.ended = "FINISHED", record.started + 1234
    record.tags["verdict"] = "healthy"
    for _ in range(2):  # the second time changes nothing
        store.complete(run_id, record)
        run = store.client.get_run(run_id)
        assert (run.info.start_time, run.info.end_time) == (record.started, record.ended)
        assert run.info.status == "FINISHED"
        assert run.data.tags.items() >= {"a": "tag", "verdict": "healthy"}.items()
        for n in range(5):
            history = store.client.get_metric_history(run_id, f"curve/{n}")
            assert len(history) == 500
            assert {m.step: m.value for m in history} == {s: float(n * s) for s in range(500)}
        assert store.file(run_id, "note.txt") == "kept"
    assert (tmp_path / "artifacts" / run_id).is_dir()  # beside the database


def test_runs_are_found_by_what_they_are(store, tmp_path, uri):
    parent = store.create(a_record(tmp_path))
    records = [a_record(tmp_path, parent=parent, started=n) for n in (1, 2, 3)]
    ids = [store.create(record) for record in records]
    assert [run.id for run in store.runs(PARENT, parent)] == ids[::-1]
    assert [run.id for run in store.runs(PARENT, parent, most=1)] == ids[-1:]
    assert store.find(records[1]) == ids[1]
    assert store.find(a_record(tmp_path)) is None
    found, run = run_of(uri, parent, timeout=5)
    assert (found.experiment_id, run.name) == (store.experiment_id, "a run")
    with pytest.raises(RefusedError, match="not found"):
        run_of(uri, "0" * 32, timeout=5)


def test_more_runs_than_a_page(store, tmp_path, monkeypatch):
    monkeypatch.setattr("fanin.tracking.store.PAGE", 2)
    for _ in range(5):
        store.create(a_record(tmp_path, parent="p"))
    assert len(store.runs(PARENT, "p")) == 5


def test_a_run_that_goes_on_has_no_error_any_more(store, tmp_path):
    record = a_record(tmp_path, tags={"error": "no"}, status="KILLED")
    run_id = store.create(record)
    store.complete(run_id, record)
    store.reopen(run_id)
    run = store.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert "error" not in run.data.tags
    store.reopen(run_id)


def test_an_experiment_is_made_once(store, tmp_path, uri):
    again = connect(uri, "lab", tmp_path, timeout=5)
    assert again.experiment_id == store.experiment_id


def test_looking_makes_nothing(tmp_path, uri):
    assert look(uri, "lab", timeout=5) is None
    assert list(tmp_path.iterdir()) == []
    made = connect(uri, "lab", tmp_path, timeout=5)
    assert look(uri, "other", timeout=5) is None
    assert look(uri, "lab", timeout=5).experiment_id == made.experiment_id


def test_a_deleted_experiment_is_named(store, tmp_path, uri):
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(StoreError, match="lab is deleted"):
        connect(uri, "lab", tmp_path, timeout=5)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path, uri):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one" * 50)
    with pytest.raises(StoreError) as error:
        connect(uri, "lab", tmp_path, timeout=5)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("address", ["http://localhost:1", "postgresql://me@localhost:1/db"])
def test_nobody_there_is_said_at_once(tmp_path, address):
    with pytest.raises(StoreError, match="no server answers there"):
        connect(address, "lab", tmp_path, timeout=5)


def test_passwords_are_not_shown():
    assert without_password("postgresql://me:secret@host/db") == "postgresql://***@host/db"
    assert without_password("at http://token@host, and") == "at http://***@host, and"
    assert without_password("http://me:p@ss@host/a b") == "http://***@host/a b"
    assert without_password("http://host/?user=me&password=x&a=1").endswith("password=***&a=1")
    assert without_password("http://host:5000") == "http://host:5000"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_a_long_name_is_cut(store, tmp_path):
    """PostgreSQL takes 250 characters, SQLite any number."""
    record = Record(uri="here", experiment="lab", name="x" * 1000, folder=str(tmp_path))
    assert len(store.client.get_run(store.create(record)).info.run_name) == 250


def test_an_experiment_is_given_the_tags_that_it_lacks(store, tmp_path, uri):
    """It may be of an earlier version, and a user may have written a description."""
    store.tag_experiment("note", "my own")
    connect(uri, "lab", tmp_path, timeout=5, tags={"note": "ours", "kind": "training"})
    assert store.client.get_experiment(store.experiment_id).tags == {
        "note": "my own",
        "kind": "training",
    }


def test_an_experiment_is_made_where_its_tags_are_refused(tmp_path, uri):
    made = connect(uri, "new", tmp_path, timeout=5, tags={"../no/name": "x"})
    assert made.client.get_experiment(made.experiment_id).name == "new"
    with pytest.raises(RefusedError):
        made.tag_experiment("../no/name", "x")
