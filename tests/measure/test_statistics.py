"""Statistics against their definitions in NumPy's float64, and at the ends of the range."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.measure import statistics
from fanin.measure.statistics import (
    correlation,
    dead_and_saturated,
    mean,
    mean_and_std,
    mean_std_and_correlation,
    norm,
    std,
)
from fanin.nn.activations import (
    Activation,
    HardTanh,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softsign,
    Tanh,
)
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
every_statistic = pytest.mark.parametrize("statistic", DEFINITIONS, ids=lambda s: s.__name__)
every_size = pytest.mark.parametrize("statistic", [mean, std, norm], ids=lambda s: s.__name__)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def assert_is_its_definition(statistic, x, scale=1.0):
    """To the rounding of the dtype it is measured in, float32 or float64."""
    tolerance = 1e-12 if x.dtype == torch.float64 else 2e-6
    expected = DEFINITIONS[statistic](float64(x))
    np.testing.assert_allclose(statistic(x), expected, rtol=tolerance, atol=tolerance * scale)


@every_statistic
@every_dtype
@pytest.mark.parametrize(
    "shape", [(1, 1, 2, 1), (3, 2, 5, 7), (2, 3, 40, 30), (7, 1, 2, 300)], ids=str
)
def test_statistics_are_their_definitions(statistic, dtype, shape):
    x = random(*shape, dtype=dtype)
    assert_is_its_definition(statistic, x)
    assert_is_its_definition(statistic, x + 3, scale=3)
    assert_is_its_definition(statistic, x.relu())


@every_statistic
@every_dtype
def test_a_value_a_layer_and_replica_in_float64(statistic, dtype):
    value = statistic(random(4, 3, 6, 5, dtype=dtype))
    assert (value.shape, value.dtype, value.device.type) == ((4, 3), torch.float64, "cpu")
    assert statistic(random(0, 3, 6, 5, dtype=dtype)).shape == (0, 3)


@every_statistic
def test_a_pass_is_left_as_it_was(statistic):
    for dtype in DTYPES:
        x = random(3, 2, 6, 5, dtype=dtype)
        before = x.clone()
        statistic(x)
        assert torch.equal(x, before)


@every_statistic
@pytest.mark.parametrize("chunk", [1, 100, 161])
def test_chunks_do_not_show(statistic, chunk, monkeypatch):
    x = random(5, 2, 8, 5, dtype=torch.float64)
    whole = statistic(x)
    monkeypatch.setattr(statistics, "_CHUNK", chunk)
    np.testing.assert_allclose(statistic(x), whole, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("chunk", [1, 100, 161])
@pytest.mark.parametrize(("share", "activation"), [(0, ReLU()), (1, Tanh())], ids=str)
def test_chunks_do_not_show_in_the_dead_and_the_saturated(share, activation, chunk, monkeypatch):
    z = random(5, 2, 8, 50) - 1.5
    a = activation.forward(z)
    whole = dead_and_saturated(activation, z, a)[share]
    assert 0 < whole.min() < whole.max() < 1
    monkeypatch.setattr(statistics, "_CHUNK", chunk)
    assert torch.equal(dead_and_saturated(activation, z, a)[share], whole)


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
def test_a_power_of_two_is_taken_out_exactly(statistic, power, seed):
    dtype, k = power
    x, scaled = normal_everywhere(dtype, k, seed)
    assert torch.equal(statistic(scaled), 2.0**k * statistic(x))


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
    for statistic in (mean, std, norm):
        assert torch.equal(statistic(network.z).isfinite().squeeze(1), fits)
        for layer in range(last):
            scale = network.z[layer].abs().max().item()
            assert_is_its_definition(statistic, network.z[layer : layer + 1], scale)
    assert torch.equal(correlation(network.z).isfinite().squeeze(1), fits)


def test_a_vanishing_chain_is_measured_to_its_last_layer_but_zeros(build):
    network = build(Normal(std=0.01), Identity(), depth=50)
    network.forward()
    _, alive = entries_fit(network.z)
    assert 44 <= alive.sum() <= 46
    assert not network.z.square().any(-1).any(-1)[26:].any()  # the trap
    for statistic in (std, norm):
        assert torch.equal(statistic(network.z).squeeze(1) > 0, alive)
    for layer in range(int(alive.sum())):
        one = network.z[layer : layer + 1]
        for statistic in (mean, std, norm):
            assert_is_its_definition(statistic, one, scale=one.abs().max().item())


@every_size
@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_float64_is_measured_over_its_own_range(statistic, size):
    x = random(2, 2, 6, 5, dtype=torch.float64)
    expected = size * DEFINITIONS[statistic](float64(x))
    np.testing.assert_allclose(statistic(size * x), expected, rtol=1e-11)


@every_size
@pytest.mark.parametrize("size", [6e-8, 1e-5, 1.0, 1e4])
def test_float16_is_measured_over_its_own_range(statistic, size):
    x = (random(2, 2, 60, 50) * size).half()
    assert x.isfinite().all()
    assert_is_its_definition(statistic, x, scale=size)


@every_statistic
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_spoils_its_own_layer_alone(statistic, value):
    x = random(3, 2, 6, 5)
    expected = statistic(x)
    x[1, 0, 2, 3] = value
    measured = statistic(x)
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


def columns(values, batch=4):
    """A layer whose units have these values on every input."""
    return torch.tensor(values).expand(1, 1, batch, len(values)).clone()


@every_dtype
@pytest.mark.parametrize(
    ("activation", "values", "expected"),
    [
        (ReLU(), [-1.0, 0.0, 1.0, 2.0], 0.5),
        (ReLU(), [1.0, 2.0], 0.0),
        (ReLU(), [-1.0, -2.0], 1.0),
        (Tanh(), [-12.0, 0.0, 3.0, 12.0, 40.0], 0.6),
        (Sigmoid(), [-30.0, -5.0, 0.0, 5.0, 30.0], 0.4),
        (LeakyReLU(), [-1.0, -100.0, 5.0], 0.0),
        (Identity(), [0.0, -1.0], 0.0),
    ],
    ids=str,
)
def test_dead_units_are_counted(activation, values, expected, dtype):
    z = columns(values).to(dtype)
    share, _ = dead_and_saturated(activation, z, activation.forward(z))
    assert share.dtype == torch.float64
    assert share.item() == pytest.approx(expected, abs=1e-7)


def test_a_unit_that_one_input_reaches_is_not_dead():
    z = torch.full((2, 3, 4, 5), -1.0)
    z[1, 2, 3, :2] = 1
    share, _ = dead_and_saturated(ReLU(), z, z.relu())
    assert share[1, 2].item() == pytest.approx(0.6)
    assert share.sum().item() == pytest.approx(5.6)


@pytest.mark.parametrize("steepness", [1.0, 1e-3, 1e3])
def test_dead_is_below_a_millionth_of_the_steepest(steepness):
    @dataclass(frozen=True)
    class Scaled(Activation):
        def forward(self, z):
            return steepness * z.tanh()

        def derivative(self, z, a):
            return steepness * (1 - z.tanh().square())

    # 1 - tanh(z)^2 is 4 exp(-2 z) far out: 2e-6 at 7.25, 0.5e-6 at 7.95.
    z = columns([7.25, 7.95]).double()
    dead, saturated = dead_and_saturated(Scaled(), z, Scaled().forward(z))
    assert (dead.item(), saturated.item()) == (0.5, 1)


@every_dtype
@pytest.mark.parametrize(
    ("activation", "values", "expected"),
    [
        # tanh' = 1 - tanh^2 is 0.05 at 2.1780; sigmoid' / 0.25 at 4.3565; softsign' at 3.4721.
        (Tanh(), [-2.3, -2.1, 0.0, 2.1, 2.3], 0.4),
        (Sigmoid(), [-4.6, -4.2, 0.0, 4.2, 4.6], 0.4),
        (Softsign(), [-3.6, -3.4, 0.0, 3.4, 3.6], 0.4),
        (HardTanh(), [-1.1, 0.9, 0.0, 3.0], 0.5),
        (ReLU(), [-1.0, 1.0], math.nan),
        (LeakyReLU(), [-1.0, 1.0], math.nan),
        (Identity(), [-1e3, 1e3], math.nan),
    ],
    ids=str,
)
def test_saturated_entries_are_counted(activation, values, expected, dtype):
    z = columns(values).to(dtype)
    _, share = dead_and_saturated(activation, z, activation.forward(z))
    assert (share.shape, share.dtype) == ((1, 1), torch.float64)
    assert share.item() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_entries_are_saturated_one_by_one_and_units_die_as_a_whole():
    z = torch.zeros(2, 3, 4, 5)
    z[1, 2, :3] = 50.0
    dead, saturated = dead_and_saturated(Tanh(), z, z.tanh())
    assert dead.sum() == 0
    assert saturated[1, 2].item() == pytest.approx(3 / 4)
    assert saturated.sum().item() == pytest.approx(3 / 4)


@dataclass(frozen=True)
class HalfSquare(Activation):
    """Its derivative is z itself, and not a copy."""

    def forward(self, z):
        return 0.5 * z * z

    def derivative(self, z, a):
        return z


def test_counting_the_dead_leaves_a_pass_as_it_was():
    for activation in (ReLU(), Tanh(), HalfSquare()):
        z = random(2, 2, 6, 5)
        a = activation.forward(z)
        z_before, a_before = z.clone(), a.clone()
        dead_and_saturated(activation, z, a)
        assert torch.equal(z, z_before)
        assert torch.equal(a, a_before)


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
