"""Reductions against their definitions in NumPy's float64, and at the ends of the range."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.measure import reductions
from fanin.measure.reductions import (
    correlation,
    mean,
    mean_and_std,
    mean_std_and_correlation,
    norm,
    std,
)
from fanin.nn.activations import Identity
from fanin.nn.init import Normal

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def random(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def float64(x):
    return x.double().numpy()


def mean_cosine(layer):
    """Pair by pair, rows of zeros left out; single values have no direction."""
    rows = [row / np.sqrt((row**2).sum()) for row in layer if row.any() and len(row) > 1]
    cosines = [(u * v).sum() for u, v in combinations(rows, 2)]
    return np.mean(cosines) if cosines else math.nan


DEFINITIONS = {
    mean: lambda x: x.mean((-2, -1)),
    std: lambda x: x.std((-2, -1), ddof=1),
    norm: lambda x: np.sqrt((x**2).sum((-2, -1))),
    correlation: lambda x: np.array([[mean_cosine(layer) for layer in layers] for layers in x]),
}
every_reduction = pytest.mark.parametrize("reduction", DEFINITIONS, ids=lambda s: s.__name__)
every_size = pytest.mark.parametrize("reduction", [mean, std, norm], ids=lambda s: s.__name__)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def assert_is_its_definition(reduction, x, scale=1.0):
    """To the rounding of the dtype it is measured in, float32 or float64."""
    tolerance = 1e-12 if x.dtype == torch.float64 else 2e-6
    expected = DEFINITIONS[reduction](float64(x))
    np.testing.assert_allclose(reduction(x), expected, rtol=tolerance, atol=tolerance * scale)


@every_reduction
@every_dtype
@pytest.mark.parametrize(
    "shape", [(1, 1, 2, 1), (3, 2, 5, 7), (2, 3, 40, 30), (7, 1, 2, 300)], ids=str
)
def test_reductions_are_their_definitions(reduction, dtype, shape):
    x = random(*shape, dtype=dtype)
    assert_is_its_definition(reduction, x)
    assert_is_its_definition(reduction, x + 3, scale=3)
    assert_is_its_definition(reduction, x.relu())


@every_reduction
@every_dtype
def test_a_value_a_layer_and_replica_in_float64(reduction, dtype):
    value = reduction(random(4, 3, 6, 5, dtype=dtype))
    assert (value.shape, value.dtype, value.device.type) == ((4, 3), torch.float64, "cpu")
    assert reduction(random(0, 3, 6, 5, dtype=dtype)).shape == (0, 3)


@every_reduction
def test_a_pass_is_left_as_it_was(reduction):
    for dtype in DTYPES:
        x = random(3, 2, 6, 5, dtype=dtype)
        before = x.clone()
        reduction(x)
        assert torch.equal(x, before)


@every_reduction
@pytest.mark.parametrize("chunk", [1, 100, 161])
def test_chunks_do_not_show(reduction, chunk, monkeypatch):
    x = random(5, 2, 8, 5, dtype=torch.float64)
    whole = reduction(x)
    monkeypatch.setattr(reductions, "_CHUNK", chunk)
    np.testing.assert_allclose(reduction(x), whole, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "centre", "relative"),
    [
        (torch.float32, 1e2, 1e-6),
        (torch.float32, 1e4, 1e-5),
        (torch.float64, 1e4, 1e-12),
        (torch.float64, 1e8, 1e-10),
    ],
    ids=str,
)
def test_std_is_accurate_around_a_large_mean(dtype, centre, relative):
    x = (centre + random(2, 2, 200, 100, dtype=torch.float64)).to(dtype)
    around = float64(x) - centre  # exact, so that NumPy's own rounding does not matter
    np.testing.assert_allclose(std(x), around.std((-2, -1), ddof=1), rtol=relative)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e30, 3e38, 1e-40])
def test_a_constant_layer_has_no_std(value):
    x = torch.full((1, 1, 30, 70), value)
    assert std(x).item() <= 1e-7 * abs(value)
    assert mean(x).item() == pytest.approx(x[0, 0, 0, 0].item(), rel=1e-6)


def test_a_single_value_has_std_0():
    assert std(torch.tensor([[[[5.0]]]])).item() == 0


def normal_everywhere(dtype, k, seed):
    """A stack and 2^k times it, without a subnormal or infinite number among them."""
    x = random(2, 2, 6, 5, dtype=dtype, seed=seed)
    x = x.sign() * (0.5 + x.abs())
    x[1] *= 20
    scaled = x * 2.0**k
    assert scaled.isfinite().all()
    assert scaled.abs().min() >= torch.finfo(dtype).tiny
    return x, scaled


powers = st.one_of(
    st.tuples(st.just(torch.float32), st.integers(-125, 120)),
    st.tuples(st.just(torch.float64), st.integers(-1000, 1000)),
)


@settings(deadline=None, max_examples=50)
@given(powers, st.integers(0, 1000))
@every_size
def test_a_power_of_two_is_taken_out_exactly(reduction, power, seed):
    dtype, k = power
    x, scaled = normal_everywhere(dtype, k, seed)
    assert torch.equal(reduction(scaled), 2.0**k * reduction(x))


@settings(deadline=None, max_examples=50)
@given(powers, st.integers(0, 1000))
def test_a_cosine_has_no_scale(power, seed):
    dtype, k = power
    x, scaled = normal_everywhere(dtype, k, seed)
    assert torch.equal(correlation(scaled), correlation(x))


def entries_fit(stack):
    """Whether each layer is finite, and whether it holds anything but zeros."""
    return stack.isfinite().all(-1).all(-1).squeeze(1), stack.any(-1).any(-1).squeeze(1)


def test_an_exploding_chain_is_measured_to_its_last_finite_layer(build):
    network = build(Normal(), Identity(), depth=50)
    network.forward()
    fits, _ = entries_fit(network.z)
    last = fits.sum().item()
    assert 36 <= last <= 38
    assert network.z.square().isinf().any(-1).any(-1).nonzero()[0, 0].item() < 22  # the trap
    for reduction in (mean, std, norm):
        assert torch.equal(reduction(network.z).isfinite().squeeze(1), fits)
        for layer in range(last):
            scale = network.z[layer].abs().max().item()
            assert_is_its_definition(reduction, network.z[layer : layer + 1], scale)
    assert torch.equal(correlation(network.z).isfinite().squeeze(1), fits)


def test_a_vanishing_chain_is_measured_to_its_last_layer_but_zeros(build):
    network = build(Normal(std=0.01), Identity(), depth=50)
    network.forward()
    _, alive = entries_fit(network.z)
    assert 44 <= alive.sum() <= 46
    assert not network.z.square().any(-1).any(-1)[26:].any()  # the trap
    for reduction in (std, norm):
        assert torch.equal(reduction(network.z).squeeze(1) > 0, alive)
    for layer in range(int(alive.sum())):
        one = network.z[layer : layer + 1]
        for reduction in (mean, std, norm):
            assert_is_its_definition(reduction, one, scale=one.abs().max().item())


@every_size
@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_float64_is_measured_over_its_own_range(reduction, size):
    x = random(2, 2, 6, 5, dtype=torch.float64)
    expected = size * DEFINITIONS[reduction](float64(x))
    np.testing.assert_allclose(reduction(size * x), expected, rtol=1e-11)


@every_size
@pytest.mark.parametrize("size", [6e-8, 1e-5, 1.0, 1e4])
def test_float16_is_measured_over_its_own_range(reduction, size):
    x = (random(2, 2, 60, 50) * size).half()
    assert x.isfinite().all()
    assert_is_its_definition(reduction, x, scale=size)


@every_reduction
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_spoils_its_own_layer_alone(reduction, value):
    x = random(3, 2, 6, 5)
    expected = reduction(x)
    x[1, 0, 2, 3] = value
    measured = reduction(x)
    assert not measured[1, 0].isfinite()
    measured[1, 0] = expected[1, 0]
    assert torch.equal(measured, expected)


def test_correlation_leaves_out_rows_of_zeros():
    x = random(2, 1, 6, 5, dtype=torch.float64)
    x[:, :, [1, 4]] = 0
    without = correlation(x[:, :, [0, 2, 3, 5]])  # whose sums have another order
    np.testing.assert_allclose(correlation(x), without, rtol=1e-14)
    assert_is_its_definition(correlation, x)


def test_correlation_of_known_angles():
    turned = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    expected = (0 + 2 * math.sqrt(0.5)) / 3
    assert correlation(turned[None, None]).item() == pytest.approx(expected, abs=1e-6)
    same = torch.tensor([[1.0, -2.0], [10.0, -20.0]])
    assert correlation(same[None, None]).item() == pytest.approx(1, abs=1e-6)
    assert correlation((same * torch.tensor([[1.0], [-1.0]]))[None, None]).item() == pytest.approx(
        -1, abs=1e-6
    )


def test_correlation_of_one_input_is_nan():
    assert correlation(random(2, 3, 1, 5)).isnan().all()
    alone = torch.zeros(1, 1, 4, 5)
    assert correlation(alone).isnan().all()
    alone[..., 2, :] = 1
    assert correlation(alone).isnan().all()


def test_correlation_of_rows_of_unlike_sizes():
    x = random(1, 1, 4, 5)
    sizes = torch.tensor([1e-30, 1.0, 1e30, 1e-38])[:, None]
    np.testing.assert_allclose(correlation(x * sizes), correlation(x), atol=1e-6)


def test_correlation_of_single_units_is_nan():
    assert correlation(random(2, 3, 4, 1)).isnan().all()


@every_dtype
@pytest.mark.parametrize("centre", [0.0, 3.0])
def test_two_from_one_reading_are_the_same(dtype, centre):
    x = centre + random(5, 2, 8, 5, dtype=dtype)
    x[1] *= 1e4
    x[2] = 0
    x[3] *= 6e-8
    expected = mean(x), std(x), correlation(x)
    for one, other in zip(mean_std_and_correlation(x), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_replica_measured_with_care_leaves_the_others_alone():
    """One whose mean is large, one out of range, and one as usual, in the same layer."""
    x = random(2, 3, 200, 100)
    x[:, 0] += 1e3
    x[:, 1] *= 1e30
    alone = mean_and_std(x[:, 2:])
    for together, one, definition in zip(mean_and_std(x), alone, (mean, std), strict=True):
        assert torch.equal(together[:, 2:], one)
        expected = DEFINITIONS[definition](float64(x))
        np.testing.assert_allclose(together[:, 0], expected[:, 0], rtol=2e-6)
        np.testing.assert_allclose(together[:, 1], expected[:, 1], rtol=2e-6, atol=2e24)
