"""The profile: its curves by name and value, and where they end."""

import math

import numpy as np
import pytest
import torch

from fanin.measure import reductions
from fanin.measure.profile import Profile, measure, median
from fanin.measure.statistics import STATISTICS
from fanin.measure.timing import Times
from fanin.nn.activations import Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import Normal, VarianceScaling

MEASURED = [
    name
    for name, entry in STATISTICS.items()
    if entry.per_replica and name != "activation/saturated_fraction"
]
TIMED = ["time/forward_ms", "time/backward_ms"]
KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)


def seed_by_seed(network):
    """What each curve is made of, (depth, replicas), from float64 NumPy alone."""
    z, a, delta = (stack.double().numpy() for stack in (network.z, network.a, network.delta))
    gradients = network.gradients.layers()[:-1]

    def length(x):
        return np.sqrt((x**2).sum((-2, -1)))

    return {
        "preactivation/mean": z.mean((-2, -1)),
        "preactivation/std": z.std((-2, -1), ddof=1),
        "activation/mean": a.mean((-2, -1)),
        "activation/std": a.std((-2, -1), ddof=1),
        "gradient/preactivation_norm": length(delta),
        "gradient/weight_norm": np.array([length(w.double().numpy()) for w, _ in gradients]),
        "gradient/bias_norm": np.array([length(b.double().numpy()) for _, b in gradients]),
    }


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_one_replica_has_the_curves_of_the_table(build, profile, depth):
    measured = profile(build(KAIMING, ReLU(), depth=depth))
    assert set(measured.curves) == {*MEASURED, *TIMED}
    assert all(curve.shape == (depth,) for curve in measured.curves.values())
    assert measured.depth == depth


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_replicas_add_a_band_to_what_they_differ_in(build, profile, depth):
    measured = profile(build(KAIMING, ReLU(), depth=depth, seeds=range(3)))
    bands = {f"{name}_{end}" for name in MEASURED for end in ("low", "high")}
    assert set(measured.curves) == {*MEASURED, *TIMED, *bands}
    assert all(curve.shape == (depth,) for curve in measured.curves.values())


@pytest.mark.parametrize("depth", [1, 2, 6])
def test_curves_are_what_the_pass_left(build, profile, depth):
    network = build(VarianceScaling(bias_std=0.1), Tanh(), depth=depth, dtype=torch.float64)
    measured = profile(network)
    for name, values in seed_by_seed(network).items():
        np.testing.assert_allclose(measured.curves[name], values[:, 0], rtol=1e-10, atol=1e-14)
    shares = reductions.dead_and_saturated(Tanh(), network.z, network.a)
    for name, share in zip(("dead", "saturated"), shares, strict=True):
        assert measured.curves[f"activation/{name}_fraction"].tolist() == share[:, 0].tolist()
    cosines = reductions.correlation(network.a)[:, 0]
    assert measured.curves["activation/correlation"].tolist() == cosines.tolist()


@pytest.mark.parametrize("replicas", [2, 3, 4, 7, 32])
def test_the_band_is_numpys_percentiles(build, profile, replicas):
    network = build(KAIMING, ReLU(), depth=3, width=20, batch=10, seeds=range(replicas))
    measured = profile(network)
    for name, values in seed_by_seed(network).items():
        low, middle, high = np.percentile(values, [16, 50, 84], axis=1)
        for suffix, expected in (("_low", low), ("", middle), ("_high", high)):
            curve = measured.curves[name + suffix]
            np.testing.assert_allclose(curve, expected, rtol=1e-5, atol=1e-7)


def test_points_are_the_finite_values_in_order(build, profile):
    measured = profile(build(Normal(), Identity(), depth=50))
    points = list(measured.points())
    assert all(math.isfinite(value) for _, _, value in points)
    assert all(type(layer) is int and type(value) is float for _, layer, value in points)
    for name, curve in measured.curves.items():
        layers = np.flatnonzero(np.isfinite(curve))
        mine = [(layer, value) for point, layer, value in points if point == name]
        assert mine == [(layer + 1, curve[layer]) for layer in layers]
    assert len(points) == sum(np.isfinite(curve).sum() for curve in measured.curves.values())


def test_rows_are_the_same_numbers_a_layer_each(build, profile):
    measured = profile(build(Normal(), Identity(), depth=50))
    rows = measured.rows()
    assert [row["layer"] for row in rows] == list(range(1, 51))
    assert all(list(row) == ["layer", *measured.curves] for row in rows)
    filled = {
        (name, row["layer"], value)
        for row in rows
        for name, value in row.items()
        if name != "layer" and value is not None
    }
    assert filled == set(measured.points())


def test_ends_are_the_first_and_last_finite_value():
    curves = {
        "a": np.array([1.0, 2.0, 3.0]),
        "b": np.array([math.nan, 2.0, 3.0, math.nan]),
        "c": np.array([math.nan]),
        "d": np.array([]),
    }
    measured = Profile(depth=3, curves=curves, numbers={})
    assert measured.ends("a") == (1, 3)
    assert measured.ends("b") == (2, 3)
    for name in "cd":
        assert all(map(math.isnan, measured.ends(name)))


def test_one_input_has_no_correlation(build, profile):
    measured = profile(build(KAIMING, ReLU(), depth=4, batch=1, seeds=(0, 1)))
    names = {name for name, _, _ in measured.points()}
    without = {
        "activation/correlation",
        "activation/correlation_low",
        "activation/correlation_high",
    }
    assert names == set(measured.curves) - without
    assert without < set(measured.curves)
    assert measured.rows()[0]["activation/correlation"] is None
    assert "summary/input_correlation" not in measured.numbers


@pytest.mark.parametrize("seeds", [(0,), (0, 1)], ids=len)
@pytest.mark.parametrize("activation", [Tanh(), Sigmoid(), ReLU(), Identity()], ids=str)
def test_a_bounded_activation_has_a_curve_of_its_saturation(build, profile, activation, seeds):
    curves = profile(build(KAIMING, activation, depth=4, seeds=seeds)).curves
    there = [name for name in curves if "saturated" in name]
    bounded = isinstance(activation, Tanh | Sigmoid)
    assert len(there) == bounded * (1 if len(seeds) == 1 else 3)
    assert all(np.isfinite(curves[name]).all() for name in there)


def test_depth_0_is_a_loss_and_a_time(build, profile):
    network = build(KAIMING, ReLU(), depth=0)
    measured = profile(network)
    assert list(measured.points()) == []
    assert measured.rows() == []
    predicted = network.inputs @ network.parameters.last[0, 0]
    expected = (predicted[:, 0] - network.targets).square().mean().item()
    assert measured.numbers["summary/loss"] == pytest.approx(expected, rel=1e-5)


def test_times_are_passed_on(build):
    network = build(KAIMING, ReLU(), depth=3).run()
    times = Times(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]), 7.0, 16.0)
    measured = measure(network, times)
    assert measured.curves["time/forward_ms"].tolist() == [1, 2, 3]
    assert measured.curves["time/backward_ms"].tolist() == [4, 5, 6]
    assert measured.numbers["summary/forward_ms"] == 7
    assert measured.numbers["summary/backward_ms"] == 16


def test_numbers_found_elsewhere_are_medians_of_the_replicas_too(build):
    network = build(KAIMING, ReLU(), depth=2, seeds=range(3)).run()
    nothing = np.zeros(2)
    extra = {
        "of the run": 7,
        "median": np.array([3.0, 1.0, 2.0]),
        "one broken": np.array([3.0, 1.0, np.inf]),
        "most broken": np.array([np.inf, 1.0, np.inf]),
        "one unknown": np.array([3.0, np.nan, 1.0]),
        "all unknown": np.full(3, np.nan),
    }
    measured = measure(network, Times(nothing, nothing, 0.0, 0.0), extra).numbers
    assert {name: measured[name] for name in extra if name in measured} == {
        "of the run": 7,
        "median": 2,
        "one broken": 3,
        "one unknown": 2,
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_dtype_is_measured_and_left_alone(build, profile, dtype):
    network = build(KAIMING, Tanh(), depth=5, seeds=(0, 1), dtype=dtype)
    measured = profile(network)
    again = build(KAIMING, Tanh(), depth=5, seeds=(0, 1), dtype=dtype).run()
    for name in ("z", "a", "delta", "out", "loss"):
        assert torch.equal(getattr(network, name), getattr(again, name))
    for name in MEASURED:
        assert measured.curves[name].dtype == np.float64
        assert np.isfinite(measured.curves[name]).all()
    exact = profile(build(KAIMING, Tanh(), depth=5, seeds=(0, 1), dtype=torch.float64))
    for name in ("preactivation/std", "activation/std"):
        rounding = 16 * torch.finfo(dtype).eps
        np.testing.assert_allclose(measured.curves[name], exact.curves[name], rtol=rounding)


def test_the_median_of_several_profiles_is_as_of_replicas():
    def one(std, **numbers):
        std = np.array(std, dtype=float)
        curves = {"activation/std": std, "activation/std_theory": 2 * std}
        return Profile(len(std), curves, {f"summary/{k}": v for k, v in numbers.items()})

    nan = math.nan
    merged = median(
        [
            one([1, 2, 3], loss=1.0, std_growth=2.0),
            one([3, nan, nan], first_nonfinite_layer=2.0, std_growth=4.0),
            one([5, 6], loss=3.0, first_nonfinite_layer=9.0),
        ]
    )
    assert merged.depth == 3
    np.testing.assert_array_equal(merged.curves["activation/std"], [3, 6, nan])
    np.testing.assert_allclose(merged.curves["activation/std_low"], [1.64, 3.28, nan], rtol=1e-15)
    np.testing.assert_array_equal(merged.curves["activation/std_theory"], [6, 8, 6])
    assert "activation/std_theory_low" not in merged.curves
    assert merged.numbers == {
        "summary/loss": 3.0,  # one of three was not finite
        "summary/std_growth": 3.0,
        "summary/first_nonfinite_layer": 2.0,
    }
    assert median([merged]) is merged
