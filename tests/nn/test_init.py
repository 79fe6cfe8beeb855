"""Every scheme of conf/init by its properties: variance, mean, bounds, orthogonality."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, nn

from fanin.nn.init import Normal, Orthogonal, VarianceScaling

FANS = [(100, 100), (64, 10), (7, 300), (1, 1)]
SIGMAS = 5  # the standard errors within which a sampled number must agree

VARIANCE = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),  # Glorot and Bengio 2010, eq. 12
    "kaiming": lambda fan_in, fan_out: 2 / fan_in,  # He et al. 2015, eq. 10
    "lecun": lambda fan_in, fan_out: 1 / fan_in,  # LeCun et al. 1998, eq. 16
    "lsuv": lambda fan_in, fan_out: 1 / max(fan_in, fan_out),  # as drawn
    "normal": lambda fan_in, fan_out: 1,
    "orthogonal": lambda fan_in, fan_out: 1 / max(fan_in, fan_out),
    "small": lambda fan_in, fan_out: 0.01**2,
    "torch_default": lambda fan_in, fan_out: 1 / (3 * fan_in),
    "xavier": lambda fan_in, fan_out: 1 / fan_in,
}


def generator(seed=0):
    return Generator().manual_seed(seed)


def many(init, fan_in, fan_out, entries=200_000):
    return init.weights(math.ceil(entries / (fan_in * fan_out)), fan_in, fan_out, generator())


def assert_same_distribution(x, y):
    """Kolmogorov and Smirnov's two-sample test, at the 0.1 % level."""
    x, y = np.sort(x.flatten().numpy()), np.sort(y.flatten().numpy())
    both = np.concatenate([x, y])
    at_x = np.searchsorted(x, both, side="right") / len(x)
    at_y = np.searchsorted(y, both, side="right") / len(y)
    assert np.abs(at_x - at_y).max() < 1.95 * math.sqrt(1 / len(x) + 1 / len(y))


@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_variance_is_the_one_its_source_gives(init, init_name, fan_in, fan_out):
    if init_name not in VARIANCE:
        pytest.skip(f"{init_name} is not one of ours")
    expected = VARIANCE[init_name](fan_in, fan_out)
    assert init.variance(fan_in, fan_out) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_weights_have_mean_0_and_the_variance_it_says(init, fan_in, fan_out):
    w = many(init, fan_in, fan_out).double()
    variance = init.variance(fan_in, fan_out)
    # No scheme has tails longer than the normal's, whose square has variance 2 * variance^2.
    assert abs(w.square().mean() / variance - 1) < SIGMAS * math.sqrt(2 / w.numel())
    assert abs(w.mean()) < SIGMAS * math.sqrt(variance / w.numel())


@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_weights_of_different_layers_are_drawn_apart(init, fan_in, fan_out):
    w = many(init, fan_in, fan_out).double()
    products = w[1:] * w[:-1]
    assert abs(products.mean()) < SIGMAS * products.std() / math.sqrt(products.numel())


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_shapes(make_init, layers, fan_in, fan_out):
    for init in (make_init(), make_init(bias_std=0.3)):
        w = init.weights(layers, fan_in, fan_out, generator())
        b = init.biases(layers, fan_in, fan_out, generator())
        assert (w.shape, w.dtype) == ((layers, fan_in, fan_out), torch.float32)
        assert (b.shape, b.dtype) == ((layers, 1, fan_out), torch.float32)


def test_only_its_own_generator_is_used(make_init):
    init, before = make_init(bias_std=0.3), torch.get_rng_state()
    w, b = init.weights(2, 5, 3, generator(1)), init.biases(2, 5, 3, generator(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(init.weights(2, 5, 3, generator(1)), w)
    assert torch.equal(init.biases(2, 5, 3, generator(1)), b)
    assert not torch.equal(init.weights(2, 5, 3, generator(2)), w)


def test_bias_std_of_0_gives_zeros(make_init):
    g = generator()
    before = g.get_state()
    assert not make_init(bias_std=0).biases(3, 20, 50, g).any()
    assert torch.equal(g.get_state(), before)


def test_biases_are_zero_unasked_but_torchs(init, init_name):
    assert init.biases(3, 20, 50, generator()).any() == (init_name == "torch_default")


def test_biases_have_mean_0_and_their_std(make_init):
    b = make_init(bias_std=0.3).biases(100, 20, 1000, generator()).double()
    assert abs(b.std() / 0.3 - 1) < SIGMAS / math.sqrt(2 * b.numel())
    assert abs(b.mean()) < SIGMAS * 0.3 / math.sqrt(b.numel())


@pytest.mark.parametrize("init_name", ["torch_default"], indirect=True)
@pytest.mark.parametrize("fan_in", [1, 50, 300])
def test_torch_default_is_nn_linears(init, fan_in):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layer = nn.Linear(fan_in, 20_000)
    bound = 1 / math.sqrt(fan_in)
    w = init.weights(1, fan_in, 20_000, generator())
    b = init.biases(1, fan_in, 20_000, generator(2))
    for ours, theirs in ((w, layer.weight.detach()), (b, layer.bias.detach())):
        # Of 20,000 draws the largest misses the bound by a thousandth once in 10^8 times.
        for drawn in (ours, theirs):
            assert 0.999 * bound < drawn.abs().max().item() <= bound * (1 + 1e-6)
        assert_same_distribution(ours, theirs)


def test_truncated_normal_is_a_normal_cut_at_two_of_its_stds():
    init = VarianceScaling(scale=3.0, mode="fan_in", distribution="truncated_normal")
    w = many(init, 100, 50)
    # 0.87962566 is the std of a standard normal that is cut at two; jax.nn has the constant too.
    parent = math.sqrt(3 / 100) / 0.87962566103423978
    assert 1.99 * parent < w.abs().max().item() <= 2 * parent * (1 + 1e-6)
    normal = parent * torch.randn(200_000, generator=generator(1))
    assert_same_distribution(w, normal[normal.abs() < 2 * parent])


def test_uniform_fills_its_range_evenly():
    w = many(VarianceScaling(scale=3.0, mode="fan_in", distribution="uniform"), 100, 50)
    bound = math.sqrt(3 * 3 / 100)
    assert 0.999 * bound < w.abs().max().item() <= bound * (1 + 1e-6)
    assert_same_distribution(w, torch.linspace(-bound, bound, 200_001))


def test_normal_is_normal():
    for init in (Normal(std=0.2), VarianceScaling(scale=4.0, distribution="normal")):
        assert_same_distribution(
            many(init, 100, 50), 0.2 * torch.randn(200_000, generator=generator(1))
        )


@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 40), ("fan_out", 10), ("fan_avg", 25)])
def test_variance_scaling_divides_by_the_fan_it_names(mode, fan, distribution):
    init = VarianceScaling(scale=1.7, mode=mode, distribution=distribution)
    assert init.variance(40, 10) == pytest.approx(1.7 / fan, rel=1e-12)
    w = many(init, 40, 10).double()
    assert abs(w.square().mean() * fan / 1.7 - 1) < SIGMAS * math.sqrt(2 / w.numel())


@settings(deadline=None, max_examples=50)
@given(
    layers=st.integers(0, 3),
    fan_in=st.integers(1, 40),
    fan_out=st.integers(1, 40),
    scale=st.floats(0.1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_orthogonal_columns_or_rows_are_orthonormal(layers, fan_in, fan_out, scale, seed):
    w = Orthogonal(scale=scale).weights(layers, fan_in, fan_out, generator(seed)).double()
    product = w.mT @ w if fan_in >= fan_out else w @ w.mT
    identity = torch.eye(min(fan_in, fan_out), dtype=torch.float64).expand_as(product)
    torch.testing.assert_close(product, scale * identity, rtol=0, atol=scale * 1e-5)


def test_orthogonal_favours_no_direction():
    """The trace of a uniform Q has mean 0 and variance 1 (Diaconis and Shahshahani 1994)."""
    traces = Orthogonal().weights(20_000, 4, 4, generator()).diagonal(dim1=1, dim2=2).sum(1)
    assert abs(traces.mean()) < SIGMAS / math.sqrt(20_000)
    assert abs(traces.square().mean() - 1) < SIGMAS * math.sqrt(2 / 20_000)
    signs = Orthogonal().weights(10_000, 1, 1, generator()).flatten()
    assert signs.abs().unique().tolist() == [1]
    assert abs(signs.mean()) < SIGMAS / math.sqrt(10_000)


def test_a_scale_of_0_gives_zeros():
    for init in (Normal(std=0), VarianceScaling(scale=0), Orthogonal(scale=0)):
        assert init.variance(5, 5) == 0
        assert not init.weights(2, 5, 5, generator()).any()


@pytest.mark.parametrize("value", [-1.0, -1e-9, math.nan, math.inf])
@pytest.mark.parametrize(
    ("scheme", "setting"),
    [
        (Normal, "std"),
        (Normal, "bias_std"),
        (VarianceScaling, "scale"),
        (VarianceScaling, "bias_std"),
        (Orthogonal, "scale"),
        (Orthogonal, "bias_std"),
    ],
)
def test_a_wrong_number_is_refused_by_name(scheme, setting, value):
    with pytest.raises(ValueError, match=rf"^{setting}={value:g}: "):
        scheme(**{setting: value})


def test_a_wrong_bias_std_is_refused_by_every_scheme(make_init):
    with pytest.raises(Exception, match=r"bias_std=-0\.1: ") as refusal:
        make_init(bias_std=-0.1)
    assert isinstance(refusal.value.__cause__ or refusal.value, ValueError)


@pytest.mark.parametrize("setting", ["mode", "distribution"])
def test_a_wrong_choice_is_refused_with_those_there_are(setting):
    with pytest.raises(ValueError, match=rf"^{setting}=fan_inn: use one of \w+, \w+, \w+$"):
        VarianceScaling(**{setting: "fan_inn"})
