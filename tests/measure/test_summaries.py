"""The numbers of a run: growth, correlation of the inputs, the loss."""

import numpy as np
import pytest
import torch

from fanin.measure.summaries import SUMMARIES
from fanin.nn.activations import Identity, ReLU, Tanh
from fanin.nn.init import Normal, VarianceScaling
from fanin.nn.losses import CrossEntropy

KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)


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
    numbers = profile(network).numbers
    a, delta = network.a.double().numpy(), network.delta.double().numpy()
    stds, norms = a.std((-2, -1), ddof=1), np.sqrt((delta**2).sum((-2, -1)))
    for number, last_over_first in (
        ("std", stds[-1] / stds[0]),
        ("gradient", norms[0] / norms[-1]),
    ):
        factors = last_over_first ** (1 / 8)
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


def test_the_inputs_own_correlation(build, profile):
    alike = torch.ones(200, 100)
    opposite = alike * torch.tensor([1.0, -1.0]).repeat(100)[:, None]
    for inputs, expected in ((alike, 1), (opposite, -1 / 199), (None, 0)):
        network = build(KAIMING, ReLU(), depth=2, inputs=inputs, seeds=(0, 1))
        measured = profile(network).numbers["summary/input_correlation"]
        assert measured == pytest.approx(expected, abs=1e-6 if inputs is not None else 0.01)


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


def test_the_table_has_the_numbers_that_are_measured(build, profile):
    measured = profile(build(KAIMING, Tanh(), depth=2, seeds=(0, 1)))
    assert set(measured.numbers) <= set(SUMMARIES)
    assert set(SUMMARIES) - set(measured.numbers) == {
        "summary/first_nonfinite_layer",
        "summary/product_ms",
        "summary/fit_steps",
        "summary/jacobian_mean_square",
        "summary/jacobian_spread",
        "summary/jacobian_largest",
    }
