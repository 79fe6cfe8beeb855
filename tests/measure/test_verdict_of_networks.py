"""The verdict on networks whose fate is known."""

import pytest
import torch

from fanin.measure.verdict import explanation, short, verdict
from fanin.nn.activations import Erf, HardTanh, Identity, ReLU, Sigmoid, Softsign, Tanh
from fanin.nn.init import Normal, VarianceScaling

KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)
NORMAL, SMALL = Normal(std=1.0), Normal(std=0.01)
NAMES = {KAIMING: "kaiming", XAVIER: "xavier", NORMAL: "normal", SMALL: "small"}


@pytest.mark.parametrize("seeds", [[0], [1], range(8)], ids=["seed 0", "seed 1", "8 replicas"])
@pytest.mark.parametrize(
    ("init", "activation", "depth", "expected"),
    [
        (XAVIER, ReLU(), 10, "healthy"),
        (XAVIER, ReLU(), 50, "vanishing"),
        (KAIMING, ReLU(), 10, "healthy"),
        (KAIMING, ReLU(), 50, "collapsed"),
        (XAVIER, Identity(), 50, "healthy"),
        (XAVIER, Tanh(), 10, "healthy"),
        (XAVIER, Tanh(), 50, "healthy"),
        (XAVIER, Sigmoid(), 10, "vanishing"),
        (NORMAL, Identity(), 10, "exploding"),
        (NORMAL, Identity(), 50, "nonfinite"),
        (NORMAL, ReLU(), 50, "nonfinite"),
        (NORMAL, Sigmoid(), 10, "saturated"),
        (NORMAL, Tanh(), 50, "saturated"),
        (NORMAL, Softsign(), 10, "saturated"),
        (NORMAL, HardTanh(), 10, "saturated"),
        (NORMAL, Erf(), 10, "saturated"),
        (KAIMING, HardTanh(), 10, "healthy"),
        (SMALL, Identity(), 10, "vanishing"),
        (SMALL, Identity(), 50, "vanishing"),
        (KAIMING, ReLU(), 0, "healthy"),
        (KAIMING, ReLU(), 1, "healthy"),
    ],
    ids=lambda value: NAMES.get(value) or str(value),
)
def test_known_fates(build, profile, *, init, activation, depth, expected, seeds):
    measured = profile(build(init, activation, depth=depth, seeds=seeds))
    assert verdict(measured) == expected
    assert explanation(measured)


def test_the_factor_is_that_of_the_table(build, profile):
    measured = profile(build(XAVIER, ReLU(), depth=50))
    assert f"falls by {short(measured.numbers['summary/std_growth'])} a layer" in explanation(
        measured
    )


@pytest.mark.parametrize(
    ("init", "activation", "depth"), [(XAVIER, Sigmoid(), 10), (KAIMING, HardTanh(), 50)]
)
def test_the_gradients_factor_is_that_of_the_table(build, profile, init, activation, depth):
    measured = profile(build(init, activation, depth=depth))
    growth = short(measured.numbers["summary/gradient_growth"])
    assert f"by {growth} a layer on its way back" in explanation(measured)


@pytest.mark.parametrize(("broken", "expected"), [(1, "healthy"), (2, "healthy"), (3, "nonfinite")])
def test_the_median_of_the_replicas_decides(build, profile, broken, expected):
    network = build(XAVIER, Identity(), depth=6, seeds=range(5))
    network.parameters.hidden[2:, :broken] = torch.inf
    measured = profile(network)
    assert verdict(measured) == expected
    assert "layer 4 holds values that are not finite" in explanation(measured)
    assert explanation(measured).count("not finite") == 1


def test_inputs_that_are_one_and_the_same_are_no_collapse(build, profile):
    inputs = torch.randn(1, 100, generator=torch.Generator().manual_seed(0)).expand(200, 100)
    for seed in range(8):
        network = build(KAIMING, ReLU(), depth=3, inputs=inputs, seeds=[seed])
        assert verdict(profile(network)) == "healthy"


def test_a_net_pushed_below_zero_is_dead(build, profile):
    network = build(KAIMING, ReLU(), depth=5)
    network.parameters.biases[2] = -1000
    measured = profile(network)
    assert verdict(measured) == "dead"
    assert explanation(measured).startswith("100 % of the units of layer 3 ")


def test_a_net_pushed_into_saturation_is_dead(build, profile):
    network = build(XAVIER, Tanh(), depth=5)
    network.parameters.biases[2] = 50
    assert verdict(profile(network)) == "dead"


def test_a_net_pushed_to_the_edge_of_saturation_is_saturated(build, profile):
    network = build(XAVIER, Tanh(), depth=5)
    network.parameters.biases[2] = 4
    measured = profile(network)
    assert verdict(measured) == "saturated"
    assert "of the activations of layer 3 " in explanation(measured)


def test_a_net_of_zeros(build, profile):
    assert verdict(profile(build(Normal(std=0.0), Identity(), depth=5))) == "vanishing"
    assert verdict(profile(build(Normal(std=0.0), Tanh(), depth=5))) == "vanishing"
    assert verdict(profile(build(Normal(std=0.0), ReLU(), depth=5))) == "dead"


def test_a_net_that_breaks_on_the_way_back(build, profile):
    network = build(Normal(std=10.0), Sigmoid(), depth=100)
    measured = profile(network)
    broken = measured.numbers["summary/first_nonfinite_layer"]
    assert verdict(measured) == "nonfinite"
    assert explanation(measured).startswith("on its way back the gradient grows by ")
    assert explanation(measured).endswith(f"layer {broken:.0f} holds gradients that are not finite")


def test_an_output_that_overflows(build, profile):
    network = build(KAIMING, ReLU(), depth=2)
    network.parameters.last[:] = torch.inf
    assert verdict(profile(network)) == "nonfinite"


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("width", [1, 2])
def test_the_smallest_linear_nets_are_healthy(build, profile, batch, width):
    network = build(XAVIER, Identity(), depth=4, batch=batch, width=width)
    network.parameters.hidden[:] = torch.eye(width)
    measured = profile(network)
    assert verdict(measured) == "healthy"
    assert explanation(measured)


def test_one_unit_is_not_collapsed(build, profile):
    network = build(XAVIER, ReLU(), depth=1, width=1)
    assert verdict(profile(network)) == "healthy"
