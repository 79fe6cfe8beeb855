"""The losses against torch.nn.functional and autograd, replica by replica."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fanin.nn.losses import MSE, CrossEntropy

replicas, batches, widths = st.integers(1, 4), st.integers(1, 6), st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


def draw(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_agrees(loss, out, targets, reference):
    """`reference` is PyTorch's loss of one replica's output."""
    out = out.clone().requires_grad_()
    expected = torch.stack([reference(one) for one in out])
    (gradient,) = torch.autograd.grad(expected.sum(), out)
    out = out.detach()
    torch.testing.assert_close(
        loss.forward(out, targets), expected.detach(), rtol=1e-12, atol=1e-14
    )
    torch.testing.assert_close(loss.backward(out, targets), gradient, rtol=1e-12, atol=1e-14)


@settings(deadline=None, max_examples=50)
@given(replicas, batches, seeds)
def test_mse_of_one_output(replicas, batch, seed):
    targets = draw(batch, seed=seed + 1)
    assert_agrees(
        MSE(),
        3 * draw(replicas, batch, 1, seed=seed),
        targets,
        lambda out: functional.mse_loss(out[:, 0], targets),
    )


@settings(deadline=None, max_examples=50)
@given(replicas, batches, widths, seeds)
def test_mse_of_several_outputs(replicas, batch, outputs, seed):
    targets = draw(batch, outputs, seed=seed + 1)
    assert_agrees(
        MSE(),
        3 * draw(replicas, batch, outputs, seed=seed),
        targets,
        lambda out: functional.mse_loss(out, targets),
    )


@settings(deadline=None, max_examples=50)
@given(replicas, batches, widths, seeds)
def test_cross_entropy(replicas, batch, outputs, seed):
    targets = torch.randint(outputs, (batch,), generator=torch.Generator().manual_seed(seed))
    assert_agrees(
        CrossEntropy(),
        5 * draw(replicas, batch, outputs, seed=seed),
        targets,
        lambda out: functional.cross_entropy(out, targets),
    )


def test_mse_by_hand():
    out, targets = torch.tensor([[[1.0], [4.0]]]), torch.tensor([0.0, 2.0])
    assert MSE().forward(out, targets).tolist() == [2.5]
    assert MSE().backward(out, targets).tolist() == [[[1.0], [2.0]]]


@pytest.mark.parametrize("replicas", [1, 3])
def test_only_the_last_dimension_is_dropped(replicas):
    out, targets = torch.arange(1.0, replicas + 1).reshape(replicas, 1, 1), torch.tensor([0.0])
    assert MSE().forward(out, targets).tolist() == [r**2 for r in range(1, replicas + 1)]
    assert torch.equal(MSE().backward(out, targets), 2 * out)


@pytest.mark.parametrize("size", [2, 3])
def test_as_many_replicas_as_inputs_do_not_mix(size):
    targets = draw(size)
    out = draw(size, size, 1, seed=1)
    assert_agrees(MSE(), out, targets, lambda one: functional.mse_loss(one[:, 0], targets))
    alone = torch.cat([MSE().forward(one[None], targets) for one in out])
    torch.testing.assert_close(MSE().forward(out, targets), alone, rtol=1e-14, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_cross_entropy_of_large_logits(dtype):
    out = torch.tensor([[[1e4, 0.0, -1e4]]], dtype=dtype)
    for target, value, gradient in (
        (0, 0.0, [0.0, 0.0, 0.0]),
        (1, out[0, 0, 0].item(), [1.0, -1.0, 0.0]),
        (2, (out[0, 0, 0] - out[0, 0, 2]).item(), [1.0, 0.0, -1.0]),
    ):
        targets = torch.tensor([target])
        assert CrossEntropy().forward(out, targets).tolist() == [value]
        assert CrossEntropy().backward(out, targets).tolist() == [[gradient]]


def test_cross_entropy_of_equal_logits_is_the_log_of_the_classes():
    out, targets = torch.full((1, 4, 10), 7.0, dtype=torch.float64), torch.arange(4)
    assert CrossEntropy().forward(out, targets).item() == pytest.approx(math.log(10), rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 4])
def test_shape_and_dtype_are_kept(loss, dtype, batch):
    targets = loss.prepare(torch.arange(batch), dtype)
    out = draw(3, batch, loss.outputs(targets)).to(dtype)
    value, gradient = loss.forward(out, targets), loss.backward(out, targets)
    assert (value.shape, value.dtype) == ((3,), dtype)
    assert (gradient.shape, gradient.dtype) == (out.shape, dtype)


def test_mse_takes_any_numbers_in_the_networks_dtype():
    for targets in (torch.tensor([1, 2]), torch.tensor([[0.5], [2.0]])):
        prepared = MSE().prepare(targets, torch.float16)
        assert prepared.dtype == torch.float16
        assert prepared.tolist() == targets.tolist()


def test_mse_has_an_output_a_column():
    assert MSE().outputs(torch.zeros(7)) == 1
    assert MSE().outputs(torch.zeros(7, 1)) == 1
    assert MSE().outputs(torch.zeros(7, 3)) == 3


def test_cross_entropy_takes_whole_numbers_however_they_are_stored():
    for dtype in (torch.int16, torch.int64, torch.float32, torch.float64):
        prepared = CrossEntropy().prepare(torch.tensor([2, 0, 1], dtype=dtype), torch.float16)
        assert prepared.dtype == torch.int64
        assert prepared.tolist() == [2, 0, 1]
        assert CrossEntropy().outputs(prepared) == 3


@pytest.mark.parametrize(
    "targets",
    [[0.5, 1.0], [0.0, -1.0], [0.0, math.nan], [0.0, math.inf], [[0.0], [1.0]], [[0, 1], [1, 0]]],
    ids=str,
)
def test_cross_entropy_refuses_what_is_no_class_number(targets):
    with pytest.raises(ValueError, match="class numbers"):
        CrossEntropy().prepare(torch.tensor(targets), torch.float32)
