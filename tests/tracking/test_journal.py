"""The journal: whatever ends a process, its run gets to the store once, with a true status."""

import json
import os
import shutil
import signal
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest
import ready

from fanin.tracking.client_writer import ClientWriter
from fanin.tracking.errors import StoreError
from fanin.tracking.journal import Journal, StillRunningError
from fanin.tracking.run_record import FILE, RunRecord, RunStatus
from fanin.tracking.store import open_store

PROCESSES = ready.context()


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


@pytest.fixture
def store(tmp_path, database_uri):
    return open_store(database_uri, "lab", tmp_path, timeout=5)


def make_record(tmp_path, name="a run") -> RunRecord:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return RunRecord(uri="here", experiment="lab", name=name, folder=str(folder), params={"x": 1})


def list_runs(store):
    return store.client.search_runs([store.experiment_id])


def fail_to_connect(record):
    raise StoreError("it is away")


def list_suffixes(journal):
    return sorted(path.suffix for path in journal.folder.iterdir())


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (ValueError("not\ntoday"), "FAILED"), (KeyboardInterrupt(), "KILLED")],
)
def test_a_run_ends_with_a_true_status(journal, store, tmp_path, error, status):
    record = make_record(tmp_path)
    ends = pytest.raises(type(error)) if error else nullcontext()
    with ends, journal.run(record, lambda _: store) as run_id:
        assert store.client.get_run(run_id).info.status == "RUNNING"
        record.metrics.append(("m", 1, 2.0))
        if error:
            raise error
    (run,) = list_runs(store)
    assert run.info.status == status
    assert run.data.metrics == {"m": 2.0}
    assert list_suffixes(journal) == []
    if status == "FAILED":
        assert run.data.tags["error"] == "ValueError: not today"
        assert "Traceback" in store.artifact_text(run.info.run_id, "traceback.txt")


def test_a_run_that_ends_while_the_store_is_away_waits_and_is_delivered_once(
    journal, store, tmp_path
):
    early, late = make_record(tmp_path, "early"), make_record(tmp_path, "late")
    with journal.run(early, lambda _: store) as run_id:
        early.metrics.append(("m", 1, 1.0))
        writer = store.writer
        object.__setattr__(store, "writer", object())  # whatever is called raises
    object.__setattr__(store, "writer", writer)
    with journal.run(late, fail_to_connect) as no_id:
        late.metrics.append(("m", 1, 2.0))
    assert no_id is None
    assert [run.info.status for run in list_runs(store)] == ["RUNNING"]
    assert journal.waiting_count(lambda _: True) == 2

    assert journal.flush_pending(fail_to_connect, lambda _: True).waiting == 2
    result = journal.flush_pending(lambda _: store, lambda _: True)
    assert (result.delivered, result.waiting) == (2, 0)
    assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 0
    runs = {run.info.run_name: run for run in list_runs(store)}
    assert runs["early"].info.run_id == run_id
    for record in (early, late):
        info = runs[record.name].info
        assert (info.status, info.start_time, info.end_time) == (
            "FINISHED",
            record.started,
            record.ended,
        )
        assert runs[record.name].data.params == {"x": "1"}
    assert len(runs) == 2
    assert list_suffixes(journal) == []


def test_a_delivery_that_was_cut_off_is_finished(journal, store, tmp_path):
    """The store has made the run, but the answer was lost."""
    record = make_record(tmp_path)

    def lose_the_answer(record):
        store.create_run(record)
        raise StoreError("no answer")

    with journal.run(record, lose_the_answer):
        pass
    journal.flush_pending(lambda _: store, lambda _: True)
    (run,) = list_runs(store)
    assert run.info.status == "FINISHED"


def test_a_store_that_is_away_is_left_alone_for_a_while(journal, store, tmp_path):
    asked = []

    def ask(record):
        asked.append(record.name)
        raise StoreError("away")

    for name in ("first", "second"):
        with journal.run(make_record(tmp_path, name), ask):
            pass
    assert asked == ["first"]
    journal.flush_pending(lambda _: store, lambda _: True)  # it is back
    with journal.run(make_record(tmp_path, "third"), lambda _: store) as run_id:
        assert run_id


def test_a_refused_record_does_not_hold_up_the_others(journal, store, tmp_path):
    bad = make_record(tmp_path, "0 bad")
    bad.params = {"not a name for a param: *": 1}
    bad.id = "0" * 32  # delivered first
    for record in (bad, make_record(tmp_path, "good")):
        with journal.run(record, fail_to_connect):
            pass
    strict = replace(
        store, writer=ClientWriter(store.client, store.experiment_id)
    )  # it checks names
    result = journal.flush_pending(lambda _: strict, lambda _: True)
    assert (result.delivered, result.waiting) == (1, 1)
    assert "Invalid value" in result.reasons["here"]


def hold_forever(journal: Journal, record: RunRecord, uri: str, begun) -> None:
    with journal.run(record, lambda r: open_store(uri, r.experiment, journal.folder, timeout=5)):
        begun.set()
        time.sleep(600)


@pytest.mark.slow
def test_a_run_whose_process_is_gone_was_killed(journal, store, tmp_path):
    record = make_record(tmp_path)
    begun = PROCESSES.Event()
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    process = PROCESSES.Process(target=hold_forever, args=(journal, record, uri, begun))
    process.start()
    try:
        assert begun.wait(60)
        assert journal.running_count(lambda _: True) == 1
        assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 0
        with pytest.raises(StillRunningError), journal.run(record, lambda _: store):
            pass
        assert [run.info.status for run in list_runs(store)] == ["RUNNING"]
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    finally:
        process.kill()
    assert journal.running_count(lambda _: True) == 0
    assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 1
    (run,) = list_runs(store)
    assert run.info.status == "KILLED"
    assert "ended from outside" in run.data.tags["error"]
    assert list_suffixes(journal) == []


def test_the_first_run_is_begun_in_a_store_that_answers_or_not_at_all(journal, store, tmp_path):
    record = make_record(tmp_path)
    with journal.run(make_record(tmp_path, "before"), fail_to_connect):
        pass  # the store is left alone from now on
    with (
        pytest.raises(StoreError, match="away"),
        journal.run(record, fail_to_connect, must_open=True),
    ):
        pass
    assert journal.waiting_count(lambda r: r.id == record.id) == 0
    with journal.run(record, lambda _: store, must_open=True) as run_id:
        assert run_id


def test_what_waits_is_not_lost_with_its_folder(journal, store, tmp_path):
    """Another run uses the folder, or somebody removes it, before the store is back."""
    used, removed, cut_off = (
        make_record(tmp_path, name) for name in ("used", "removed", "cut off")
    )
    for record in (used, removed):
        with journal.run(record, fail_to_connect):
            (tmp_path / record.name / "note.txt").write_text("mine")
            record.files.append("note.txt")
            record.metrics.append(("m", 1, 2.0))
    cut_off.files.append("note.txt")
    cut_off.write(journal.folder / f"{cut_off.id}.json")
    shutil.rmtree(removed.folder)
    shutil.rmtree(cut_off.folder)
    other = make_record(tmp_path, "used")
    with journal.run(other, lambda _: store, must_open=True):
        (tmp_path / "used" / "note.txt").write_text("not mine")

    assert journal.flush_pending(lambda _: store, lambda _: True).waiting == 0
    by_record = {run.data.tags["record.id"]: run for run in list_runs(store)}
    for record in (used, removed):
        run = by_record[record.id]
        assert (run.info.status, run.data.metrics) == ("FINISHED", {"m": 2.0})
        assert store.client.list_artifacts(run.info.run_id) == []
    assert by_record[cut_off.id].info.status == "KILLED"


@pytest.mark.parametrize("is_of_this_attempt", [True, False])
def test_a_process_that_dies_while_it_delivers(journal, store, tmp_path, is_of_this_attempt):
    """Its last word is in its folder by then; that of an attempt before does not count."""
    record = make_record(tmp_path)
    journal.folder.mkdir()
    record.write(journal.folder / f"{record.id}.json")
    record.metrics.append(("m", 1, 2.0))
    record.status, record.ended = RunStatus.FINISHED, record.started + 5
    record.started -= not is_of_this_attempt
    record.write(tmp_path / record.name / FILE)
    assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 1
    (run,) = list_runs(store)
    status, metrics = ("FINISHED", {"m": 2.0}) if is_of_this_attempt else ("KILLED", {})
    assert (run.info.status, run.data.metrics, run.data.params) == (status, metrics, {"x": "1"})


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", '{"id": "x", "new": 1, "metrics": []}'])
def test_an_entry_that_cannot_be_read_hinders_no_other(journal, store, tmp_path, text):
    with journal.run(make_record(tmp_path), fail_to_connect):
        pass
    (journal.folder / "0.json").write_text(text)
    assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 1
    assert (journal.folder / "0.unreadable").read_text() == text


def test_an_entry_of_the_version_before_is_delivered(journal, store, tmp_path):
    """It has no format number, and its params are texts."""
    record = make_record(tmp_path)
    journal.folder.mkdir()
    old = {**vars(record), "params": {"init": "2", "depth": "50", "init.scale": "2.0"}}
    (journal.folder / f"{record.id}.json").write_text(json.dumps(old))
    assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 1
    (run,) = list_runs(store)
    assert run.info.status == "KILLED"
    assert run.data.params == {"init": "2", "depth": "50", "init.scale": "2.0"}


def test_a_broken_record_in_the_folder_of_a_killed_run_does_not_count(journal, store, tmp_path):
    record = make_record(tmp_path)
    journal.folder.mkdir()
    record.write(journal.folder / f"{record.id}.json")
    (tmp_path / record.name / FILE).write_text("{")
    assert journal.flush_pending(lambda _: store, lambda _: True).delivered == 1
    assert [run.info.status for run in list_runs(store)] == ["KILLED"]


def test_a_run_that_waits_is_not_lost_to_one_that_claims_its_id(journal, store, tmp_path):
    journal.folder.mkdir(exist_ok=True)
    waiting = replace(make_record(tmp_path), parent="p")
    waiting.write(journal._entry(waiting))
    foreign = replace(make_record(tmp_path), id=waiting.id)
    run_id = store.create_run(foreign)
    before = journal._entry(waiting).read_text()
    with (
        pytest.raises(StoreError, match="of another run, which waits"),
        journal.run(foreign, lambda _: store, run_id, must_open=True),
    ):
        pytest.fail("it was continued")
    assert journal._entry(waiting).read_text() == before
