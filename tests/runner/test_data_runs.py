"""What a run and a sweep tell of their data: on the screen, in tags, in MLflow's data sets."""

import json
import re
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from fanin.tracking import store as store_module
from fanin.tracking.client_writer import ClientWriter

IRIS = "id;length;width;kind\n" + "".join(
    f"{n};{n % 7},5;{1000 + n * n};{'setosa' if n % 3 else 'virginica'}\n" for n in range(60)
)
SUMMARY = (
    "my.csv: 60 rows, 2 features (length, width), target kind of 2 classes (setosa, virginica); "
    "each feature standardised; semicolon-separated; decimal comma; left out id, which counts the "
    "rows; the batch is the whole set"
)
OWN = ["data=file", "data.path=my.csv", "loss=cross_entropy", "depth=2"]


@pytest.fixture
def table(workplace):
    (workplace.folder / "my.csv").write_text(IRIS)
    return workplace


def test_a_run_says_what_it_understood(table):
    done = table.run(*OWN)
    assert f"data: {SUMMARY}\n" in done.stdout
    (run,) = table.runs()
    assert run.data.tags["data.summary"] == SUMMARY
    assert run.data.tags["data.classes"] == "setosa, virginica"
    assert "data.warning" not in run.data.tags
    (used,) = run.inputs.dataset_inputs
    dataset = used.dataset
    assert (dataset.name, dataset.source_type) == ("my.csv", "local")
    assert json.loads(dataset.source) == {"uri": str(table.folder / "my.csv")}
    columns = json.loads(dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == ["length", "width", "kind"]
    assert re.fullmatch(r"[0-9a-f]{16}", dataset.digest)
    assert json.loads(dataset.profile) == {"num_rows": 60, "num_elements": 120}


def test_raw_inputs_far_from_1_are_told(table):
    done = table.run(*OWN, "data.standardize=false")
    (line,) = re.findall("the inputs have a second moment of .*", done.stdout)
    assert line.endswith("data.standardize=true scales each feature to mean 0 and std 1")
    assert table.runs()[0].data.tags["data.warning"] == line


def test_a_sweep_says_it_once_for_each_data_set(table):
    done = table.run("-m", *OWN, "init=xavier,kaiming", "data.seed=0,1")
    assert done.stdout.count("data: ") == 1
    assert done.stdout.startswith(f"data: {SUMMARY}\n")
    children = table.children()
    assert len(children) == 4
    assert {run.data.tags["data.summary"] for run in children} == {SUMMARY}
    names = {run.inputs.dataset_inputs[0].dataset.digest for run in children}
    assert len(names) == 1  # one data set, however its rows are drawn
    assert not table.parents()[0].inputs.dataset_inputs
    table.run("-m", "data=wine,diabetes", "depth=1,2")


def test_drawn_data_has_a_data_set_and_no_line(workplace):
    done = workplace.run("-m", "data.seed=0,1", "depth=1")
    assert "data:" not in done.stdout
    runs = workplace.children()
    sets = [run.inputs.dataset_inputs[0].dataset for run in runs]
    assert {one.name for one in sets} == {"gaussian"}
    assert sets[0].digest != sets[1].digest
    assert json.loads(sets[0].source)["tags"] == {
        "mlflow.source.name": "fanin.runner.data.Gaussian"
    }


def test_both_writers_log_the_same_data_set(table, monkeypatch):
    table.run_here(*OWN)
    make_store = store_module._make_store

    def with_client(client: MlflowClient, uri, experiment_id, timeout):
        made = make_store(client, uri, experiment_id, timeout)
        return replace(made, writer=ClientWriter(client, experiment_id))

    monkeypatch.setattr(store_module, "_make_store", with_client)
    table.run_here(*OWN)
    first, second = (run.inputs.dataset_inputs for run in table.runs())
    assert [one.dataset.to_dictionary() for one in first] == [
        one.dataset.to_dictionary() for one in second
    ]


@pytest.mark.parametrize(
    ("name", "line", "complaint"),
    [
        (
            "words.csv",
            [],
            "loss=mse data=file: needs numbers as targets, and kind has words (a, b)",
        ),
        ("prices.csv", ["loss=cross_entropy"], "numbers such as 0.5; use loss=mse"),
        ("many.csv", ["loss=cross_entropy"], "values in 10,000 rows are too many; use loss=mse"),
    ],
)
def test_the_wrong_loss_names_the_other(workplace, name, line, complaint):
    texts = {
        "words.csv": "a,kind\n1,a\n5,b\n7,a\n",
        "prices.csv": "a,price\n1,0.5\n5,2\n7,9\n",
        "many.csv": "a,y\n" + "".join(f"{n * n},{n}\n" for n in range(10_000)),
    }
    (workplace.folder / name).write_text(texts[name])
    done = workplace.run_here("data=file", f"data.path={name}", *line, status=1)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_cell_has_no_hint_to_exclude_a_job(workplace):
    (workplace.folder / "bad.csv").write_text("a,y\n1,0\n5,1\n7x,0\n")
    line = ["-m", "data=file", "data.path=bad.csv"]
    done = workplace.run_here(*line, "init=xavier,kaiming", status=1)
    assert done.stderr == (
        "fanin: data.path=bad.csv: line 4, column a has '7x' among numbers; correct it, or leave "
        "it empty and set data.missing\n"
    )
    done = workplace.run_here(*line[:2], "data.path=none.csv", "init=xavier,kaiming", status=1)
    assert done.stderr == "fanin: data.path=none.csv: there is no such file\n"
    (workplace.folder / "good.csv").write_text("a,y\n1,0\n5,1\n7,0\n")
    done = workplace.run_here(*line, "data.path=bad.csv,good.csv", status=1)
    assert "add 'sweep.exclude=[{data.path: bad.csv}]'" in done.stderr


def test_a_tracked_run_of_a_file_is_repeated(table):
    table.run(*OWN, "data.target=kind", "data.missing=drop")
    (run,) = table.runs()
    table.run("-m", f"from_run={run.info.run_id}")
    again = table.children()[0]
    assert again.data.tags["config.hash"] == run.data.tags["config.hash"]
    assert again.data.tags["data.summary"] == SUMMARY
