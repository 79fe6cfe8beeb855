"""The profile: its curves by name and value, and where they end."""

import math

import numpy as np
import pytest
import torch

from fanin.measure import statistics
from fanin.measure.profile import CURVES, NUMBERS, Profile, measure, median
from fanin.measure.timing import Times
from fanin.nn.activations import Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import Normal, VarianceScaling
from fanin.nn.losses import CrossEntropy
from fanin.theory.comparison import METRICS

MEASURED = [
    "preactivation/mean",
    "preactivation/std",
    "activation/mean",
    "activation/std",
    "activation/dead_fraction",
    "activation/correlation",
    "gradient/preactivation_norm",
    "gradient/weight_norm",
    "gradient/bias_norm",
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


def finite_entries(*stacks):
    """Whether all entries of a layer, of every replica, are finite."""
    return np.array(
        [all(stack[i].isfinite().all() for stack in stacks) for i in range(len(stacks[0]))]
    )


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_one_replica_has_the_curves_of_the_contract(build, profile, depth):
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
    shares = statistics.dead_and_saturated(Tanh(), network.z, network.a)
    for name, share in zip(("dead", "saturated"), shares, strict=True):
        assert measured.curves[f"activation/{name}_fraction"].tolist() == share[:, 0].tolist()
    cosines = statistics.correlation(network.a)[:, 0]
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


@pytest.mark.parametrize(("replicas", "broken"), [(3, 1), (5, 1), (5, 2), (7, 3), (25, 3)])
def test_a_minority_that_diverges_ranks_last(build, profile, replicas, broken):
    network = build(XAVIER, Identity(), depth=6, width=20, batch=10, seeds=range(replicas))
    network.parameters.hidden[2:, :broken] = torch.inf
    measured = profile(network)
    with np.errstate(invalid="ignore"):
        values = seed_by_seed(network)["activation/std"]
    assert np.isfinite(values).sum(axis=1).tolist() == [replicas] * 3 + [replicas - broken] * 3
    np.testing.assert_allclose(
        measured.curves["activation/std"],
        np.sort(values, axis=1)[:, replicas // 2],  # NumPy sorts nan last
        rtol=1e-5,
    )
    assert (
        np.isnan(measured.curves["activation/std_high"][3:]) == (broken / replicas > 0.16)
    ).all()
    assert np.isfinite(measured.curves["activation/std_low"]).all()
    assert measured.numbers["summary/first_nonfinite_layer"] == 4


@pytest.mark.parametrize(("replicas", "broken"), [(2, 1), (2, 2), (4, 2), (4, 4), (5, 5)])
def test_curves_end_where_half_the_replicas_have_diverged(build, profile, replicas, broken):
    network = build(XAVIER, Identity(), depth=6, width=20, batch=10, seeds=range(replicas))
    network.parameters.hidden[2:, :broken] = torch.inf
    curves = profile(network).curves
    for name in ("preactivation/std", "activation/std", "activation/correlation"):
        assert np.isfinite(curves[name]).tolist() == [True] * 3 + [False] * 3


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


def test_an_exploding_net_ends_where_its_entries_do(build, profile):
    network = build(Normal(), Identity(), depth=50)
    measured = profile(network)
    finite = finite_entries(network.z, network.a)
    assert 36 <= finite.sum() <= 38
    for name in MEASURED[:6]:
        assert np.isfinite(measured.curves[name]).tolist() == finite.tolist()
    assert not np.isfinite(measured.curves["gradient/preactivation_norm"]).any()
    assert measured.numbers["summary/first_nonfinite_layer"] == finite.sum() + 1
    assert "summary/loss" not in measured.numbers
    assert measured.numbers["summary/std_growth"] == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("seeds", [[0], range(4), range(5)], ids=len)
def test_all_replicas_may_explode(build, profile, seeds):
    network = build(Normal(), ReLU(), depth=60, seeds=seeds)
    measured = profile(network)
    finite = finite_entries(network.z, network.a)
    assert measured.numbers["summary/first_nonfinite_layer"] == finite.tolist().index(False) + 1
    assert not np.isfinite(measured.curves["activation/std"][-1])


def test_a_vanishing_net_is_followed_into_its_zeros(build, profile):
    network = build(Normal(std=0.01), Identity(), depth=50)
    measured = profile(network)
    alive = [bool(layer.any()) for layer in network.a]
    assert (measured.curves["activation/std"] > 0).tolist() == alive
    assert not all(alive)
    assert "summary/first_nonfinite_layer" not in measured.numbers
    last = sum(alive) - 1
    ratio = measured.curves["activation/std"][last] / measured.curves["activation/std"][0]
    assert measured.numbers["summary/std_growth"] == pytest.approx(ratio ** (1 / last))


def test_a_net_that_breaks_on_the_way_back_is_counted_on_the_way_back(build, profile):
    network = build(Normal(std=10.0), Sigmoid(), depth=100)
    measured = profile(network)
    assert finite_entries(network.z, network.a).all()
    weights, biases = zip(*network.gradients.layers()[:-1], strict=True)
    finite = finite_entries(network.delta, weights, biases)
    met = [layer for layer in range(100, 0, -1) if not finite[layer - 1]]
    assert 1 < met[0] < 100
    assert measured.numbers["summary/first_nonfinite_layer"] == met[0]
    for name in MEASURED[:6]:
        assert np.isfinite(measured.curves[name]).all()
    norms = measured.curves["gradient/preactivation_norm"]
    assert np.isfinite(norms[met[0] :]).all()
    assert not np.isfinite(norms[0])
    assert math.isfinite(measured.numbers["summary/loss"])


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_growth_is_the_factor_a_layer(build, profile, factor):
    network = build(Normal(), Identity(), depth=9, width=100, seeds=(0, 1))
    for stack in (network.parameters.first, network.parameters.hidden):
        stack[:] = factor * torch.eye(100)
    numbers = profile(network).numbers
    assert numbers["summary/std_growth"] == pytest.approx(factor, rel=1e-5)
    assert numbers["summary/gradient_growth"] == pytest.approx(factor, rel=1e-5)


def test_growth_is_the_median_over_replicas(build, profile):
    network = build(XAVIER, ReLU(), depth=9, width=20, batch=10, seeds=range(5))
    values, numbers = seed_by_seed(network.run()), profile(network).numbers
    for number, first, last in (("std", 0, -1), ("gradient", -1, 0)):
        curve = {"std": "activation/std", "gradient": "gradient/preactivation_norm"}[number]
        factors = (values[curve][last] / values[curve][first]) ** (1 / 8)
        assert numbers[f"summary/{number}_growth"] == pytest.approx(np.median(factors), rel=1e-5)


@pytest.mark.parametrize("depth", [0, 1])
def test_one_layer_does_not_grow(build, profile, depth):
    numbers = profile(build(KAIMING, ReLU(), depth=depth)).numbers
    assert set(numbers) == {
        "summary/loss",
        "summary/input_correlation",
        "summary/forward_ms",
        "summary/backward_ms",
    }


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


def test_the_inputs_own_correlation(build, profile):
    alike = torch.ones(200, 100)
    opposite = alike * torch.tensor([1.0, -1.0]).repeat(100)[:, None]
    for inputs, expected in ((alike, 1), (opposite, -1 / 199), (None, 0)):
        network = build(KAIMING, ReLU(), depth=2, inputs=inputs, seeds=(0, 1))
        measured = profile(network).numbers["summary/input_correlation"]
        assert measured == pytest.approx(expected, abs=1e-6 if inputs is not None else 0.01)


def test_depth_0_is_a_loss_and_a_time(build, profile):
    network = build(KAIMING, ReLU(), depth=0)
    measured = profile(network)
    assert list(measured.points()) == []
    assert measured.rows() == []
    predicted = network.inputs @ network.parameters.last[0, 0]
    expected = (predicted[:, 0] - network.targets).square().mean().item()
    assert measured.numbers["summary/loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_the_loss_is_the_median_in_float64(build, profile, replicas):
    network = build(
        KAIMING,
        ReLU(),
        depth=2,
        seeds=range(replicas),
        loss=CrossEntropy(),
        targets=torch.arange(200) % 10,
        dtype=torch.bfloat16,
    )
    measured = profile(network).numbers["summary/loss"]
    out = network.out.double()
    losses = [torch.nn.functional.cross_entropy(one, network.targets).item() for one in out]
    assert measured == pytest.approx(np.median(losses), rel=1e-12)


def test_a_loss_too_large_for_its_dtype_is_still_a_loss(build, profile):
    network = build(Normal(std=1e20), Identity(), depth=0)
    measured = profile(network)
    assert network.loss.isinf().all()
    expected = (network.out[0, :, 0].double() - network.targets).square().mean().item()
    assert measured.numbers["summary/loss"] == pytest.approx(expected, rel=1e-12)


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
    found = {
        "of the run": 7,
        "median": np.array([3.0, 1.0, 2.0]),
        "one broken": np.array([3.0, 1.0, np.inf]),
        "most broken": np.array([np.inf, 1.0, np.inf]),
        "one unknown": np.array([3.0, np.nan, 1.0]),
        "all unknown": np.full(3, np.nan),
    }
    measured = measure(network, Times(nothing, nothing, 0.0, 0.0), found).numbers
    assert {name: measured[name] for name in found if name in measured} == {
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


def test_the_names_that_claims_may_use_are_those_that_are_measured(build, profile):
    measured = profile(build(KAIMING, Tanh(), depth=2, seeds=(0, 1)))
    assert set(CURVES) <= set(measured.curves)
    assert set(measured.curves) <= METRICS
    assert set(measured.numbers) <= set(NUMBERS)
    of_theory = {name for name in NUMBERS if "theory" in name or "sigma" in name}
    assert set(NUMBERS) - of_theory - set(measured.numbers) == {
        "summary/first_nonfinite_layer",
        "summary/product_ms",
        "summary/fit_steps",
        "summary/jacobian_mean_square",
        "summary/jacobian_spread",
        "summary/jacobian_largest",
    }


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
