"""Run records: files that keep a run's values and their types, and those of the format before."""

import json
import math

import pytest

from fanin.tracking.dataset import make_dataset
from fanin.tracking.run_record import FILE, FORMAT, RunRecord, RunStatus

PARAMS = {
    "init": "kaiming",
    "init.scale": 2.0,
    "depth": 50,
    "jacobian": True,
    "data.path": None,
    "x": [1, "2", {"a": 0.5}],
    "text": "2.0",
    "device": "0",
    "huge": math.inf,
}


def make_record(folder, **values) -> RunRecord:
    return RunRecord(uri="here", experiment="lab", name="a run", folder=str(folder), **values)


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = make_record(tmp_path, params=PARAMS, status=RunStatus.KILLED, tags={"a": "b"})
    record.metrics = [("a/b", 3, 0.1), ("tiny", 1, 5e-324)]
    record.dataset = make_dataset("my.csv", "0123", "/my.csv", ["a", "y"], (3, 1))
    record.write(tmp_path / FILE)
    again = RunRecord.read(tmp_path / FILE)
    assert again == record
    assert [type(value) for value in again.params.values()] == [*map(type, PARAMS.values())]
    assert again.status is RunStatus.KILLED


def test_a_record_of_the_format_before_has_values_too(tmp_path):
    """It has no format number, and all its params are texts."""
    old = {
        "uri": "here",
        "experiment": "lab",
        "name": "a run",
        "folder": "/away",
        "parent": None,
        "id": "0" * 32,
        "run_id": None,
        "status": "FINISHED",
        "started": 1,
        "ended": 2,
        "params": {
            "init": "2",
            "activation": "None",
            "data": "True",
            "loss": "mse",
            "device": "0",
            "depth": "50",
            "init.scale": "2.0",
            "timing.product": "False",
            "data.path": "None",
            "dtype": "float32",
        },
        "tags": {"verdict": "healthy"},
        "metrics": [["a", 1, 0.5]],
        "files": ["profile.csv"],
    }
    (tmp_path / FILE).write_text(json.dumps(old))
    record = RunRecord.read(tmp_path / FILE)
    assert record.params == {
        "init": "2",
        "activation": "None",
        "data": "True",
        "loss": "mse",
        "device": "0",
        "depth": 50,
        "init.scale": 2.0,
        "timing.product": False,
        "data.path": None,
        "dtype": "float32",
    }
    assert record.status is RunStatus.FINISHED
    assert record.metrics == [("a", 1, 0.5)]
    record.write(tmp_path / FILE)
    assert RunRecord.read(tmp_path / FILE) == record


@pytest.mark.parametrize(
    "change",
    [{"format": FORMAT + 1}, {"new": 1}, {"status": "odd"}, {"metrics": 3}, {"metrics": [1]}],
)
def test_a_record_of_a_later_format_is_refused(tmp_path, change):
    make_record(tmp_path).write(tmp_path / FILE)
    values = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(values | change))
    with pytest.raises(ValueError):  # noqa: PT011
        RunRecord.read(tmp_path / FILE)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", '"x"', "null", "[" * 100_000, "\x00"])
def test_what_is_no_record_is_a_value_error(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011
        RunRecord.read(tmp_path / FILE)
    assert RunRecord.read_from(tmp_path, "0" * 32) is None


def test_a_folder_is_believed_only_if_it_holds_that_very_record(tmp_path):
    record = make_record(tmp_path)
    record.write(tmp_path / FILE)
    assert RunRecord.read_from(tmp_path, record.id) == record
    assert RunRecord.read_from(tmp_path, "0" * 32) is None
    assert RunRecord.read_from(tmp_path / "none", record.id) is None
    assert RunRecord.read_from(tmp_path / ("x" * 300), record.id) is None
    assert RunRecord.read_from(tmp_path / "\x00", record.id) is None


@pytest.mark.parametrize("record_id", [None, ""])
def test_a_run_without_an_id_has_no_record(tmp_path, record_id):
    record = make_record(tmp_path)
    record.id = record_id
    record.write(tmp_path / FILE)
    assert RunRecord.read_from(tmp_path, record_id) is None
