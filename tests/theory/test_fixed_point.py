"""Fixed points, phases and depth scales, and the init that sits on the border."""

import math

import pytest
from workplace import made, options

from fanin.nn.activations import GELU, Erf, Identity, ReLU, Softplus, Tanh
from fanin.nn.init import VarianceScaling
from fanin.theory.critical import Critical, critical_variance
from fanin.theory.fixed_point import fixed_point
from fanin.theory.gaussian import moments


def test_the_depth_scale_of_tanh():
    point = fixed_point(Tanh(), 1.0, 0.05, 1.0)
    assert point.xi_c == pytest.approx(3.6270, abs=5e-5)
    assert (point.phase, point.cosine) == ("ordered", 1.0)


@pytest.mark.parametrize(
    ("weights", "biases", "q"), [(1.76095464, 0.05, 0.57004788), (1.42420529, 0.01, 0.27330091)]
)
def test_the_critical_line_of_tanh(weights, biases, q):
    point = fixed_point(Tanh(), weights, biases, 1.0)
    assert (point.q, point.chi) == (pytest.approx(q, abs=5e-9), pytest.approx(1, abs=1e-8))
    assert point.phase == "critical"
    assert critical_variance(Tanh(), biases) == pytest.approx(weights, abs=5e-9)


@pytest.mark.parametrize("start", [1e-14, 1e-6, 1.0, 1e14])
@pytest.mark.parametrize(("weights", "biases"), [(1.0, 0.05), (3.0, 0.05), (4.0, 0.0)])
def test_the_fixed_point_stays_and_is_reached_from_anywhere(weights, biases, start):
    point = fixed_point(Tanh(), weights, biases, start)
    of = moments(Tanh(), point.q)
    assert weights * of.second.value + biases == pytest.approx(point.q, rel=1e-9)


@pytest.mark.parametrize("above", [1e-7, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2])
def test_just_above_the_critical_line_inputs_end_up_nearly_alike(above):
    point = fixed_point(Tanh(), 1.76095464 * (1 + above), 0.05, 1.0)
    assert point.cosine > 1 - 10 * above
    assert point.xi_c > 0.2 / above


def test_where_chaotic_inputs_end_up():
    """Poole et al. 2016, fig. 2: the correlation is repelled from 1."""
    point = fixed_point(Tanh(), 3.0, 0.05, 1.0)
    assert point.phase == "chaotic"
    assert 0.2 < point.cosine < 0.4
    assert 0 < point.xi_c < math.inf


@pytest.mark.parametrize(
    ("weights", "biases", "q", "phase"),
    [
        (1.0, 0.0, 0.0, "ordered"),
        (2.0, 0.0, 0.7, "critical"),  # wherever it starts
        (2.2, 0.0, math.inf, "chaotic"),
        (1.0, 0.1, 0.2, "ordered"),
        (2.0, 0.1, math.inf, "critical"),
    ],
)
def test_relu(weights, biases, q, phase):
    point = fixed_point(ReLU(), weights, biases, 0.7)
    assert (point.q, point.phase) == (pytest.approx(q), phase)
    assert point.chi == pytest.approx(weights / 2)


def test_depth_scales_of_relu_are_those_of_a_geometric_approach():
    point = fixed_point(ReLU(), 1.0, 0.1, 0.7)
    assert point.xi_q == pytest.approx(1 / math.log(2))
    assert point.xi_c == pytest.approx(1 / math.log(2))


def test_critical_inits_that_are_known():
    assert critical_variance(ReLU(), 0.0) == pytest.approx(2)
    assert critical_variance(Identity(), 0.0) == pytest.approx(1)
    assert critical_variance(Tanh(), 0.0) == pytest.approx(1)
    assert critical_variance(Erf(), 0.0) == pytest.approx(math.pi / 4)
    assert critical_variance(ReLU(), 0.01) is None  # q has no fixed point
    assert critical_variance(GELU(), 0.01) is None  # it has one, and it repels
    assert critical_variance(Softplus(), 0.0) is None


NONE = {  # at init.bias_std of 0, .1 and .3
    "identity": (0.1, 0.3),  # q has no fixed point
    "relu": (0.1, 0.3),
    "leaky_relu": (0.1, 0.3),
    "softplus": (0, 0.1, 0.3),
    "gelu": (0, 0.1, 0.3),  # it repels
    "gelu_tanh": (0, 0.1, 0.3),
    "silu": (0, 0.1, 0.3),
    "mish": (0, 0.1, 0.3),
}


def _refusal(activation, bias_std):
    name = type(activation).__name__
    biases = rf"with init\.bias_std={bias_std}" if bias_std else "without biases"
    return rf"^{name} has no stable critical point {biases}; use .*, or init=kaiming$"


@pytest.mark.parametrize("bias_std", [0, 0.1, 0.3])
@pytest.mark.parametrize("name", options("activation"))
def test_the_critical_init_is_critical_or_says_that_none_is(name, bias_std):
    activation, init = made("activation", name), Critical(bias_std=bias_std)
    if bias_std in NONE.get(name, ()):
        with pytest.raises(ValueError, match=_refusal(activation, bias_std)):
            init.resolve(activation)
    else:
        resolved = init.resolve(activation)
        assert isinstance(resolved, VarianceScaling)
        point = fixed_point(activation, resolved.scale, bias_std**2, 1.0)
        assert point.chi == pytest.approx(1, abs=1e-9)
