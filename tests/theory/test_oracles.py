"""Whole networks against numbers that others derived or printed.

Mean field: Poole et al. 2016 and Schoenholz et al. 2017. Finite width: Hanin and Nica 2018.
A sampled mean must lie within SIGMAS standard errors; seeds are fixed, so that it always does
or never. Where a net of width n is held against infinite width, layer l is allowed l / 2n on
top: that is how far a linear net's typical log rms is off by then, and the nets here, which pull
their sizes back, are off by less.
"""

import math

import numpy as np
import pytest
import torch
from scipy.special import digamma, polygamma
from scipy.stats import binom

from fanin.measure import reductions
from fanin.nn.activations import SELU, Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import Normal, VarianceScaling

pytestmark = pytest.mark.slow  # hundreds of networks
KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)
SIGMAS = 4
NAMES = {KAIMING: "kaiming", XAVIER: "xavier"}


def name(value):
    return NAMES.get(value) or str(value)


def unit_rows(batch, features, seed=0):
    """Inputs of second moment 1, each exactly: then z_1 ~ N(0, 1) under Xavier."""
    x = np.random.default_rng(seed).standard_normal((batch, features))
    return torch.from_numpy(x * math.sqrt(features) / np.linalg.norm(x, axis=1, keepdims=True))


def assert_mean(samples, expected, also=0.0):
    """Independent samples, by their mean's own standard error."""
    error = np.std(samples, ddof=1) / math.sqrt(len(samples))
    assert abs(np.mean(samples) - expected) <= SIGMAS * error + also


def second_moment(stack):
    """Of the entries of each layer and replica."""
    return (reductions.norm(stack) ** 2 / stack[0, 0].numel()).numpy()


def in_blocks(build, init, activation, replicas, block=64, **sizes):
    """Networks after a pass forward, a few replicas at a time, to spare memory."""
    for first in range(0, replicas, block):
        network = build(init, activation, seeds=range(first, first + block), **sizes)
        network.forward()
        yield network


# One layer, z ~ N(0, 1): mean and std of phi(z), and its second moment.
ONE_LAYER = [
    (Identity(), 0, 1, 1),
    (ReLU(), 0.39894228, 0.58381937, 0.5),
    (Tanh(), 0, 0.62792873, 0.39429449),
    (Sigmoid(), 0.5, 0.20827634, 0.29337904),
    (SELU(), 0, 1, 1),
]


@pytest.mark.parametrize(("activation", "mean", "std", "second"), ONE_LAYER, ids=name)
def test_one_layer(build, profile, *, activation, mean, std, second):
    # Rows of 10 times the identity: all 256 x 100 x 100 entries of z are independent.
    network = build(XAVIER, activation, depth=1, seeds=range(256), inputs=10 * torch.eye(100))
    curves = profile(network).curves
    means = reductions.mean(network.a)[0].numpy()
    stds = reductions.std(network.a)[0].numpy()
    assert_mean(means, mean)
    assert_mean(stds**2, std**2)
    assert_mean(second_moment(network.a)[0], second)
    # A median's standard error is sqrt(pi / 2) times that of a mean.
    for curve, samples, expected in (("mean", means, mean), ("std", stds, std)):
        error = math.sqrt(math.pi / 2) * samples.std() / 16
        assert error < 1e-3
        assert abs(curves[f"activation/{curve}"][0] - expected) <= SIGMAS * error


def relu_step(n):
    """Mean and variance of log(|h'|^2 / |h|^2) a layer, for Xavier and ReLU at width n.

    |h'|^2 / |h|^2 is 1/n times a chi-squared with as many degrees as units are on, which is
    binomial; of k degrees, its log has mean digamma(k / 2) + log 2 and variance trigamma(k / 2).
    """
    k = np.arange(1, n + 1)
    share = binom.pmf(k, n, 0.5)
    log_mean = digamma(k / 2) + math.log(2)
    mean = (share * log_mean).sum()
    second = (share * (polygamma(1, k / 2) + log_mean**2)).sum()
    return mean - math.log(n), second - mean**2


def linear_step(n):
    """The same for Xavier and no activation: all n units are on."""
    return digamma(n / 2) + math.log(2 / n), polygamma(1, n / 2)


@pytest.fixture(scope="module")
def second_moments(build):
    """Of one input, layer by layer, in 1,024 nets of the chapter's fifty layers."""

    def of(init, activation):
        nets = in_blocks(build, init, activation, 1024, depth=50, inputs=unit_rows(1, 100))
        return np.concatenate([second_moment(net.a) for net in nets], axis=1)

    cases = {
        "xavier relu": (XAVIER, ReLU()),
        "kaiming relu": (KAIMING, ReLU()),
        "xavier identity": (XAVIER, Identity()),
    }
    return {name: of(*case) for name, case in cases.items()}


@pytest.mark.parametrize(
    ("case", "factor", "step", "moment"),
    [
        ("xavier relu", 0.5, relu_step, 5),
        ("kaiming relu", 1, relu_step, 5),
        ("xavier identity", 1, linear_step, 2),
    ],
)
@pytest.mark.parametrize("layer", [1, 2, 5, 10, 20, 50])
def test_second_moments_layer_by_layer(second_moments, *, case, factor, step, moment, layer):
    sample = second_moments[case][layer - 1]
    # Their mean follows the mean field at any width; its relative variance is known.
    relative_variance = (1 + moment / 100) ** layer - 1
    if layer <= 20:  # beyond, a few large nets decide
        error = math.sqrt(relative_variance / 1024)
        assert sample.mean() == pytest.approx(factor**layer, rel=SIGMAS * error)
    # The typical net is smaller, by a random walk of its log.
    mean, variance = step(100)
    if case == "kaiming relu":
        mean += math.log(2)
    logs = np.log(sample)  # nearly normal; the 1.2 is for a kurtosis a little over 3
    assert abs(logs.mean() - layer * mean) <= SIGMAS * math.sqrt(layer * variance / 1024)
    assert logs.var() == pytest.approx(layer * variance, rel=SIGMAS * math.sqrt(2 / 1024) * 1.2)


def test_xavier_and_relu_lose_half_the_power_a_layer(second_moments):
    assert math.sqrt(0.5**10) == 0.03125
    rms = np.sqrt(np.exp(np.log(second_moments["xavier relu"]).mean(axis=1)))
    mean_field = 0.5 ** (np.arange(1, 51) / 2)
    assert mean_field[-1] == pytest.approx(2.98e-8, rel=1e-3)
    # The finite width takes another 1.3 % a layer; 4 standard errors of what is left.
    assert (rms[-1] / mean_field[-1]) == pytest.approx(0.53, rel=SIGMAS * 0.81 / 32)
    assert (rms[-1] / rms[0]) ** (1 / 49) == pytest.approx(math.sqrt(0.5), rel=0.017)


@pytest.mark.parametrize(
    ("case", "typical", "spread"), [("kaiming relu", 0.53, 0.81), ("xavier identity", 0.78, 0.50)]
)
def test_typical_nets_of_fifty_layers(second_moments, case, typical, spread):
    log_rms = 0.5 * np.log(second_moments[case][-1])
    error = spread / math.sqrt(1024)
    assert abs(log_rms.mean() - math.log(typical)) <= SIGMAS * error + 0.01  # .78 is rounded
    median_error = math.sqrt(math.pi / 2) * error
    assert abs(np.median(log_rms) - math.log(typical)) <= SIGMAS * median_error + 0.01
    assert log_rms.std() == pytest.approx(spread, abs=SIGMAS * error / math.sqrt(2) + 0.005)


@pytest.mark.parametrize(("init", "factor"), [(XAVIER, 0.5), (KAIMING, 1.0)], ids=name)
def test_growth_of_relu_nets_forward_and_back(build, profile, init, factor):
    """Of 256 replicas, as a run reports it."""
    n, steps = 50, 49
    network = build(init, ReLU(), depth=50, width=n, seeds=range(256), inputs=unit_rows(1, n))
    numbers = profile(network).numbers
    mean, variance = relu_step(n)
    expected = math.exp((mean + math.log(2 * factor)) / 2)
    # The walk's own spread; 1.1 for the std about the mean, which wavers against the rms.
    error = 1.1 * math.sqrt(math.pi / 2) * math.sqrt(variance / steps) / 2 / math.sqrt(256)
    assert error < 0.003
    assert numbers["summary/std_growth"] == pytest.approx(expected, rel=SIGMAS * error)
    # What flows back crosses the same matrices and the same units that are on.
    assert numbers["summary/gradient_growth"] == pytest.approx(expected, rel=SIGMAS * error)


@pytest.mark.parametrize(
    ("init", "activation", "moment"), [(KAIMING, ReLU(), 5), (XAVIER, Identity(), 2)], ids=name
)
@pytest.mark.parametrize(("n", "depth"), [(20, 3), (50, 5)])
def test_fourth_moments_at_finite_width(build, *, init, activation, moment, n, depth):
    """E|h|^4 / E[|h|^2]^2 = (1 + 5/n)^l for He and ReLU, (1 + 2/n)^l for a linear net."""
    network = build(
        init, activation, depth=depth, width=n, seeds=range(8192), inputs=unit_rows(1, n)
    )
    network.forward()
    for layer, y in enumerate(second_moment(network.a), start=1):
        second, fourth = y.mean(), (y**2).mean()
        ratio, expected = fourth / second**2, (1 + moment / n) ** layer
        # The delta method: how much each replica moves the ratio.
        pull = (y**2 - fourth) / second**2 - 2 * fourth * (y - second) / second**3
        error = pull.std() / math.sqrt(len(y))
        assert abs(ratio - expected) <= SIGMAS * error
        assert SIGMAS * error < 0.3 * (expected - 1)


@pytest.fixture(scope="module")
def tanh_nets(build):
    """std of the activations and gradient norms, by layer, of 32 nets of width 400."""
    stds, norms = [], []
    for network in in_blocks(
        build, XAVIER, Tanh(), 32, block=8, depth=51, width=400, inputs=unit_rows(16, 400)
    ):
        network.backward()
        stds.append(reductions.std(network.a))
        norms.append(reductions.norm(network.delta))
    return torch.cat(stds, dim=1).numpy(), torch.cat(norms, dim=1).numpy()


@pytest.mark.parametrize(
    ("layer", "std"), [(1, 0.62792873), (2, 0.48626167), (10, 0.22847337), (50, 0.10109073)]
)
def test_tanh_under_xavier(tanh_nets, layer, std):
    assert_mean(np.log(tanh_nets[0][layer - 1] / std), 0, also=layer / (2 * 400))


@pytest.mark.parametrize(("layer", "product"), [(10, 0.0713697), (50, 0.0143348)])
def test_gradients_under_xavier_and_tanh(tanh_nets, layer, product):
    """From layer l + 1 down to layer 1, squared, they change by chi_1 ... chi_l."""
    norms = tanh_nets[1]
    log_ratio = np.log(norms[0] / norms[layer])
    assert_mean(log_ratio, 0.5 * math.log(product), also=layer / (2 * 400))


@pytest.mark.parametrize(
    ("weights", "biases", "fixed_point"),
    [(1.76095464, 0.05, 0.57004788), (1.42420529, 0.01, 0.27330091)],
)
def test_tanh_on_its_critical_line(build, weights, biases, fixed_point):
    """chi = 1: neither the pre-activations nor the gradients change from layer to layer."""
    init = VarianceScaling(scale=weights, bias_std=math.sqrt(biases))
    start = math.sqrt((fixed_point - biases) / weights)
    qs, norms = [], []
    for network in in_blocks(
        build, init, Tanh(), 32, block=16, depth=20, width=400, inputs=start * unit_rows(16, 400)
    ):
        network.backward()
        qs.append(second_moment(network.z))
        norms.append(reductions.norm(network.delta))
    qs, norms = np.concatenate(qs, axis=1), torch.cat(norms, dim=1).numpy()
    for layer in (1, 2, 5, 10, 20):
        assert_mean(np.log(qs[layer - 1] / fixed_point), 0, also=layer / 400)
    for layer in (1, 5, 10, 15):
        assert_mean(np.log(norms[0] / norms[layer]), 0, also=layer / (2 * 400))


def test_kaiming_and_relu_forget_their_input(build):
    """Two orthogonal inputs; after one layer their cosine is 1 / pi."""
    n = 400
    inputs = math.sqrt(n) * torch.eye(n)[:2]
    network = build(KAIMING, ReLU(), depth=10, width=n, seeds=range(16), inputs=inputs)
    network.forward()
    cosines = reductions.correlation(network.a).numpy()
    for layer, expected in ((1, 1 / math.pi), (2, 0.49373109), (10, 0.87153552)):
        assert_mean(cosines[layer - 1], expected, also=1 / n)


# What the chapter printed of its two layers: 200 x 100 inputs, 50 units, biases zero.
PRINTED = [
    (Normal(), "z", 0.0019, 10.1058),
    (XAVIER, "z", -0.0050, 1.0000),
    (XAVIER, "a", 0.3961, 0.5783),
    (KAIMING, "a", 0.5661, 0.8339),
]


@pytest.mark.parametrize(("init", "stack", "mean", "std"), PRINTED, ids=name)
def test_the_chapters_two_layers_are_an_ordinary_draw(build, init, stack, mean, std):
    network = build(init, ReLU(), depth=1, width=50, seeds=range(256))
    network.forward()
    values = getattr(network, stack)
    means, stds = reductions.mean(values)[0].numpy(), reductions.std(values)[0].numpy()
    assert abs(mean - means.mean()) <= 3 * means.std()
    assert abs(std - stds.mean()) <= 3 * stds.std()
    assert stds.std() < 0.03 * std


# After its fifty layers: 200 x 100 inputs, 100 x 100 weights, no biases.
@pytest.mark.parametrize(
    ("init", "activation", "std"),
    [
        (Normal(std=0.1), Identity(), 0.7042),
        (Normal(std=0.1), ReLU(), 1e-8),
    ],
    ids=name,
)
def test_the_chapters_fifty_layers_are_an_ordinary_draw(build, init, activation, std):
    network = build(init, activation, depth=50, seeds=range(64))
    network.forward()
    logs = reductions.std(network.a)[-1].log().numpy()
    assert logs.min() < math.log(std) < logs.max()
    assert abs(math.log(std) - logs.mean()) <= 2.5 * logs.std()
    assert logs.std() < 1.2


def test_the_chapters_healthy_relu_net_has_entries_of_order_a_tenth(build):
    network = build(Normal(std=math.sqrt(2 / 100)), ReLU(), depth=50, seeds=range(64))
    network.forward()
    entries = network.a[-1][network.a[-1] > 0]
    assert 0.025 < (entries < 0.1).float().mean() < 0.975


def test_the_chapters_naive_nets_are_all_nan_and_all_zero(build):
    exploded = build(Normal(std=1.0), Identity(), depth=50)
    vanished = build(Normal(std=0.01), Identity(), depth=50)
    for network in (exploded, vanished):
        network.forward()
    assert exploded.a[-1].isnan().all()
    assert not vanished.a[-1].any()
