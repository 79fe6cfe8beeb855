"""The dense layer: sums of products, and autograd as the referee of what flows back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.nn.linear import bias_gradient, input_gradient, linear, weight_gradient


def normal(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_close(actual, expected):
    """Sums of a few dozen products of order 1, whatever their order."""
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-13)


sizes = st.integers(1, 6)
leading = st.lists(st.integers(1, 3), max_size=2).map(tuple)


def test_each_output_is_a_neuron():
    x, w, b = normal(4, 3, seed=1), normal(3, 2, seed=2), normal(1, 2, seed=3)
    y = linear(x, w, b, out=torch.empty(4, 2, dtype=torch.float64))
    for i in range(4):
        for j in range(2):
            neuron = sum(x[i, k] * w[k, j] for k in range(3)) + b[0, j]
            assert y[i, j].item() == pytest.approx(neuron.item(), rel=1e-14, abs=1e-15)


@settings(deadline=None, max_examples=50)
@given(leading, sizes, sizes, sizes, st.booleans())
def test_gradients_are_autograds(leading, batch, fan_in, fan_out, x_is_shared):
    x = normal(*(() if x_is_shared else leading), batch, fan_in, seed=1).requires_grad_()
    w = normal(*leading, fan_in, fan_out, seed=2).requires_grad_()
    b = normal(*leading, 1, fan_out, seed=3).requires_grad_()
    y = x @ w + b
    grad = normal(*y.shape, seed=4)
    x_grad, w_grad, b_grad = torch.autograd.grad(y, (x, w, b), grad)

    with torch.no_grad():
        assert_close(linear(x, w, b, out=torch.empty_like(y)), y)
        assert_close(weight_gradient(x, grad, out=torch.empty_like(w)), w_grad)
        assert_close(bias_gradient(grad, out=torch.empty_like(b)), b_grad)
        each = input_gradient(grad, w, out=grad.new_empty(*leading, batch, fan_in))
        assert_close(each.sum_to_size(x.shape), x_grad)


def test_results_are_written_where_they_are_wanted():
    x, w, b, grad = normal(4, 3), normal(3, 2), normal(1, 2), normal(4, 2)
    for function, arguments, shape in (
        (linear, (x, w, b), (4, 2)),
        (input_gradient, (grad, w), (4, 3)),
        (weight_gradient, (x, grad), (3, 2)),
        (bias_gradient, (grad,), (1, 2)),
    ):
        out = torch.full(shape, torch.nan, dtype=torch.float64)
        assert function(*arguments, out=out) is out
        assert out.isfinite().all()


def test_unlike_inner_sizes_are_refused():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        linear(normal(4, 3), normal(2, 5), normal(1, 5), out=normal(4, 5))
