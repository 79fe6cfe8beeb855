"""The verdict: of curves made by hand, and of networks whose fate is known."""

import math

import numpy as np
import pytest
import torch

from fanin.nn.activations import Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import Normal, VarianceScaling
from fanin.signal.profile import Profile
from fanin.signal.verdict import verdict

KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)
NORMAL, SMALL = Normal(std=1.0), Normal(std=0.01)
NAMES = {KAIMING: "kaiming", XAVIER: "xavier", NORMAL: "normal", SMALL: "small"}
NAN = math.nan


def judge(std, gradient=None, dead=None, loss=1.0):
    """Of curves from layer 1 to the last; gradients too are given from layer 1."""
    curves = {
        "activation/mean": np.zeros(len(std)),
        "activation/std": np.array(std, float),
        "gradient/preactivation_norm": np.array(gradient or [1.0] * len(std), float),
        "activation/dead_fraction": np.array(dead or [0.0] * len(std), float),
    }
    numbers = {"summary/loss": loss} if math.isfinite(loss) else {}
    return verdict(Profile(depth=len(std), curves=curves, numbers=numbers))


@pytest.mark.parametrize(
    ("std", "expected"),
    [
        ([1, 1, 1], "healthy"),
        ([3], "healthy"),
        ([1, 99, 1], "healthy"),
        ([1, 0.011, 1], "healthy"),
        ([1e-20, 1e-19, 1e-20], "healthy"),
        ([1e20, 1e21, 1e20], "healthy"),
        ([1, 10, 101], "exploding"),
        ([1, 101, 1], "exploding"),
        ([1e-9, 1e-6], "exploding"),
        ([1, 2, NAN], "exploding"),
        ([NAN, NAN], "exploding"),
        ([1, 0.1, 0.0099], "vanishing"),
        ([1, 0.0099, 1], "vanishing"),
        ([1e9, 1e6], "vanishing"),
        ([1, 0, 0], "vanishing"),
        ([0, 0, 0], "vanishing"),
        ([1, 0.001, 1000], "vanishing"),
        ([1, 1000, 0.001], "exploding"),
        ([1, 0.001, NAN], "vanishing"),
    ],
    ids=str,
)
def test_forward(std, expected):
    assert judge(std) == expected


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        ([50, 10, 1], "healthy"),
        ([0.02, 0.1, 1], "healthy"),
        ([101, 10, 1], "exploding"),
        ([NAN, 10, 1], "exploding"),
        ([0.009, 0.1, 1], "vanishing"),
        ([0, 0, 1], "vanishing"),
        ([0, 0, 0], "vanishing"),
        ([1000, 0.001, 1], "vanishing"),
        ([0.001, 1000, 1], "exploding"),
    ],
    ids=str,
)
def test_backward_starts_at_the_last_layer(gradient, expected):
    assert judge([1, 1, 1], gradient) == expected


@pytest.mark.parametrize(
    ("dead", "expected"),
    [
        ([0.5, 0.89, 0.5], "healthy"),
        ([0, 0, 0.9], "dead"),
        ([1, 1, 1], "dead"),
        ([0, 0.95, 0], "dead"),
    ],
    ids=str,
)
def test_dead_units(dead, expected):
    assert judge([1, 1, 1], dead=dead) == expected


def test_the_first_trouble_names_it():
    assert judge([1, 1, 1], gradient=[1000, 1, 1], dead=[0, 0, 1]) == "dead"
    assert judge([1, 0.001, 0], dead=[0, 0, 1]) == "vanishing"
    assert judge([1, 0, 0], dead=[0, 1, 1]) == "dead"
    assert judge([1, 1000, 1], dead=[0, 0, 1]) == "exploding"
    assert judge([1, 0.001, 1], gradient=[1000, 1, 1]) == "vanishing"
    assert judge([1, 0.001, 1], loss=NAN) == "vanishing"


def test_a_loss_that_is_not_finite_explodes():
    assert judge([1, 1, 1], gradient=[0.001, 1, 1], loss=NAN) == "exploding"
    assert judge([1, 1, 1], loss=NAN) == "exploding"


def test_depth_0_is_healthy_if_its_loss_is_finite():
    assert judge([]) == "healthy"
    assert judge([], loss=NAN) == "exploding"


@pytest.mark.parametrize("seeds", [[0], [1], range(8)], ids=["seed 0", "seed 1", "8 replicas"])
@pytest.mark.parametrize(
    ("init", "activation", "depth", "expected"),
    [
        (XAVIER, ReLU(), 10, "healthy"),
        (XAVIER, ReLU(), 50, "vanishing"),
        (KAIMING, ReLU(), 10, "healthy"),
        (KAIMING, ReLU(), 50, "healthy"),
        (XAVIER, Identity(), 50, "healthy"),
        (XAVIER, Tanh(), 10, "healthy"),
        (XAVIER, Sigmoid(), 10, "vanishing"),
        (NORMAL, Identity(), 10, "exploding"),
        (NORMAL, Identity(), 50, "exploding"),
        (NORMAL, ReLU(), 50, "exploding"),
        (SMALL, Identity(), 10, "vanishing"),
        (SMALL, Identity(), 50, "vanishing"),
        (KAIMING, ReLU(), 0, "healthy"),
        (KAIMING, ReLU(), 1, "healthy"),
    ],
    ids=lambda value: NAMES.get(value) or str(value),
)
def test_known_fates(build, profile, *, init, activation, depth, expected, seeds):
    assert verdict(profile(build(init, activation, depth=depth, seeds=seeds))) == expected


def test_a_net_pushed_below_zero_is_dead(build, profile):
    network = build(KAIMING, ReLU(), depth=5)
    network.parameters.biases[2] = -1000
    assert verdict(profile(network)) == "dead"


def test_a_net_pushed_into_saturation_is_dead(build, profile):
    network = build(XAVIER, Tanh(), depth=5)
    network.parameters.biases[2] = 50
    assert verdict(profile(network)) == "dead"


def test_a_net_of_zeros(build, profile):
    assert verdict(profile(build(Normal(std=0.0), Identity(), depth=5))) == "vanishing"
    assert verdict(profile(build(Normal(std=0.0), Tanh(), depth=5))) == "vanishing"
    assert verdict(profile(build(Normal(std=0.0), ReLU(), depth=5))) == "dead"


def test_a_net_that_breaks_on_the_way_back_explodes(build, profile):
    assert verdict(profile(build(Normal(std=10.0), Sigmoid(), depth=100))) == "exploding"


def test_an_output_that_overflows_explodes(build, profile):
    network = build(KAIMING, ReLU(), depth=2)
    network.parameters.last[:] = torch.inf
    assert verdict(profile(network)) == "exploding"


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("width", [1, 2])
def test_the_smallest_linear_nets_are_healthy(build, profile, batch, width):
    network = build(XAVIER, Identity(), depth=4, batch=batch, width=width)
    network.parameters.hidden[:] = torch.eye(width)
    assert verdict(profile(network)) == "healthy"
