"""LSUV: what the fit to the data leaves, on every activation, and what it leaves alone."""

import math

import pytest
import torch

from fanin.nn.activations import Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import LSUV, Normal, Orthogonal
from fanin.nn.parameters import draw

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def normal(batch=64, features=30, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, features, generator=generator).to(dtype)


def fitted(init, activation, inputs, *, depth=6, width=40, outputs=5, seeds=(0,)):
    """The layers, and how many divisions were made."""
    parameters = drawn(init, inputs, depth=depth, width=width, outputs=outputs, seeds=seeds)
    return parameters.layers(), init.fit(parameters.layers(), activation, inputs)


def drawn(init, inputs, *, depth=6, width=40, outputs=5, seeds=(0,)):
    sizes = {"depth": depth, "inputs": inputs.shape[1], "width": width, "outputs": outputs}
    return draw(init, seeds, dtype=inputs.dtype, **sizes)


def stds(layers, activation, inputs):
    """(layers, replicas), of the pre-activations over batch and units, in float64."""
    x, values = inputs, []
    for w, b in layers:
        z = x @ w + b
        values.append(z.double().flatten(1).std(1))
        x = activation.forward(z)
    return torch.stack(values)


@pytest.mark.parametrize("bias_std", [0, 0.3])
def test_every_layer_has_unit_variance_under_every_activation(activation, bias_std):
    inputs = 3 * normal(dtype=torch.float64) + 1
    layers, steps = fitted(LSUV(bias_std=bias_std), activation, inputs, seeds=range(3))
    assert (stds(layers, activation, inputs) - 1).abs().max() <= 0.01
    assert steps > 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bias_std", [0, 0.3])
def test_in_every_dtype(dtype, bias_std):
    inputs = normal(dtype=dtype)
    layers, _ = fitted(LSUV(bias_std=bias_std), ReLU(), inputs, seeds=range(3))
    assert all(w.dtype == dtype for w, _ in layers)
    assert (stds(layers, ReLU(), inputs) - 1).abs().max() <= 0.01


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(torch.float32, 1e-30), (torch.float32, 1e36), (torch.float16, 1e-4), (torch.float16, 5e3)],
    ids=str,
)
def test_inputs_whose_squares_no_number_holds(dtype, size):
    inputs = (size * normal()).to(dtype)
    layers, _ = fitted(LSUV(), Tanh(), inputs)
    assert (stds(layers, Tanh(), inputs) - 1).abs().max() <= 0.01


def test_a_closer_tolerance_is_kept():
    inputs = normal(dtype=torch.float64)
    layers, few = fitted(LSUV(bias_std=0.5, tolerance=0.1), ReLU(), inputs)
    assert (stds(layers, ReLU(), inputs) - 1).abs().max() <= 0.1
    layers, many = fitted(LSUV(bias_std=0.5, tolerance=1e-6, steps=100), ReLU(), inputs)
    assert (stds(layers, ReLU(), inputs) - 1).abs().max() <= 1e-6
    assert few < many


@pytest.mark.parametrize("steps", [1, 3])
def test_no_layer_is_divided_more_often_than_that(steps):
    """With these biases each division takes off a quarter of the error, so none arrives."""
    init, inputs = LSUV(bias_std=0.5, tolerance=0, steps=steps), normal(dtype=torch.float64)
    _, taken = fitted(init, ReLU(), inputs, depth=4)
    assert taken == 5 * steps


def test_without_biases_one_division_a_layer_is_enough():
    """The first layer's inputs are N(0, 1) and come through square weights as they are."""
    inputs = normal(batch=400, features=40)
    _, taken = fitted(LSUV(tolerance=0.05), Tanh(), inputs, depth=4)
    assert taken == 4
    _, taken = fitted(LSUV(tolerance=0.05), Identity(), inputs, depth=4, outputs=40)
    assert taken == 0


def test_the_fit_changes_the_size_of_each_layers_weights_and_nothing_else():
    init, inputs = LSUV(bias_std=0.3), normal(dtype=torch.float64)
    before = drawn(init, inputs, seeds=range(2)).layers()
    after, _ = fitted(init, ReLU(), inputs, seeds=range(2))
    for (w, b), (w_fitted, b_fitted) in zip(before, after, strict=True):
        assert torch.equal(b, b_fitted)
        ratio = (w_fitted / w).flatten(1)
        assert (ratio > 0).all()
        torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-9, atol=0)
        assert (ratio[:, 0] != 1).any()


def test_replicas_are_fitted_each_as_if_alone():
    init, inputs = LSUV(bias_std=0.5, tolerance=1e-3, steps=4), normal(dtype=torch.float64)
    together, most = fitted(init, Tanh(), inputs, seeds=range(5))
    counts = []
    for seed in range(5):
        alone, taken = fitted(init, Tanh(), inputs, seeds=[seed])
        counts.append(taken)
        for (w, _), (w_alone, _) in zip(together, alone, strict=True):
            torch.testing.assert_close(w[seed], w_alone[0], rtol=1e-12, atol=1e-14)
    assert most == max(counts)
    assert min(counts) < max(counts)


@pytest.mark.parametrize("bias_std", [0, 0.3])
def test_a_layer_that_hears_nothing_is_left_alone(bias_std):
    init, inputs = LSUV(bias_std=bias_std), torch.zeros(8, 30)
    before = drawn(init, inputs, depth=1).layers()
    after, _ = fitted(init, Identity(), inputs, depth=1)
    assert torch.equal(before[0][0], after[0][0])


def test_a_dead_replica_is_left_alone_and_the_others_are_not():
    init, inputs = LSUV(), normal()
    parameters = drawn(init, inputs, seeds=range(3))
    parameters.hidden[2, 1] = 0
    init.fit(parameters.layers(), ReLU(), inputs)
    layer_stds = stds(parameters.layers(), ReLU(), inputs)
    assert (layer_stds[:, [0, 2]] - 1).abs().max() <= 0.01
    assert (layer_stds[:3, 1] - 1).abs().max() <= 0.01
    assert not layer_stds[3:, 1].any()
    assert all(w[1].isfinite().all() for w, _ in parameters.layers())


def test_a_single_value_has_no_std():
    layers, _ = fitted(LSUV(), Tanh(), normal(batch=1), outputs=1)
    torch.testing.assert_close(layers[-1][0].square().sum(), torch.tensor(1.0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_is_no_signal(dtype):
    """After fifty sigmoids all inputs are one: what is left of their difference is rounding."""
    inputs = normal(dtype=dtype)
    layers, _ = fitted(LSUV(), Sigmoid(), inputs, depth=50, outputs=1)
    assert (stds(layers[:-1], Sigmoid(), inputs) - 1).abs().max() <= 0.01
    norm = layers[-1][0].double().norm().item()
    assert norm == pytest.approx(1, rel=4 * torch.finfo(dtype).eps + 1e-6)


def test_what_is_not_finite_is_left_alone():
    inputs = normal()
    inputs[0, 0] = math.inf
    before = drawn(LSUV(), inputs).layers()
    after, taken = fitted(LSUV(), Identity(), inputs)
    assert taken == 0
    assert all(torch.equal(w, fit) for (w, _), (fit, _) in zip(before, after, strict=True))


def test_it_begins_with_orthonormal_weights():
    w = LSUV().weights(2, 7, 5, torch.Generator().manual_seed(0))
    assert torch.equal(w, Orthogonal().weights(2, 7, 5, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("bias_std", [0, 0.5])
@pytest.mark.parametrize("phi", [Tanh(), ReLU()], ids=str)
def test_the_variance_that_theory_is_told_is_the_one_that_the_fit_finds(phi, bias_std):
    """Of square layers, from the second moment of the layer's inputs."""
    init, inputs = LSUV(bias_std=bias_std, tolerance=1e-4, steps=50), 2 * normal(200, 300)
    layers, _ = fitted(init, phi, inputs, depth=3, width=300, seeds=range(8))
    x = inputs
    for w, b in layers[:-1]:
        expected = init.variance_for(x.square().mean().item(), *w.shape[1:])
        assert w.square().mean().item() == pytest.approx(expected, rel=0.05)
        x = phi.forward(x @ w + b)


def test_theory_leaves_a_silent_layer_alone_too():
    assert LSUV().variance_for(0.0, 20, 10) == LSUV().variance(20, 10)
    assert LSUV().norm_variance_factor(20, 10) == Orthogonal().norm_variance_factor(20, 10)


def test_other_schemes_do_not_look_at_the_data():
    inputs = normal()
    assert fitted(Normal(), Tanh(), inputs)[1] is None


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("setting", ["tolerance", "bias_std"])
def test_a_wrong_number_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=rf"^{setting}={value:g}: use a finite number, 0 or more$"):
        LSUV(**{setting: value})


@pytest.mark.parametrize("value", [1, 2.5])
def test_biases_that_leave_nothing_to_the_weights_are_refused(value):
    with pytest.raises(ValueError, match=rf"^bias_std={value:g}: use a number below 1, "):
        LSUV(bias_std=value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"steps": 0}, "steps=0: use a whole number, 1 or more"),
        ({"tolerance": 1.5}, "tolerance=1.5: use a number below 1"),
    ],
)
def test_a_fit_that_fits_nothing_is_refused(setting, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        LSUV(**setting)
