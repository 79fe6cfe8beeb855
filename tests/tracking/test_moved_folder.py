"""A project folder that was moved: its store has the old paths, and everything is found."""

import pytest

from fanin.tracking.artifacts import find_moved_artifacts
from fanin.tracking.errors import StoreError
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.store import find_run, open_store


def track(store, folder, run_id=None, text="kept") -> str:
    """Track a run with a file and a curve, or continue one; its id."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note.txt").write_text(text)
    record = RunRecord(uri="here", experiment="lab", name="a run", folder=str(folder))
    run_id = run_id or store.create_run(record)
    record.status, record.ended = RunStatus.FINISHED, record.started + 1
    record.files, record.metrics = ["note.txt"], [("a", 1, 0.5), ("a", 2, 0.25)]
    store.complete_run(run_id, record)
    return run_id


@pytest.fixture
def moved(tmp_path, copy_database):
    """The id of a run, the address of its store, and the folder, which was renamed since."""
    old, new = tmp_path / "old" / "project", tmp_path / "new place (1)"
    store = open_store(copy_database(old / "outputs"), "lab", tmp_path, timeout=5)
    run_id = track(store, old / "outputs" / "run")
    old.rename(new)
    return run_id, f"sqlite:///{new}/outputs/mlflow.db", new / "outputs"


def test_artifacts_and_curves_are_read(moved):
    run_id, uri, _ = moved
    store, run = find_run(uri, run_id, timeout=5)
    assert store.artifact_text(run_id, "note.txt") == "kept"
    assert store.metric_history(run_id, ["a"]) == {"a": [(1, 0.5), (2, 0.25)]}
    assert run.id == run_id
    with pytest.raises(StoreError):
        store.artifact_text(run_id, "none.txt")


def test_artifacts_are_read_though_something_is_at_the_old_place(moved, tmp_path):
    run_id, uri, _ = moved
    (tmp_path / "old" / "project" / "outputs" / "artifacts").mkdir(parents=True)
    store, _ = find_run(uri, run_id, timeout=5)
    assert store.artifact_text(run_id, "note.txt") == "kept"


def test_a_copy_reads_what_is_still_at_the_old_place(tmp_path, copy_database):
    """The store says where the artifacts are, and they are there."""
    store = open_store(copy_database(tmp_path / "old"), "lab", tmp_path, timeout=5)
    run_id = track(store, tmp_path / "old" / "run")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "mlflow.db").write_bytes((tmp_path / "old" / "mlflow.db").read_bytes())
    found, _ = find_run(f"sqlite:///{copy}/mlflow.db", run_id, timeout=5)
    assert found.artifact_text(run_id, "note.txt") == "kept"


def test_runs_that_go_on_or_begin_have_their_files_in_the_new_place(moved, tmp_path):
    run_id, uri, outputs = moved
    store = open_store(uri, "lab", tmp_path, timeout=5)
    store.reopen(run_id)
    track(store, outputs / "run", run_id, "new")
    begun = track(store, outputs / "other", text="other")
    assert not (tmp_path / "old" / "project").exists()
    for one, text in ((run_id, "new"), (begun, "other")):
        assert store.artifact_text(one, "note.txt") == text
        assert [file.path for file in store.client.list_artifacts(one)] == ["note.txt"]  # as the UI


@pytest.mark.parametrize("run_id", ["../../etc", "", "0" * 31 + "/", "A" * 32])
def test_a_foreign_id_leads_nowhere(tmp_path, run_id):
    assert find_moved_artifacts("/gone/artifacts/x/artifacts", run_id, tmp_path / "m.db") is None


@pytest.mark.parametrize(
    "location", ["s3://bucket/x", "http://host/x", "mlflow-artifacts:/1/x", "nowhere://x"]
)
def test_what_is_on_no_disk_has_not_moved(tmp_path, location):
    assert find_moved_artifacts(location, "0" * 32, tmp_path / "m.db") is None


@pytest.mark.parametrize("location", ["/", "file:///", "x", "/gone"])
def test_a_short_path_is_no_error(tmp_path, location):
    assert find_moved_artifacts(location, "0" * 32, tmp_path / "m.db") is None
