"""Runs and sweeps beyond the main job, each through run.py and a real store."""

import csv
import os
import subprocess
import sys

import pytest
from workplace import PROJECT, Workplace


def test_a_single_run_has_no_parent_and_says_what_it_found(workplace):
    done = workplace.run("depth=3")
    (run,) = workplace.runs()
    assert run.info.status == "FINISHED"
    assert "mlflow.parentRunId" not in run.data.tags
    assert "kaiming relu       3" in done.stdout
    assert f"kaiming relu 3x100 is healthy: {run.data.tags['because']}\n" in done.stdout


def test_all_nan_and_all_zero(workplace):
    workplace.run("-m", "init=normal,small", "activation=identity", "depth=50")
    _, normal, small = workplace.runs()

    assert normal.data.tags["verdict"] == "nonfinite"
    first = int(normal.data.metrics["summary/first_nonfinite_layer"])
    for name in ("preactivation/std", "activation/std", "activation/dead_fraction"):
        assert sorted(workplace.curve(normal, name)) == list(range(1, first))
    assert workplace.curve(normal, "gradient/preactivation_norm") == {}
    assert "summary/loss" not in normal.data.metrics

    assert small.data.tags["verdict"] == "vanishing"
    assert "summary/first_nonfinite_layer" not in small.data.metrics
    std = workplace.curve(small, "activation/std")
    assert sorted(std) == list(range(1, 51))
    last = max(layer for layer, value in std.items() if value > 0)
    assert 40 < last < 50
    assert sorted(workplace.curve(small, "activation/correlation"))[-1] <= last


def test_a_continuous_setting_can_be_swept(workplace):
    workplace.run("-m", "init.scale=1.5,2,2.5", "depth=4", "hidden_size=8")
    runs = workplace.runs()[1:]
    assert [run.info.run_name for run in runs] == [
        f"kaiming relu 4x8 init.scale={scale}" for scale in ("1.5", "2", "2.5")
    ]
    scales = [run.data.params["init.scale"] for run in runs]
    assert scales == ["1.5", "2.0", "2.5"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_every_dtype_runs(workplace, dtype):
    workplace.run(f"dtype={dtype}", "depth=3", "hidden_size=8")
    (run,) = workplace.runs()
    assert run.data.tags["verdict"] == "healthy"


def test_the_jacobian_and_the_steps_of_a_fit(workplace):
    workplace.run(
        "-m", "init=lsuv,kaiming", "depth=0,3", "hidden_size=8", "replicas=2", "jacobian=true"
    )
    _, no_layers, lsuv, _, kaiming = workplace.runs()
    names = ("mean_square", "spread", "largest")
    for run in (lsuv, kaiming):
        assert run.data.params["jacobian"] == "True"
        assert all(run.data.metrics[f"summary/jacobian_{name}"] > 0 for name in names)
        folder = workplace.folder / "artifacts" / run.info.run_id / "artifacts"
        with (folder / "jacobian.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 2 * 4 * 8
        assert list(rows[0]) == ["replica", "input", "index", "value"]
        largest = max(float(row["value"]) for row in rows)
        assert largest >= run.data.metrics["summary/jacobian_largest"]
    assert not any("jacobian" in name for name in no_layers.data.metrics)
    assert lsuv.data.metrics["summary/fit_steps"] >= 3
    assert "summary/fit_steps" not in kaiming.data.metrics


def test_edges_of_shape(workplace):
    workplace.run("-m", "depth=0,1", "hidden_size=1", "batch_size=1", "data.features=1")
    _, none, one = workplace.runs()
    assert "summary/loss" in none.data.metrics
    assert "activation/std" not in none.data.metrics
    assert workplace.curve(one, "activation/std") == {1: 0.0}
    assert workplace.curve(one, "activation/correlation") == {}


def test_digits_bring_their_loss(workplace):
    workplace.run("-m", "data=digits", "loss=cross_entropy,mse", "depth=2")
    losses = [run.data.params["loss"] for run in workplace.runs()[1:]]
    assert losses == ["cross_entropy", "mse"]
    workplace.run("data=digits", "depth=2")
    assert workplace.runs()[-1].data.params["loss"] == "cross_entropy"


def test_a_file_of_ones_own(workplace):
    (workplace.folder / "my.csv").write_text("a,b,y\n1,2,0\n3,4,1\n5,6,2\n")
    workplace.run("data=file", "data.path=my.csv", "loss=cross_entropy", "batch_size=3")
    (run,) = workplace.runs()
    assert run.data.params["data.path"] == "my.csv"


def test_the_same_seed_gives_the_same_numbers_bit_for_bit(workplace):
    for _ in range(2):
        workplace.run("depth=20", "replicas=3")
    first, second = workplace.runs()
    names = {name for name in first.data.metrics if "time" not in name and "_ms" not in name}
    assert len(names) == 9 * 3 + 2 + 3 * 3 + 13
    for name in names:
        assert workplace.curve(first, name) == workplace.curve(second, name), name


def test_replicas_are_the_single_runs(workplace):
    workplace.run("-m", "seed=0,1,2,3", "depth=5")
    workplace.run("replicas=4", "depth=5")
    *_, zero, one, two, three, together = workplace.runs()
    for name in ("activation/std", "gradient/weight_norm", "activation/correlation"):
        curves = [workplace.curve(run, name) for run in (zero, one, two, three)]
        median = workplace.curve(together, name)
        for layer in range(1, 6):
            ranked = sorted(curve[layer] for curve in curves)
            assert median[layer] == pytest.approx((ranked[1] + ranked[2]) / 2, rel=1e-5)
            assert workplace.curve(together, f"{name}_low")[layer] <= median[layer]
            assert workplace.curve(together, f"{name}_high")[layer] >= median[layer]


EXTENSION = """
from dataclasses import dataclass
from fanin.nn.activations import Activation

@dataclass(frozen=True)
class Cube(Activation):
    def forward(self, z):
        return z**3

    def derivative(self, z, a):
        return 3 * z**2
"""


def extend(workplace: Workplace) -> None:
    (workplace.folder / "mine.py").write_text(EXTENSION)
    folder = workplace.folder / "options" / "activation"
    folder.mkdir(parents=True)
    (folder / "cube.yaml").write_text("_target_: mine.Cube\n")


def test_an_activation_of_ones_own_is_one_class_and_one_file(workplace):
    extend(workplace)
    workplace.run("--config-dir=options", "activation=cube", "depth=2")
    (run,) = workplace.runs()
    assert run.data.params["activation"] == "cube"


def test_the_default_store_is_beside_run_py():
    """Whatever the working directory; read off the composed configuration, without a run."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, str(PROJECT / "run.py"), "--cfg", "job", "--resolve"],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"uri: sqlite:///{PROJECT}/outputs/mlflow.db" in done.stdout


def test_help_teaches(workplace):
    text = workplace.run("--help").stdout
    for line in (
        "python run.py -m init=xavier,kaiming depth=10,50",
        "init: critical, glorot, kaiming",
        "depth=10",
        "mlflow ui --backend-store-uri",
    ):
        assert line in text
