"""The theory of the Jacobian's spectrum against the paper, large random matrices, and networks."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from fanin.measure.jacobian import spectrum
from fanin.nn.activations import Identity, ReLU, Tanh
from fanin.nn.init import LSUV, Orthogonal, VarianceScaling
from fanin.theory import jacobian_spectrum

SHAPES = [
    [300, 300, 300, 300],
    [600, 200, 300],
    [200, 600, 300, 500],
    [500, 400],
    [300, 600],
]


def orthonormal(generator, fan_in, fan_out):
    q = np.linalg.qr(generator.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out))))[0]
    return q if fan_in >= fan_out else q.T


def moments(widths, orthogonal):
    """fan_ins, fan_outs and length noises of a chain of layers."""
    fans = list(pairwise(widths))
    noise = [max(0, 1 - out / n) if orthogonal else 1 for n, out in fans]
    return (*zip(*fans, strict=True), noise)


@pytest.mark.parametrize("orthogonal", [False, True], ids=["gaussian", "orthogonal"])
@pytest.mark.parametrize("widths", SHAPES, ids=str)
def test_products_of_large_random_matrices(widths, orthogonal):
    """Weights of any shapes, and slopes in random order: a third each 0, 0.5 and 2."""
    generator = np.random.default_rng(0)
    means, spreads = [], []
    for _ in range(4):
        product = np.eye(widths[0])
        for fan_in, fan_out in pairwise(widths):
            w = (
                1.1 * orthonormal(generator, fan_in, fan_out)
                if orthogonal
                else generator.normal(0, 1.1 / math.sqrt(fan_in), (fan_in, fan_out))
            )
            product = product @ w * generator.permutation(np.resize([0, 0.5, 2], fan_out))
        eigenvalues = np.zeros(widths[-1])
        values = np.linalg.svd(product, compute_uv=False) ** 2
        eigenvalues[: len(values)] = values
        means.append(eigenvalues.mean())
        spreads.append(eigenvalues.std() / eigenvalues.mean())
    fan_ins, fan_outs, noise = moments(widths, orthogonal)
    layers = len(fan_ins)
    variances = [
        1.21 / (max(n, out) if orthogonal else n) for n, out in zip(fan_ins, fan_outs, strict=True)
    ]
    second, fourth = (0.25 + 4) / 3, (0.0625 + 16) / 3
    mean, spread = jacobian_spectrum.spectrum(
        fan_ins, fan_outs, variances, [second] * layers, [fourth] * layers, noise
    )
    assert np.mean(means) == pytest.approx(mean, rel=0.05)
    assert np.mean(spreads) == pytest.approx(spread, rel=0.03)


@pytest.mark.parametrize("depth", [1, 10, 50])
@pytest.mark.parametrize(("noise", "first_of_s"), [(1, -1), (0, 0)])
@pytest.mark.parametrize(("second", "fourth"), [(1, 1), (0.5, 0.5), (0.46, 0.3)])
def test_equal_layers_have_the_papers_spread(depth, noise, first_of_s, second, fourth):
    """sigma^2 = L (mu_2 / mu_1^2 - 1 - s_1), with s_1 = -1 for Gaussian and 0 for orthogonal."""
    fans, variance = [100] * depth, 1 / (100 * second)
    mean, spread = jacobian_spectrum.spectrum(
        fans, fans, [variance] * depth, [second] * depth, [fourth] * depth, [noise] * depth
    )
    assert mean == pytest.approx(1)
    assert spread**2 == pytest.approx(depth * (fourth / second**2 - 1 - first_of_s), abs=1e-12)


@pytest.mark.parametrize(("features", "width"), [(100, 300), (300, 100), (100, 100)])
def test_one_gaussian_matrix_has_marchenko_and_pasturs_spread(features, width):
    mean, spread = jacobian_spectrum.spectrum([features], [width], [1 / features], [1], [1], [1])
    assert mean == 1
    assert spread**2 == pytest.approx(width / features)


@pytest.mark.parametrize(("features", "width"), [(100, 300), (300, 100), (100, 100)])
def test_one_orthonormal_matrix_has_equal_eigenvalues_and_zeros(features, width):
    noise = max(0, 1 - width / features)
    variance = 1 / max(features, width)
    mean, spread = jacobian_spectrum.spectrum([features], [width], [variance], [1], [1], [noise])
    share = min(features / width, 1)
    assert mean == pytest.approx(features / max(features, width))
    assert spread**2 == pytest.approx(1 / share - 1, abs=1e-12)


def test_without_slopes_there_is_no_spread():
    mean, spread = jacobian_spectrum.spectrum([9, 9], [9, 9], [1, 1], [0.5, 0], [0.5, 0], [1, 1])
    assert mean == 0
    assert math.isnan(spread)


def test_a_mean_too_large_or_small_for_a_number_leaves_the_spread():
    for variance, end in ((1e10, math.inf), (1e-10, 0.0)):
        mean, spread = jacobian_spectrum.spectrum(
            *[[50] * 99] * 2, [variance] * 99, *[[1] * 99] * 3
        )
        assert mean == end
        assert spread == pytest.approx(math.sqrt(99))


def mean_field(init, activation, width, depth):
    """Layer by layer for inputs of second moment 1: the arguments of `spectrum`."""
    step = 1e-3
    z = (torch.arange(-10_000, 10_000, dtype=torch.float64) + 0.5) * step
    density = step * (-z * z / 2).exp() / math.sqrt(2 * math.pi)
    second, layers = 1.0, []
    for _ in range(depth):
        variance = init.variance_for(second, width, width)
        x = z * math.sqrt(width * variance * second)
        a = activation.forward(x)
        slope = activation.derivative(x, a)
        second = (density * a**2).sum().item()
        slopes = ((density * slope**n).sum().item() for n in (2, 4))
        layers.append((width, width, variance, *slopes, init.norm_variance_factor(width, width)))
    return zip(*layers, strict=True)


GAUSSIAN, KAIMING = VarianceScaling(scale=1.0), VarianceScaling(scale=2.0)


@pytest.mark.parametrize(
    ("init", "activation"),
    [
        (GAUSSIAN, Identity()),
        (GAUSSIAN, Tanh()),
        (KAIMING, ReLU()),
        (Orthogonal(), Tanh()),
        (Orthogonal(scale=2.0), ReLU()),
        (LSUV(), Tanh()),
        (LSUV(), ReLU()),
    ],
    ids=str,
)
def test_networks_of_ten_layers(build, init, activation):
    """At width 200 within 3 % and three standard errors, in eight networks."""
    n, depth = 200, 10
    inputs = torch.randn(100, n, generator=torch.Generator().manual_seed(3))
    inputs *= math.sqrt(n) / inputs.norm(dim=1, keepdim=True)
    network = build(init, activation, depth=depth, width=n, seeds=range(8), inputs=inputs)
    init.fit(network.parameters.layers(), activation, inputs)
    network.forward()
    measured = spectrum(network).numbers()
    mean, spread = jacobian_spectrum.spectrum(*mean_field(init, activation, n, depth))
    spreads = measured["summary/jacobian_spread"]
    error = spreads.std(ddof=1) / math.sqrt(8)
    assert abs(spreads.mean() - spread) <= 0.03 * spread + 3 * error
    logs = np.log(measured["summary/jacobian_mean_square"] / mean)
    assert abs(logs.mean()) <= 0.03 + 3 * logs.std(ddof=1) / math.sqrt(8)
    assert logs.std(ddof=1) < 0.4
