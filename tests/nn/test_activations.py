"""Every activation of conf/activation against autograd, PyTorch and the normal integrals."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fanin.nn.activations import ELU, Activation, LeakyReLU, ReLU, Softsign, make_in_place

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
# A small slope is a difference of numbers near 1, which GELU's tanh form multiplies by up to 40.
ROUNDING = 40 * torch.finfo(torch.float64).eps
EXACT = {"rtol": 1e-12, "atol": ROUNDING}
finite = st.floats(-100, 100).filter(lambda z: abs(z) != 1)


def autograd(function, z):
    z = z.clone().requires_grad_()
    return torch.autograd.grad(function(z).sum(), z)[0]


def slope(phi, z):
    return phi.derivative(z, phi.forward(z))


def points(count=1000):
    return 5 * torch.randn(count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_value_is_pytorchs(activation, counterpart):
    z = points()
    torch.testing.assert_close(activation.forward(z), counterpart(z), **EXACT)


def test_derivative_is_pytorchs(activation, counterpart):
    z = points()
    torch.testing.assert_close(slope(activation, z), autograd(counterpart, z), **EXACT)


def test_derivative_is_autograds_of_the_value(activation):
    z = points()
    expected = autograd(activation.forward, z)
    torch.testing.assert_close(slope(activation, z), expected, rtol=1e-9, atol=ROUNDING)


@settings(deadline=None, max_examples=50)
@given(st.lists(finite, min_size=1, max_size=20))
def test_derivative_is_autograds_wherever_one_looks(activation, zs):
    z = torch.tensor(zs, dtype=torch.float64)
    expected = autograd(activation.forward, z)
    torch.testing.assert_close(slope(activation, z), expected, rtol=1e-9, atol=ROUNDING)


def test_derivative_at_kinks_is_pytorchs_choice(activation, counterpart):
    z = torch.tensor([0.0, -0.0, 1.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(slope(activation, z), autograd(counterpart, z), **EXACT)


@given(st.floats(0, 3), st.floats(0, 3))
@settings(deadline=None, max_examples=25)
def test_settings_mean_what_they_mean_in_pytorch(slope_below, alpha):
    z = torch.cat([points(50), torch.zeros(1, dtype=torch.float64)])
    for phi, function in (
        (LeakyReLU(slope_below), lambda z: functional.leaky_relu(z, slope_below)),
        (ELU(alpha), lambda z: functional.elu(z, alpha)),
    ):
        torch.testing.assert_close(phi.forward(z), function(z), **EXACT)
        torch.testing.assert_close(slope(phi, z), autograd(function, z), **EXACT)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5), (0, 2, 3)], ids=str)
def test_shape_and_dtype_are_kept(activation, dtype, shape):
    z = torch.linspace(-3, 3, math.prod(shape)).reshape(shape).to(dtype)
    a = activation.forward(z)
    assert (a.shape, a.dtype) == (z.shape, dtype)
    assert (slope(activation, z).shape, slope(activation, z).dtype) == (z.shape, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_as_exact_as_it_can_be(activation, dtype):
    """Within a few roundings of the value in float64 at the same points."""
    z = torch.linspace(-6, 6, 1001).to(dtype)
    rounding = {"rtol": 8 * torch.finfo(dtype).eps, "atol": 8 * torch.finfo(dtype).eps}
    exact = z.double()
    torch.testing.assert_close(
        activation.forward(z).double(), activation.forward(exact), **rounding
    )
    torch.testing.assert_close(slope(activation, z).double(), slope(activation, exact), **rounding)


@pytest.mark.parametrize(
    ("dtype", "huge"),
    [
        (torch.float16, 6e4),
        (torch.bfloat16, 1e38),
        (torch.float32, 1e30),
        (torch.float32, 3e38),
        (torch.float64, 1e300),
    ],
    ids=str,
)
def test_huge_values_stay_finite(activation, counterpart, dtype, huge):
    z = torch.tensor([huge, -huge], dtype=dtype)
    assert activation.forward(z).isfinite().all()
    assert slope(activation, z).isfinite().all()


def test_softsign_keeps_its_slope_as_far_as_the_dtype_can_hold_it():
    z = torch.tensor([300.0, -300.0, 2000.0], dtype=torch.float16)
    expected = 1 / (1 + z.double().abs()).square()  # down to 2.5e-7, four steps above 0
    assert (slope(Softsign(), z).double() - expected).abs().max() < 2**-23


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nan_stays_nan(activation, dtype):
    a = activation.forward(torch.tensor([0.5, math.nan, -0.5], dtype=dtype))
    assert a.isnan().tolist() == [False, True, False]


def test_values_and_their_layer_are_left_alone(activation):
    z = points(20)
    a = activation.forward(z).clone()
    z_before, a_before = z.clone(), a.clone()
    activation.derivative(z, a)
    assert torch.equal(z, z_before)
    assert torch.equal(a, a_before)


def test_steepest_is_the_largest_secant(activation, counterpart):
    step = 1e-5  # SELU's slope changes by 1.8 * step from one point to the next
    z = torch.arange(-1_200_000, 1_200_001, dtype=torch.float64) * step
    secants = activation.forward(z).diff() / step
    assert activation.steepest == pytest.approx(secants.abs().max().item(), abs=1e-4)


# E over z ~ N(0, 1) of phi, its standard deviation, and E of phi^2 and phi'^2.
GAUSSIAN_MOMENTS = {
    "relu": (0.39894228, 0.58381937, 0.5, 0.5),
    "tanh": (0, 0.62792873, 0.39429449, 0.46440290),
    "sigmoid": (0.5, 0.20827634, 0.29337904, 0.04483624),
    "selu": (0, 1, 1, 1.07157499),
    "identity": (0, 1, 1, 1),
}


@pytest.mark.parametrize("activation_name", GAUSSIAN_MOMENTS, indirect=True)
def test_moments_of_a_normal_input(activation, activation_name):
    step = 1e-4  # the midpoint rule is off by about step^2, and never looks at a kink
    z = (torch.arange(-120_000, 120_000, dtype=torch.float64) + 0.5) * step
    weight = step * (-z * z / 2).exp() / math.sqrt(2 * math.pi)
    a = activation.forward(z)
    mean, second = (weight * a).sum().item(), (weight * a * a).sum().item()
    slopes = (weight * activation.derivative(z, a) ** 2).sum().item()
    computed = mean, math.sqrt(second - mean**2), second, slopes
    assert computed == pytest.approx(GAUSSIAN_MOMENTS[activation_name], abs=2e-8)


def test_every_activation_has_a_file():
    files = (Path(__file__).parents[2] / "conf" / "activation").glob("*.yaml")
    offered = {line for file in files for line in file.read_text().splitlines()}
    for cls in Activation.__subclasses__():
        if cls.__module__ == "fanin.nn.activations":
            assert f"_target_: fanin.nn.activations.{cls.__name__}" in offered


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_value_written_where_it_belongs_is_the_same(activation, dtype):
    z = torch.linspace(-6, 6, 1001).to(dtype)
    out = torch.full_like(z, math.nan)
    make_in_place(activation)(z, out=out)
    assert torch.equal(out, activation.forward(z))


def test_a_subclass_is_asked_for_its_own_value():
    class Doubled(ReLU):
        def forward(self, z):
            return 2 * super().forward(z)

    z, out = torch.tensor([-1.0, 3.0]), torch.empty(2)
    make_in_place(Doubled())(z, out=out)
    assert out.tolist() == [0, 6]
