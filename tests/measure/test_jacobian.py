"""The Jacobian's spectrum against autograd, against exact cases, and where numbers end."""

import math

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from workplace import PROJECT, options

from fanin.measure.jacobian import INPUTS, spectrum
from fanin.nn.activations import HardTanh, Identity, ReLU, Sigmoid, Tanh
from fanin.nn.engines import ENGINES
from fanin.nn.init import LSUV, Normal, Orthogonal, VarianceScaling

KAIMING, XAVIER = VarianceScaling(scale=2.0), VarianceScaling(scale=1.0)
MEAN, SPREAD, LARGEST = (
    f"summary/jacobian_{name}" for name in ("mean_square", "spread", "largest")
)


def singular_values(network):
    result = spectrum(network)
    return np.ldexp(result.values, result.exponents[..., None])


def jacobian(network, replica, number):
    """dh/dx of one input, (width, features), by autograd."""

    def last_hidden(x):
        for w, b in network.parameters.layers()[:-1]:
            x = network.activation.forward(x @ w[replica] + b[replica, 0])
        return x

    return torch.autograd.functional.jacobian(last_hidden, network.inputs[number])


@pytest.fixture(params=options("activation"))
def activation(request):
    return instantiate(OmegaConf.load(PROJECT / "conf" / "activation" / f"{request.param}.yaml"))


@pytest.mark.parametrize("features", [9, 12, 15])
@pytest.mark.parametrize("depth", [1, 4])
def test_autograd_agrees(build, activation, depth, features):
    inputs = torch.randn(6, features, generator=torch.Generator().manual_seed(1))
    init, sizes = Normal(std=0.4, bias_std=0.3), {"depth": depth, "width": 12, "inputs": inputs}
    network = build(init, activation, seeds=range(2), dtype=torch.float64, **sizes).run()
    measured = singular_values(network)
    assert measured.shape == (2, INPUTS, min(features, 12))
    expected = {name: np.empty((2, INPUTS)) for name in (MEAN, SPREAD, LARGEST)}
    for replica, number in np.ndindex(2, INPUTS):
        exact = jacobian(network, replica, number)
        values = torch.linalg.svdvals(exact).numpy()
        np.testing.assert_allclose(
            measured[replica, number], values, rtol=1e-12, atol=1e-13 * values[0]
        )
        eigenvalues = torch.linalg.eigvalsh(exact @ exact.mT).numpy()
        assert eigenvalues.shape == (12,)
        expected[MEAN][replica, number] = eigenvalues.mean()
        expected[SPREAD][replica, number] = eigenvalues.std() / eigenvalues.mean()
        expected[LARGEST][replica, number] = values[0]
    for name, numbers in spectrum(network).numbers().items():
        np.testing.assert_allclose(numbers, expected[name].mean(1), rtol=1e-10)


@pytest.mark.parametrize("batch", [1, 3, 4, 9])
def test_the_first_inputs_of_the_batch_are_taken(build, batch):
    inputs = torch.randn(batch, 5)
    result = spectrum(build(XAVIER, Tanh(), depth=2, width=5, inputs=inputs).run())
    assert result.values.shape == (1, min(batch, INPUTS), 5)
    assert result.exponents.shape == (1, min(batch, INPUTS))


@pytest.mark.parametrize("init", [Orthogonal(), LSUV()], ids=["orthogonal", "lsuv"])
@pytest.mark.parametrize("depth", [1, 2, 50, 200])
def test_orthogonal_weights_and_no_activation_lose_no_direction(build, init, depth):
    network = build(init, Identity(), depth=depth, width=40, inputs=torch.randn(4, 40)).run()
    np.testing.assert_allclose(singular_values(network), 1, rtol=1e-6 * (1 + math.sqrt(depth)))
    numbers = spectrum(network).numbers()
    assert numbers[MEAN] == pytest.approx(1, rel=1e-5)
    assert numbers[SPREAD] < 1e-5


def test_relu_and_orthogonal_weights_in_one_layer(build):
    """J is the rows of an orthonormal matrix that are on, times sqrt(2)."""
    network = build(Orthogonal(scale=2.0), ReLU(), depth=1, width=40, inputs=torch.randn(4, 40))
    measured, on = singular_values(network.run())[0], (network.z[0, 0] > 0).sum(-1)
    for values, count in zip(measured, on.tolist(), strict=True):
        np.testing.assert_allclose(values[:count], math.sqrt(2), rtol=1e-6)
        np.testing.assert_allclose(values[count:], 0, atol=1e-6)


@pytest.mark.parametrize("power", [-30, 0, 30])
def test_a_product_of_any_size_has_the_same_spread(build, power):
    """Of zeros all pre-activations are zero, while J is the product of 50 matrices."""
    network = build(XAVIER, HardTanh(), depth=50, width=20, inputs=torch.zeros(4, 30)).run()
    before = spectrum(network)
    network.parameters.hidden.mul_(2.0**power)
    network.parameters.first.mul_(2.0**power)
    after = spectrum(network)
    assert np.array_equal(before.values, after.values)
    assert np.array_equal(before.exponents + 50 * power, after.exponents)
    assert np.array_equal(before.numbers()[SPREAD], after.numbers()[SPREAD])
    assert after.numbers()[MEAN] == {-30: 0, 0: before.numbers()[MEAN], 30: math.inf}[power]
    # Of 2^1500 the first overflows, of 2^-1500 it is 0.
    assert len(list(after.rows())) == (0 if power == 30 else 4 * 20)


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_it_goes_as_far_as_the_pass(build, std):
    """In float32 the product leaves the range of squares long before the pass leaves its own."""
    network = build(Normal(std=std), Identity(), depth=35, inputs=torch.randn(4, 100)).run()
    assert network.z.isfinite().all()
    numbers = spectrum(network).numbers()
    assert numbers[MEAN] == pytest.approx((100 * std**2) ** 35, rel=1)
    assert 3 < numbers[SPREAD] < 9


def test_a_replica_that_is_not_finite_has_no_spectrum_and_spoils_no_other(build):
    sizes = {"depth": 5, "width": 10, "inputs": torch.randn(4, 10)}
    network = build(XAVIER, Tanh(), seeds=range(3), **sizes)
    alone = spectrum(network.run())
    network.parameters.hidden[2, 1] = torch.nan
    broken = spectrum(network.run())
    for before, after in ((alone.values, broken.values), (alone.exponents, broken.exponents)):
        assert np.array_equal(before[[0, 2]], after[[0, 2]])
    for name, numbers in broken.numbers().items():
        assert np.isinf(numbers).tolist() == [False, True, False], name
    assert {replica for replica, *_ in broken.rows()} == {1, 3}


def test_an_exploded_pass_has_none_even_where_its_slopes_are_known(build):
    network = build(Normal(), ReLU(), depth=60).run()
    assert network.z[-1].isnan().all()
    assert all(np.isinf(numbers).all() for numbers in spectrum(network).numbers().values())


def test_a_dead_net_has_zeros_and_no_spread(build):
    network = build(KAIMING, ReLU(), depth=3, width=10, inputs=torch.randn(4, 10))
    network.parameters.biases[1] = -1e9
    numbers = spectrum(network.run()).numbers()
    assert numbers[MEAN] == numbers[LARGEST] == 0
    assert np.isnan(numbers[SPREAD])


def test_replicas_are_measured_each_as_if_alone(build):
    sizes = {"depth": 5, "width": 10, "inputs": torch.randn(4, 10)}
    together = spectrum(build(KAIMING, ReLU(), seeds=range(3), **sizes).run())
    for seed in range(3):
        alone = spectrum(build(KAIMING, ReLU(), seeds=[seed], **sizes).run())
        np.testing.assert_allclose(together.values[seed], alone.values[0], rtol=1e-12, atol=1e-15)
        for name, numbers in alone.numbers().items():
            assert together.numbers()[name][seed] == pytest.approx(numbers[0], rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_dtype_is_measured_and_left_alone(build, dtype):
    sizes = {"depth": 5, "width": 20, "inputs": torch.randn(4, 20)}
    network = build(XAVIER, Sigmoid(), dtype=dtype, **sizes).run()
    z, weights = network.z.clone(), network.parameters.hidden.clone()
    numbers = spectrum(network).numbers()
    assert torch.equal(network.z, z)
    assert torch.equal(network.parameters.hidden, weights)
    exact = spectrum(build(XAVIER, Sigmoid(), dtype=torch.float64, **sizes).run()).numbers()
    for name, values in exact.items():
        assert numbers[name] == pytest.approx(values, rel=10 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("engine", ENGINES)
def test_whoever_ran_the_pass(build, engine):
    made = build(KAIMING, Tanh(), depth=3, width=10, inputs=torch.randn(4, 10))
    network = ENGINES[engine](
        made.parameters, made.activation, made.loss_function, made.inputs, made.targets
    )
    np.testing.assert_allclose(
        spectrum(network.run()).values, spectrum(made.run()).values, rtol=1e-5, atol=1e-12
    )


def test_rows_are_counted_from_1_and_largest_first(build):
    network = build(KAIMING, Tanh(), depth=2, width=3, seeds=(0, 1), inputs=torch.randn(4, 5)).run()
    rows = list(spectrum(network).rows())
    assert [row[:3] for row in rows] == [
        (replica, number, index)
        for replica in (1, 2)
        for number in (1, 2, 3, 4)
        for index in (1, 2, 3)
    ]
    assert [row[3] for row in rows] == singular_values(network).flatten().tolist()
    assert all(one[3] >= other[3] for one, other in zip(rows[::3], rows[1::3], strict=True))
