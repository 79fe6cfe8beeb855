"""Gaussian integrals, against high precision, closed forms and each other."""

import math

import pytest
import torch
from exact import ACTIVATIONS, expectation
from hypothesis import given, settings
from hypothesis import strategies as st
from workplace import made, options

from fanin.nn.activations import GELU, Erf, HardTanh, Identity, LeakyReLU, ReLU, Sigmoid, Tanh
from fanin.theory.gaussian import is_homogeneous, moments, pair_moments

NAMES = options("activation")


def test_every_activation_has_an_independent_formula():
    assert sorted(ACTIVATIONS) == NAMES


@pytest.mark.parametrize("q", [1e-12, 1.0, 30.0, 1e12])
@pytest.mark.parametrize("name", NAMES)
def test_moments_in_high_precision(name, q):
    computed = moments(made("activation", name), q)
    second = expectation(name, q, "second")
    assert computed.mean == pytest.approx(
        expectation(name, q, "mean"), abs=1e-10 * math.sqrt(second)
    )
    assert computed.second.value == pytest.approx(second, rel=1e-10)
    assert computed.variance.value == pytest.approx(expectation(name, q, "variance"), rel=1e-9)
    assert computed.slope.value == pytest.approx(expectation(name, q, "slope"), rel=1e-10)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("name", NAMES)
def test_how_moments_answer_to_q(name, q):
    """Elasticities and curvatures against differences of the values themselves."""
    activation, step = made("activation", name), 1e-3
    low, here, high = (moments(activation, q * math.exp(k * step)) for k in (-1, 0, 1))
    for of in ("variance", "second", "slope"):
        before, at, after = (math.log(getattr(m, of).value) for m in (low, here, high))
        response = getattr(here, of)
        assert response.elasticity == pytest.approx((after - before) / 2 / step, abs=2e-6)
        curvature = (after - 2 * at + before) / step**2
        assert response.curvature == pytest.approx(curvature, abs=2e-5)
    assert here.mean_slope == pytest.approx((high.mean - low.mean) / 2 / step, abs=1e-5)
    bend = (high.mean - 2 * here.mean + low.mean) / step**2 - here.mean_slope
    assert here.mean_convexity == pytest.approx(bend, abs=1e-4)


CLOSED = [
    # Williams 1997, eq. 11: neural networks with infinitely many units.
    (Erf(), lambda q, c: 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q))),
    # Cho and Saul 2009, eq. 6: the arc-cosine kernel of degree 1.
    (
        ReLU(),
        lambda q, c: q / (2 * math.pi) * (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))),
    ),
    (Identity(), lambda q, c: q * c),
]


@pytest.mark.parametrize("c", [-1, -0.6, 0, 1e-9, 0.3, 0.9, 0.999, 1 - 1e-7, 1])
@pytest.mark.parametrize("q", [1e-12, 0.1, 1.0, 30.0, 1e12])
@pytest.mark.parametrize(("activation", "closed"), CLOSED, ids=["erf", "relu", "identity"])
def test_pairs_in_closed_form(activation, closed, q, c):
    one = moments(activation, q)
    pair = pair_moments(activation, q, c, one.mean)
    # A correlation within 1e-16 of 1 is taken for it: its root is 1e-8.
    assert pair.covariance + one.mean**2 == pytest.approx(closed(q, c), abs=2e-8 * one.second.value)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("name", NAMES)
def test_pairs_of_equal_and_of_unrelated_inputs(name, q):
    activation = made("activation", name)
    one = moments(activation, q)
    same = pair_moments(activation, q, 1, one.mean)
    assert same.covariance == pytest.approx(one.variance.value, rel=1e-7)
    assert same.slope == pytest.approx(one.slope.value, rel=1e-6)
    assert same.variance_noise == pytest.approx(one.variance_noise, rel=1e-6)
    assert same.second_noise == pytest.approx(one.second_noise, rel=1e-6)
    assert same.slope_square == pytest.approx(one.slope_fourth, rel=1e-5)
    apart = pair_moments(activation, q, 0, one.mean)
    assert apart.covariance == pytest.approx(0, abs=1e-7 * one.second.value)
    assert apart.second_noise == pytest.approx(0, abs=1e-7)
    assert apart.slope_square == pytest.approx(1, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from([n for n in NAMES if n not in ("hardtanh", "relu", "leaky_relu")]),
    log_q=st.floats(-5, 4),
    c=st.floats(-0.95, 0.95),
)
def test_the_slope_of_the_covariance(name, log_q, c):
    """Price's theorem: d Cov / dc = q E[phi'(x) phi'(y)]."""
    activation, q, step = made("activation", name), math.exp(log_q), 1e-4
    one = moments(activation, q)
    low, high = (pair_moments(activation, q, c + k * step, one.mean).covariance for k in (-1, 1))
    slope = pair_moments(activation, q, c, one.mean).slope
    assert (high - low) / 2 / step == pytest.approx(q * slope, abs=2e-4 * one.second.value)


@pytest.mark.parametrize("activation", [Tanh(), GELU(), Sigmoid(), HardTanh()], ids=str)
def test_pairs_by_sampling(activation):
    q, c, n = 1.5, 0.4, 1_000_000
    shared, *own = torch.randn(
        3, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    x, y = (math.sqrt(q) * (math.sqrt(c) * shared + math.sqrt(1 - c) * u) for u in own)
    one = moments(activation, q)
    pair = pair_moments(activation, q, c, one.mean)
    a, b = activation.forward(x), activation.forward(y)
    slopes = activation.derivative(x, a) * activation.derivative(y, b)
    squares = (a - one.mean) ** 2 * (b - one.mean) ** 2
    for sample, expected in (
        ((a - one.mean) * (b - one.mean), pair.covariance),
        (slopes, pair.slope),
        (squares, (pair.variance_noise + 1) * one.variance.value**2),
        (a**2 * b**2, (pair.second_noise + 1) * one.second.value**2),
        (slopes**2, pair.slope_square * one.slope.value**2),
    ):
        assert abs(sample.mean() - expected) <= 4 * sample.std() / math.sqrt(n)


def test_what_is_homogeneous():
    assert [is_homogeneous(a) for a in (ReLU(), LeakyReLU(0.2), Identity())] == [True] * 3
    assert not any(is_homogeneous(a) for a in (Tanh(), GELU(), HardTanh(), Sigmoid()))


@pytest.mark.parametrize("activation", [ReLU(), LeakyReLU(0.2), Identity()], ids=str)
def test_homogeneous_moments_scale(activation):
    small, large = moments(activation, 1e-3), moments(activation, 1e3)
    assert large.mean == pytest.approx(1e3 * small.mean, rel=1e-12)
    assert large.second.value == pytest.approx(1e6 * small.second.value, rel=1e-12)
    assert large.slope == small.slope
    pairs = [pair_moments(activation, q, 0.3, moments(activation, q).mean) for q in (1e-3, 1e3)]
    assert pairs[1].covariance == pytest.approx(1e6 * pairs[0].covariance, rel=1e-12)
    assert pairs[1].second_noise == pytest.approx(pairs[0].second_noise, rel=1e-9)
