"""Theory next to measurement: what a profile holds of both, and how many spreads apart they are."""

import math

import numpy as np
import pytest

from fanin.measure.statistics import CURVES, GRADIENT, STD
from fanin.nn.activations import Identity, ReLU, Tanh
from fanin.nn.init import Normal, VarianceScaling
from fanin.theory.comparison import METRICS, add_predictions
from fanin.theory.input_stats import describe
from fanin.theory.mean_field import BANDED, predict

KAIMING = VarianceScaling(scale=2.0)


def compare(build, profile, init, activation, *, depth, seeds=(0,), batch=50):
    network = build(init, activation, depth=depth, seeds=seeds, batch=batch)
    measured = profile(network)
    prediction = predict(init, activation, describe(network.inputs), depth=depth, width=100)
    return measured, prediction, add_predictions(measured, prediction, len(seeds))


def test_each_predicted_curve_stands_beside_the_measured_one(build, profile):
    measured, prediction, both = compare(build, profile, KAIMING, Tanh(), depth=5)
    added = set(both.curves) - set(measured.curves)
    bands = {f"{name}_theory_{end}" for name in BANDED for end in ("low", "high")}
    assert added == {f"{name}_theory" for name in prediction.curves} | bands
    assert set(prediction.curves) <= set(CURVES)
    assert {*both.curves, *both.numbers} <= METRICS
    assert both.curves[f"{STD}_theory"] == pytest.approx(prediction.curves[STD])
    for name in BANDED:
        low, high = (both.curves[f"{name}_theory_{end}"] for end in ("low", "high"))
        assert (low < high).all()


def test_gradients_are_scaled_to_the_last_layers_measured_one(build, profile):
    measured, prediction, both = compare(build, profile, KAIMING, ReLU(), depth=5)
    last = measured.curves[GRADIENT][-1]
    assert both.curves[f"{GRADIENT}_theory"] == pytest.approx(last * prediction.curves[GRADIENT])
    assert both.curves[f"{GRADIENT}_theory"][-1] == pytest.approx(last)


@pytest.mark.parametrize("seeds", [(3,), range(16)], ids=["one seed", "16 replicas"])
def test_how_far_off_in_spreads(build, profile, seeds):
    _, prediction, both = compare(build, profile, KAIMING, ReLU(), depth=8, seeds=seeds)
    spread = prediction.spreads[STD][-1]
    off = math.log(both.curves[STD][-1] / prediction.at(STD)[-1])
    # A median's standard error is sqrt(pi / 2 R) of the spread.
    error = spread if len(seeds) == 1 else spread * math.sqrt(math.pi / 2 / len(seeds))
    assert both.numbers["summary/theory_z"] == pytest.approx(off / error)
    assert both.numbers["summary/theory_spread"] == pytest.approx(spread)


def test_the_coordinates_of_the_phase_diagram(build, profile):
    init = VarianceScaling(scale=1.5, bias_std=0.3)
    *_, both = compare(build, profile, init, Tanh(), depth=3)
    numbers = both.numbers
    assert numbers["summary/sigma_w2"] == pytest.approx(1.5)
    assert numbers["summary/sigma_b2"] == pytest.approx(0.09)
    assert 0 < numbers["summary/theory_q"] < 2
    assert 0 < numbers["summary/theory_chi"] < 1
    assert numbers["summary/theory_cosine"] == 1


@pytest.mark.parametrize(("init", "depth"), [(KAIMING, 0), (Normal(std=0.0), 3)])
def test_where_theory_has_nothing_to_say(build, profile, init, depth):
    *_, both = compare(build, profile, init, Tanh(), depth=depth)
    assert "summary/theory_z" not in both.numbers
    assert "summary/theory_q" not in both.numbers
    assert not np.isfinite(both.curves[f"{STD}_theory"]).any()


def test_a_net_that_overflows_is_not_off_by_anything(build, profile):
    *_, both = compare(build, profile, Normal(), Identity(), depth=50)
    assert "summary/theory_z" not in both.numbers
    assert both.curves[f"{STD}_theory"][-1] == pytest.approx(1e50, rel=0.1)


def test_the_spread_of_the_replicas_is_measured(build, profile):
    network = build(KAIMING, ReLU(), depth=4, seeds=range(8), batch=20)
    stds = [float(a.double().std()) for a in network.run().a[-1]]
    expected = np.log(stds).std(ddof=1)
    assert profile(network).numbers["summary/std_spread"] == pytest.approx(expected, rel=1e-4)
    assert "summary/std_spread" not in profile(build(KAIMING, ReLU(), depth=4)).numbers
