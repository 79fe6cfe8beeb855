"""The tracking store, on real SQLite databases."""

import pytest

from fanin.tracking.store import StoreError, connect, without_password


@pytest.fixture
def store(tmp_path):
    return connect(f"sqlite:///{tmp_path}/mlflow.db", "lab", tmp_path / "unused")


def status(store, run) -> str:
    return store.client.get_run(run.id).info.status


def test_a_run_ends_with_a_true_status(store):
    with store.run("fine", {}) as fine:
        assert status(store, fine) == "RUNNING"
    assert status(store, fine) == "FINISHED"

    with pytest.raises(ValueError, match="no"), store.run("bad", {}) as bad:
        raise ValueError("no")
    assert status(store, bad) == "FAILED"

    with pytest.raises(KeyboardInterrupt), store.run("stopped", {}) as stopped:
        raise KeyboardInterrupt
    assert status(store, stopped) == "KILLED"


def test_a_child_names_its_parent(store):
    with store.run("parent", {}) as parent, store.run("child", {}, parent=parent.id) as child:
        pass
    assert store.client.get_run(child.id).data.tags["mlflow.parentRunId"] == parent.id


def test_more_metrics_than_one_call_takes(store):
    points = [(f"curve/{n}", step, float(n * step)) for n in range(5) for step in range(500)]
    with store.run("many", {"a": "tag"}) as run:
        run.log(params={"x": 1}, metrics=points, tags={"verdict": "healthy"})
    for n in range(5):
        history = store.client.get_metric_history(run.id, f"curve/{n}")
        assert {m.step: m.value for m in history} == {s: float(n * s) for s in range(500)}
    data = store.client.get_run(run.id).data
    assert data.params == {"x": "1"}
    assert data.tags["verdict"] == "healthy"
    assert data.tags["a"] == "tag"


def test_a_file_is_kept_beside_the_database(store, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("kept")
    with store.run("with a file", {}) as run:
        run.attach(path)
    (kept,) = (tmp_path / "artifacts").rglob("note.txt")
    assert kept.read_text() == "kept"


def test_an_experiment_is_made_once(store, tmp_path):
    again = connect(f"sqlite:///{tmp_path}/mlflow.db", "lab", tmp_path)
    assert again.experiment_id == store.experiment_id


def test_a_deleted_experiment_is_named(store, tmp_path):
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(StoreError, match="lab is deleted"):
        connect(f"sqlite:///{tmp_path}/mlflow.db", "lab", tmp_path)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one" * 50)
    with pytest.raises(StoreError) as error:
        connect(f"sqlite:///{tmp_path}/mlflow.db", "lab", tmp_path)
    assert "\n" not in str(error.value)


def test_passwords_are_not_shown():
    assert without_password("postgresql://me:secret@host/db") == "postgresql://***@host/db"
    assert without_password("at http://token@host, and") == "at http://***@host, and"
    assert without_password("http://me:p@ss@host/a b") == "http://***@host/a b"
    assert without_password("http://host/?user=me&password=x&a=1").endswith("password=***&a=1")
    assert without_password("http://host:5000") == "http://host:5000"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
