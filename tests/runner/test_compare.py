"""Tracked runs of several sweeps beside each other, from the store alone."""

import shutil

import pandas as pd
import pytest
from workplace import Workplace

import fanin
from fanin.config.errors import SettingError
from fanin.runner.varying import swept_params, varying_params


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A sweep of two, and a single run; nothing is left of them but the store."""
    workplace = Workplace(tmp_path_factory.mktemp("compare"))
    workplace.run("-m", "init=xavier,kaiming", "depth=4")
    workplace.run("init=normal", "depth=6", "activation=tanh")
    for folder in ("sweep", "run"):
        shutil.rmtree(workplace.folder / folder)
    (single,) = (r for r in workplace.runs() if r.data.params.get("depth") == "6")
    (sweep,) = workplace.parents()
    return workplace, sweep.info.run_id, single.info.run_id


def test_a_sweep_and_a_run_are_drawn_beside_each_other(two):
    workplace, sweep, single = two
    done = workplace.fanin("compare", sweep, single, "--to", "figures")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert {tuple(row[:3]) for row in rows[2:5]} == {
        ("xavier", "relu", "4"),
        ("kaiming", "relu", "4"),
        ("normal", "tanh", "6"),
    }
    assert {path.name for path in (workplace.folder / "figures").iterdir()} == {
        "comparison.csv",
        "comparison.html",
        "comparison.png",
        "comparison.svg",
        "profiles.parquet",
        "timings.png",
        "timings.svg",
    }


def test_the_same_as_data(two):
    workplace, sweep, single = two
    frame = fanin.load(sweep, single, uri=workplace.uri)
    assert len(frame) == 4 + 4 + 6
    assert frame.groupby("run_id")["layer"].max().to_dict()[single] == 6
    run = workplace.client().get_run(single)
    curve = frame.loc[frame["run_id"] == single].set_index("layer")["activation/std"]
    assert curve.to_dict() == workplace.curve(run, "activation/std")
    assert set(frame["activation"]) == {"relu", "tanh"}


def test_a_filter_and_all_runs(two):
    workplace, sweep, single = two
    tanh = fanin.load("params.activation = 'tanh'", uri=workplace.uri)
    assert set(tanh["run_id"]) == {single}
    both = fanin.load("params.activation = 'tanh'", single, sweep, uri=workplace.uri)
    pd.testing.assert_frame_equal(
        both.sort_values(["run_id", "layer"], ignore_index=True),
        fanin.load(uri=workplace.uri).sort_values(["run_id", "layer"], ignore_index=True),
        check_like=True,  # columns are in the order of the first run that has them
    )


def test_the_store_is_that_of_run_py(two, monkeypatch):
    workplace, _, single = two
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workplace.uri)
    assert set(fanin.load(single)["run_id"]) == {single}


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("abc", "abc: Invalid clause.*use the 32 digits of a run's id, or a filter"),
        (32 * "a", f"{32 * 'a'}: Run with id={32 * 'a'} not found"),
        ("params.depth = '7'", "params.depth = '7': no finished run in sqlite:"),
    ],
)
def test_what_leads_to_no_run_is_one_line(two, reference, says):
    workplace, _, _ = two
    with pytest.raises(SettingError, match=says):
        fanin.load(reference, uri=workplace.uri)


def test_a_store_that_is_not_there_is_not_made(workplace):
    uri = f"sqlite:///{workplace.folder}/none.db"
    done = workplace.fanin("compare", 32 * "a", "--uri", uri, status=1)
    assert done.stderr.startswith(f"fanin: {uri}: there is no store")
    assert [*workplace.folder.iterdir()] == []


def params(**values):
    return {name.replace("__", "."): value for name, value in values.items()}


def test_settings_that_go_with_an_option_do_not_vary_of_themselves():
    xavier = params(init="xavier", init__scale=1.0, depth=5, tracking__timeout=10)
    kaiming = params(init="kaiming", init__scale=2.0, depth=5, tracking__timeout=20)
    other = params(init="kaiming", init__scale=2.5, depth=5, tracking__timeout=10)
    orthogonal = params(init="orthogonal", depth=5, tracking__timeout=10)
    assert varying_params([xavier, kaiming]) == ["init"]
    assert varying_params([xavier, kaiming, orthogonal]) == ["init"]
    assert varying_params([kaiming, other]) == ["init.scale"]
    assert varying_params([xavier, kaiming, other]) == ["init", "init.scale"]
    assert varying_params([kaiming]) == []


def test_a_sweep_varies_in_what_its_line_sweeps():
    jobs = [["depth=1", "+init=xavier", "hidden_size=${depth}"], ["depth=2", "+init=kaiming"]]
    jobs[1].append("hidden_size=${depth}")
    assert swept_params(jobs, params(init="xavier", depth=1, hidden_size=1)) == ["depth", "init"]
    assert swept_params(jobs[:1], params(depth=1)) == []
