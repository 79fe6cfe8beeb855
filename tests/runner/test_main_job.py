"""The main job, from the command to what lies in the store."""

import csv
import math
import re

import pytest
import torch
from omegaconf import OmegaConf
from workplace import PROJECT, Workplace

from fanin.theory.comparison import METRICS

CURVES = [
    "preactivation/mean",
    "preactivation/std",
    "activation/mean",
    "activation/std",
    "activation/dead_fraction",
    "activation/correlation",
    "gradient/preactivation_norm",
    "gradient/weight_norm",
    "gradient/bias_norm",
    "time/forward_ms",
    "time/backward_ms",
]
THEORY = [
    "preactivation/std_theory",
    "preactivation/std_theory_low",
    "preactivation/std_theory_high",
    "activation/mean_theory",
    "activation/std_theory",
    "activation/std_theory_low",
    "activation/std_theory_high",
    "activation/correlation_theory",
    "gradient/preactivation_norm_theory",
    "gradient/preactivation_norm_theory_low",
    "gradient/preactivation_norm_theory_high",
]
NUMBERS = [
    "summary/loss",
    "summary/input_correlation",
    "summary/std_growth",
    "summary/gradient_growth",
    "summary/forward_ms",
    "summary/backward_ms",
    "summary/sigma_w2",
    "summary/sigma_b2",
    "summary/theory_q",
    "summary/theory_chi",
    "summary/theory_cosine",
    "summary/theory_std",
    "summary/theory_spread",
    "summary/theory_z",
]


@pytest.fixture(scope="module")
def main_job(tmp_path_factory):
    workplace = Workplace(tmp_path_factory.mktemp("main_job"))
    done = workplace.run_afresh("-m", "init=xavier,kaiming", "depth=10,50")
    return workplace, done


@pytest.fixture(scope="module")
def children(main_job):
    workplace, _ = main_job
    return [run for run in workplace.runs() if "mlflow.parentRunId" in run.data.tags]


def test_leaves_a_parent_with_four_finished_children(main_job, children):
    workplace, _ = main_job
    (parent,) = (run for run in workplace.runs() if "mlflow.parentRunId" not in run.data.tags)
    assert parent.info.status == "FINISHED"
    assert [run.info.status for run in children] == ["FINISHED"] * 4
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    settings = {(run.data.params["init"], run.data.params["depth"]) for run in children}
    assert settings == {("xavier", "10"), ("xavier", "50"), ("kaiming", "10"), ("kaiming", "50")}
    assert parent.data.tags["overrides"] == "init=xavier,kaiming depth=10,50"


def test_every_child_holds_every_curve_for_every_layer(main_job, children):
    workplace, _ = main_job
    for run in children:
        depth = int(run.data.params["depth"])
        assert {*CURVES, *THEORY, *NUMBERS} <= set(run.data.metrics) <= METRICS
        for name in (*CURVES, *THEORY):
            curve = workplace.curve(run, name)
            assert sorted(curve) == list(range(1, depth + 1)), name
            assert all(math.isfinite(value) for value in curve.values()), name


def test_the_runs_table_shows_the_deepest_layer(main_job, children):
    workplace, _ = main_job
    for run in children:
        curve = workplace.curve(run, "activation/std")
        assert run.data.metrics["activation/std"] == curve[int(run.data.params["depth"])]


def test_params_are_the_names_chosen_and_every_value(children):
    for run in children:
        params = run.data.params
        chosen = {name: params[name] for name in ("init", "activation", "data", "loss", "device")}
        assert chosen == {
            "init": params["init"],
            "activation": "relu",
            "data": "gaussian",
            "loss": "mse",
            "device": "auto",
        }
        assert params["init.scale"] == {"xavier": "1.0", "kaiming": "2.0"}[params["init"]]
        assert params["hidden_size"] == "100"
        assert params["batch_size"] == "200"
        assert params["timing.repeats"] == "5"
        assert params["data.features"] == "100"
        assert not any("_target_" in name or "parent" in name for name in params)


def test_tags_say_where_a_run_comes_from(children):
    hashes = set()
    for run in children:
        tags = run.data.tags
        assert tags["verdict"] in ("healthy", "vanishing", "collapsed")
        assert tags["because"]
        assert ("try" in tags) == (tags["verdict"] != "healthy")
        assert tags["phase"] in ("ordered", "critical")
        assert tags["torch.version"] == torch.__version__
        assert tags["device.name"]
        init, depth = run.data.params["init"], run.data.params["depth"]
        assert tags["overrides"] == f"init={init} depth={depth}"
        assert run.info.run_name == f"{init} relu {depth}x100"
        hashes.add(tags["config.hash"])
    assert len(hashes) == 4


@pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="not a git checkout")
def test_tags_name_the_commit_and_whether_the_tree_was_dirty(children):
    for run in children:
        assert len(run.data.tags["mlflow.source.git.commit"]) == 40
        assert run.data.tags["git.dirty"] in ("true", "false")


def test_artifacts_are_the_resolved_config_and_the_profile(main_job, children):
    workplace, _ = main_job
    for run in children:
        folder = workplace.folder / "artifacts" / run.info.run_id / "artifacts"
        config = OmegaConf.load(folder / "config.yaml")
        assert config.depth == int(run.data.params["depth"])
        assert config.init.scale == float(run.data.params["init.scale"])
        with (folder / "profile.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row["layer"]) for row in rows] == list(range(1, config.depth + 1))
        assert {"layer", *CURVES, *THEORY} <= set(rows[0]) <= {"layer", *METRICS}
        curve = workplace.curve(run, "activation/std")
        assert {int(row["layer"]): float(row["activation/std"]) for row in rows} == curve


def test_the_table_has_a_row_a_job_and_what_varies(main_job):
    _, done = main_job
    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith(("xavier", "kaiming"))]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("kaiming", "10", "healthy"),
        ("xavier", "10", "healthy"),
        ("kaiming", "50", "collapsed"),
        ("xavier", "50", "vanishing"),
    ]
    assert "best: init=kaiming, healthy at depth=10, collapsed at depth=50" in lines
    why = [line for line in lines if re.match(r"init=.* is ", line)]
    assert len([line for line in lines if line.startswith("    try ")]) == 1
    assert "    same suggestion as above" in lines
    assert [line.split(":")[0] for line in why] == [
        "init=kaiming depth=50 is collapsed",
        "init=xavier depth=50 is vanishing",
    ]
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in done.stdout
    assert "4/4" in done.stderr
    assert "Warning" not in done.stderr
    assert "INFO" not in done.stderr


def test_every_job_has_its_hydra_folder(main_job):
    workplace, _ = main_job
    for number in range(4):
        assert (workplace.folder / "sweep" / str(number) / ".hydra" / "config.yaml").is_file()
