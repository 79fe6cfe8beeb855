"""What others write into a shared store: no field becomes a path or reaches a terminal raw."""

import math
import sqlite3
from dataclasses import fields
from types import SimpleNamespace

import pytest

from fanin.tracking.run_record import RunStatus
from fanin.tracking.store import find_run, open_store
from fanin.tracking.tags import OUTPUT_DIR, RECORD_ID
from fanin.tracking.tracked_run import TrackedRun

ESCAPES = "\x1b[31mred\x1b[0m\x07\x9b\u202e"
SHOWN = "[31mred[0m"


@pytest.fixture
def read(tmp_path, database_uri):
    """A function: write a run with any client and return what fanin reads."""
    store = open_store(database_uri, "lab", tmp_path, timeout=5)

    def read(params=None, **tags: str) -> TrackedRun:
        run = store.client.create_run(
            store.experiment_id, run_name=f"a {ESCAPES} run", tags={"verdict": ESCAPES, **tags}
        )
        for name, value in (params or {"init": ESCAPES, "data.path": ESCAPES}).items():
            store.client.log_param(run.info.run_id, name, value)
        store.client.log_metric(run.info.run_id, "summary/loss", 2)
        return find_run(database_uri, run.info.run_id, 5)[1]

    return read


def read_entity(**changes) -> TrackedRun:
    """Read a run of which a server, or someone with the database at hand, sent these fields."""
    info = {"run_id": "0" * 32, "run_name": "a run", "status": "FINISHED", "start_time": 1}
    data = {"params": {}, "tags": {}, "metrics": {}}
    info |= {name: value for name, value in changes.items() if name in info}
    data |= {name: value for name, value in changes.items() if name in data}
    return TrackedRun.read(
        SimpleNamespace(info=SimpleNamespace(**info), data=SimpleNamespace(**data))
    )


def list_texts(value) -> list[str]:
    """All texts in a value, at whatever depth."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in list_texts(part)]
    if isinstance(value, list):
        return [text for item in value for text in list_texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", [field.name for field in fields(TrackedRun)])
def test_no_field_holds_a_control_character(read, name):
    from_store = read(params={"init": ESCAPES, "x": repr([ESCAPES, {ESCAPES: ESCAPES}])})
    from_entity = read_entity(
        run_id=ESCAPES,
        run_name=ESCAPES,
        status=ESCAPES,
        start_time=ESCAPES,
        params={ESCAPES: ESCAPES, "x": repr((ESCAPES,))},
        tags={ESCAPES: ESCAPES, RECORD_ID: ESCAPES},
        metrics={ESCAPES: 1.0},
    )
    for run in (from_store, from_entity):
        assert all(text.isprintable() for text in list_texts(getattr(run, name)))


def test_each_field_is_of_its_type(read):
    run = read()
    assert len(run.id) == 32
    assert run.name == f"a {SHOWN} run"
    assert run.status is RunStatus.RUNNING
    assert isinstance(run.started, int)
    assert run.params == {"init": SHOWN, "data.path": SHOWN}
    assert run.tags["verdict"] == SHOWN
    assert run.metrics == {"summary/loss": 2.0}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("depth", "50", 50),
        ("init.scale", "2.0", 2.0),
        ("seed", str(2**64 - 1), 2**64 - 1),
        ("jacobian", "True", True),
        ("data.path", "None", None),
        ("x", "[1, 'a']", [1, "a"]),
        ("x", "{'a': [True]}", {"a": [True]}),
        ("x", "-inf", -math.inf),
        ("x", f"-0x{'f' * 5000}", -math.inf),  # a number that str refuses
        ("x", "a word", "a word"),
        ("x", "[" * 3000, "[" * 3000),
        ("x", "(1, 2)", "(1, 2)"),
        ("x", "[(1, 2)]", ["(1, 2)"]),
        ("x", r"'\x1b[31mred\u202e'", "[31mred"),
        ("x", r"[{'\x1b': '\x07'}]", [{"": ""}]),
        ("init", "2", "2"),
        ("activation", "None", "None"),
        ("data", "True", "True"),
        ("loss", "[1]", "[1]"),
        ("device", "0", "0"),
    ],
)
def test_params_are_values_and_option_names_texts(name, text, value):
    (read,) = read_entity(params={name: text}).params.values()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("word", ["SCHEDULED", "of a later MLflow", ""])
def test_an_unknown_status_is_kept(word):
    assert read_entity(status=word).status == word


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_known_status_is_one_of_ours(status):
    assert read_entity(status=status.value).status is status
    assert f"{status}" == status.value


def test_what_is_no_number_is_dropped():
    values = {"a": 1.5, "b": "1.5", "c": None, "d": math.inf, "e": 2, "f": b"\x00"}
    run = read_entity(metrics=values, start_time="yesterday")
    assert run.metrics == {"a": 1.5, "d": math.inf, "e": 2.0}
    assert run.started == 0
    assert read_entity(start_time=None).started == 0


def test_a_number_that_the_database_has_as_a_text_is_dropped(read, tmp_path, database_uri):
    run = read()
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("UPDATE latest_metrics SET value = 'many'")
        connection.execute("UPDATE tags SET value = NULL WHERE key = 'verdict'")
    connection.close()
    again = find_run(database_uri, run.id, 5)[1]
    assert again.metrics == {}
    assert again.tags["verdict"] == ""


@pytest.mark.parametrize("missing", [None, ""])
def test_what_is_missing_is_an_empty_text(missing):
    run = read_entity(run_name=missing, tags={"a": missing, RECORD_ID: missing})
    assert (run.name, run.tags["a"], run.record_id) == ("", "", None)


def test_a_text_can_be_written_in_utf_8():
    read_entity(run_name="\ud800 x").name.encode()


@pytest.mark.parametrize(
    "record_id",
    ["", "../../../etc/x", "0" * 31, "0" * 33, "A" * 32, f"{'0' * 31}/", "0" * 32 + "\n"],
)
def test_a_record_id_is_32_hex_digits_or_nothing(read, record_id):
    assert read(**{RECORD_ID: record_id}).record_id is None
    assert read().record_id is None


def test_a_record_id_of_32_hex_digits_is_taken(read):
    assert read(**{RECORD_ID: "0af" + "1" * 29}).record_id == "0af" + "1" * 29


def test_an_output_folder_is_what_the_tag_says_and_no_more(tmp_path):
    """Whether its files are the run's, `RunRecord.read_from` tells."""
    assert read_entity(tags={OUTPUT_DIR: str(tmp_path)}).output_dir == tmp_path
    assert str(read_entity().output_dir) == "."
