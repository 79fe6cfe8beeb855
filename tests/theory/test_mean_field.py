"""Theory at infinite width against published numbers; at finite width against many seeds."""

import math

import numpy as np
import pytest
import torch
from scipy.special import digamma, polygamma
from workplace import made, options

from fanin.measure import reductions
from fanin.measure.statistics import GRADIENT, STD
from fanin.nn.activations import SELU, Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import Normal, Orthogonal, VarianceScaling
from fanin.theory.input_stats import Inputs, describe
from fanin.theory.mean_field import BANDED, predict

XAVIER, KAIMING = VarianceScaling(scale=1.0), VarianceScaling(scale=2.0)
ONE = Inputs(
    count=1, features=100, second_moment=1.0, cosine=0.0, cosine_variance=0.0, self_share=1.0
)
PAIR = Inputs(
    count=2, features=100, second_moment=1.0, cosine=0.0, cosine_variance=0.0, self_share=0.5
)


def infinite(init, activation, depth, inputs=PAIR):
    return predict(init, activation, inputs, depth=depth, width=100).curves


def test_xavier_and_relu_lose_half_the_power_a_layer():
    curves = infinite(XAVIER, ReLU(), 50)
    rms = np.hypot(curves[STD], curves["activation/mean"])
    assert rms[9] == pytest.approx(0.03125, rel=1e-12)
    assert rms == pytest.approx(0.5 ** (np.arange(1, 51) / 2), rel=1e-12)


@pytest.mark.parametrize(
    ("layer", "std"), [(1, 0.62792873), (2, 0.48626167), (10, 0.22847337), (50, 0.10109073)]
)
def test_xavier_and_tanh(layer, std):
    assert infinite(XAVIER, Tanh(), 50)[STD][layer - 1] == pytest.approx(std, abs=5e-9)


@pytest.mark.parametrize(("layer", "product"), [(10, 0.0713697), (50, 0.0143348)])
def test_gradients_under_xavier_and_tanh(layer, product):
    """Squared, from layer l + 1 down to layer 1, they change by chi_1 ... chi_l."""
    norms = infinite(XAVIER, Tanh(), 51)[GRADIENT]
    assert (norms[0] / norms[layer]) ** 2 == pytest.approx(product, abs=5e-8)


@pytest.mark.parametrize(
    ("layer", "cosine"), [(1, 1 / math.pi), (2, 0.49373109), (10, 0.87153552), (50, 0.98786194)]
)
def test_kaiming_and_relu_forget_their_input(layer, cosine):
    predicted = infinite(KAIMING, ReLU(), 50)["activation/correlation"][layer - 1]
    assert predicted == pytest.approx(cosine, abs=1e-8)


def test_one_layer_of_the_others():
    for activation, mean, std in ((Sigmoid(), 0.5, 0.20827634), (SELU(), 0, 1)):
        curves = infinite(XAVIER, activation, 1)
        assert curves["activation/mean"][0] == pytest.approx(mean, abs=1e-9)
        assert curves[STD][0] == pytest.approx(std, abs=1e-8)


@pytest.mark.parametrize(("weights", "biases"), [(1.76095464, 0.05), (1.42420529, 0.01)])
def test_on_the_critical_line_gradients_keep_their_size(weights, biases):
    init = VarianceScaling(scale=weights, bias_std=math.sqrt(biases))
    norms = infinite(init, Tanh(), 100)[GRADIENT]
    assert norms[40] == pytest.approx(norms[90], rel=1e-4)


def test_a_bias_is_part_of_q():
    init = VarianceScaling(scale=1.0, bias_std=0.5)
    curves = infinite(init, Identity(), 3)
    assert curves["preactivation/std"] == pytest.approx(np.sqrt([1.25, 1.5, 1.75]))
    assert curves["activation/correlation"] == pytest.approx([0.25 / 1.25, 0.5 / 1.5, 0.75 / 1.75])


@pytest.mark.parametrize("n", [5, 100])
@pytest.mark.parametrize("activation", [Identity(), ReLU()], ids=str)
def test_the_spread_of_a_single_input_is_exact(activation, n):
    """Of the log of |phi|^2 l - 1 layers down, by sums over what one layer adds."""
    if isinstance(activation, Identity):
        mean, variance = digamma(n / 2) - math.log(n / 2), polygamma(1, n / 2)
    else:
        k = np.arange(1, n + 1)
        chance = np.array([math.comb(n, int(i)) for i in k]) / (2.0**n - 1)
        logs = digamma(k / 2) + math.log(2 / (n / 2))
        mean = chance @ logs
        variance = chance @ (polygamma(1, k / 2) + logs**2) - mean**2
    init = VarianceScaling(scale=1.0 if isinstance(activation, Identity) else 2.0)
    prediction = predict(init, activation, ONE, depth=50, width=n)
    # A pre-activation's std adds a chi-squared of its own, the same in every layer.
    of_q = prediction.spreads["preactivation/std"] ** 2
    shift = prediction.shifts["preactivation/std"]
    layers = np.arange(50)
    assert of_q - of_q[0] == pytest.approx(layers * variance / 4, rel=1e-9)
    assert shift - shift[0] == pytest.approx(layers * mean / 2, rel=1e-9)
    # What flows back takes the same steps.
    assert prediction.spreads[GRADIENT][::-1] == pytest.approx(
        np.hypot(np.sqrt(layers * variance / 4), 2e-5), rel=1e-9
    )


def test_orthogonal_weights_keep_every_length():
    prediction = predict(Orthogonal(), Identity(), ONE, depth=50, width=100)
    for curve in BANDED:
        assert prediction.curves[curve] == pytest.approx(np.ones(50))
    assert (prediction.spreads[GRADIENT] < 2.1e-5).all()
    # A std is taken about the mean of 100 units, whose square is a hundredth of it on average.
    assert prediction.spreads[STD] == pytest.approx(np.full(50, math.sqrt(2) / 100 / 2), rel=1e-4)


@pytest.mark.parametrize("activation", [Identity(), Tanh()], ids=str)
def test_biases_take_no_part_on_the_way_back(build, activation):
    init = Orthogonal(bias_std=0.5)
    network = build(init, activation, depth=10, width=50, seeds=range(64), batch=20).run()
    norms = reductions.norm(network.delta)
    logs = np.log((norms[0] / norms[-1]).numpy())
    prediction = predict(init, activation, describe(network.inputs), depth=10, width=50)
    spread = prediction.spreads[GRADIENT][0]
    assert logs.std() == pytest.approx(spread, rel=0.3, abs=3e-5)
    assert abs(np.median(logs) - np.log(prediction.at(GRADIENT)[0])) < 0.5 * spread + 3e-5


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_inputs_of_any_size_are_described(scale):
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    described, plain = describe(scale * x), describe(x)
    assert described.second_moment == pytest.approx(scale**2 * plain.second_moment)
    assert described.cosine == pytest.approx(plain.cosine)
    assert describe(x[[0, 2, 2]]).self_share == 1


class Leaky(ReLU):
    """A class of a user's own that inherits an equality which knows nothing of its slope."""

    def __init__(self, slope):
        object.__setattr__(self, "slope", slope)

    def forward(self, z):
        return torch.where(z > 0, z, self.slope * z)

    def derivative(self, z, a):
        return torch.where(z > 0, torch.ones_like(z), self.slope)


def test_what_cannot_be_told_apart_is_not_remembered():
    stds = [predict(XAVIER, Leaky(s), ONE, depth=3, width=50).curves[STD][-1] for s in (0.1, 0.9)]
    assert stds[1] > 1.5 * stds[0]


def test_what_float64_cannot_hold_is_left_out():
    prediction = predict(Normal(std=1e10), Identity(), ONE, depth=20, width=100)
    measured = prediction.curves["preactivation/std"]
    assert measured[5] == pytest.approx(1e66, rel=1e-9)
    assert np.isnan(measured[8:]).all()
    nothing = predict(Normal(std=0.0), Tanh(), ONE, depth=3, width=10)
    assert np.isnan(nothing.curves[STD]).all()


def test_inputs_are_described_by_their_moments():
    x = torch.tensor([[3.0, 4.0], [0.0, 5.0], [0.0, 0.0]])
    inputs = describe(x)
    assert (inputs.count, inputs.features) == (3, 2)
    assert inputs.second_moment == pytest.approx(50 / 6)
    assert inputs.cosine == pytest.approx(0.8)
    assert inputs.self_share == pytest.approx(0.5)
    assert describe(torch.eye(4)).cosine == pytest.approx(0)
    assert describe(torch.zeros(2, 2)).second_moment == 0
    assert describe(torch.ones(1, 3)).self_share == pytest.approx(1)


def test_equal_networks_are_worked_out_once():
    sizes = {"depth": 30, "width": 70}
    asked = Tanh()
    assert asked.bounded  # as a run does before theory, and the answer is remembered in it
    assert predict(XAVIER, asked, ONE, **sizes) is predict(XAVIER, Tanh(), ONE, **sizes)


# Where theory is known to fail at this depth; benchmarks/README.md has more, and the reasons.
OUTSIDE = {("lsuv", name, GRADIENT) for name in ("gelu", "gelu_tanh", "silu")}


@pytest.mark.slow
@pytest.mark.parametrize("init_name", options("init"))
def test_medians_of_many_seeds_lie_on_theory(build, init_name):
    """Every activation, ten layers; all depths and widths in benchmarks/theory.py."""
    depth, replicas, layers, outside = 10, 32, [0, 4, -2], set()
    for name in options("activation"):
        activation = made("activation", name)
        try:
            init = made("init", init_name).resolve(activation)
        except ValueError:  # no critical point
            continue
        network = build(init, activation, depth=depth, seeds=range(replicas), batch=20)
        init.fit(network.parameters.layers(), activation, network.inputs)
        network.run()
        norms = reductions.norm(network.delta)
        measured = {
            "preactivation/std": reductions.std(network.z),
            STD: reductions.std(network.a),
            GRADIENT: norms / norms[-1:],
        }
        prediction = predict(init, activation, describe(network.inputs), depth=depth, width=100)
        for curve, values in measured.items():
            medians = np.median(np.log(values.numpy()[layers]), axis=1)
            off = np.abs(medians - np.log(prediction.at(curve)[layers]))
            if (off > prediction.spreads[curve][layers]).any():  # than a seed usually is
                outside.add((init_name, name, curve))
    assert outside == {case for case in OUTSIDE if case[0] == init_name}
