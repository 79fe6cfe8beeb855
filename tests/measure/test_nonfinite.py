"""Profiles of nets that leave the finite numbers: where curves end, and how replicas rank."""

import math

import numpy as np
import pytest
import torch

from fanin.nn.activations import Identity, ReLU, Sigmoid
from fanin.nn.init import Normal, VarianceScaling

KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)
FORWARD = [
    "preactivation/mean",
    "preactivation/std",
    "activation/mean",
    "activation/std",
    "activation/dead_fraction",
    "activation/correlation",
]


def finite_entries(*stacks):
    """Whether all entries of a layer, of every replica, are finite."""
    return np.array(
        [all(stack[i].isfinite().all() for stack in stacks) for i in range(len(stacks[0]))]
    )


@pytest.mark.parametrize(("replicas", "broken"), [(3, 1), (5, 1), (5, 2), (7, 3), (25, 3)])
def test_a_minority_that_diverges_ranks_last(build, profile, replicas, broken):
    network = build(XAVIER, Identity(), depth=6, width=20, batch=10, seeds=range(replicas))
    network.parameters.hidden[2:, :broken] = torch.inf
    measured = profile(network)
    with np.errstate(invalid="ignore"):
        values = network.a.double().numpy().std((-2, -1), ddof=1)
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


def test_an_exploding_net_ends_where_its_entries_do(build, profile):
    network = build(Normal(), Identity(), depth=50)
    measured = profile(network)
    finite = finite_entries(network.z, network.a)
    assert 36 <= finite.sum() <= 38
    for name in FORWARD:
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
    for name in FORWARD:
        assert np.isfinite(measured.curves[name]).all()
    norms = measured.curves["gradient/preactivation_norm"]
    assert np.isfinite(norms[met[0] :]).all()
    assert not np.isfinite(norms[0])
    assert math.isfinite(measured.numbers["summary/loss"])
