"""Five rungs, one product."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.nn import matmul as rungs
from fanin.nn.matmul import RUNGS, matmul

RUNG = pytest.mark.parametrize("rung", RUNGS)
sizes = st.integers(0, 4)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_there_are_five_in_the_chapters_order():
    assert list(RUNGS) == ["loops", "rows", "broadcast", "einsum", "builtin"]


@RUNG
@given(stack=st.lists(st.integers(1, 3), max_size=2), i=sizes, k=sizes, j=sizes)
@settings(max_examples=25, deadline=None)
def test_equals_the_product_in_any_shape(rung, stack, i, k, j):
    a, b = random(*stack, i, k), random(*stack, k, j)
    torch.testing.assert_close(matmul(a, b, rung), a @ b, rtol=1e-12, atol=1e-12)


@RUNG
def test_five_images_into_ten_outputs(rung):
    a, b = random(5, 784).float(), random(784, 10).float()
    exact = a.double() @ b.double()
    torch.testing.assert_close(matmul(a, b, rung).double(), exact, rtol=1e-4, atol=1e-4)


@RUNG
def test_one_matrix_meets_a_stack(rung):
    a, b = random(4, 3), random(2, 3, 5)
    torch.testing.assert_close(matmul(a, b, rung), a @ b, rtol=1e-12, atol=1e-12)


@RUNG
def test_transposed_and_strided_operands(rung):
    a, b = random(3, 4).mT, random(6, 5)[::2]
    torch.testing.assert_close(matmul(a, b, rung), a @ b, rtol=1e-12, atol=1e-12)


@RUNG
def test_fills_the_tensor_it_is_given(rung):
    a, b, out = random(2, 4, 3), random(2, 3, 5), random(2, 4, 5)
    assert RUNGS[rung](a, b, out) is out
    torch.testing.assert_close(out, a @ b, rtol=1e-12, atol=1e-12)


@RUNG
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((2, 3), (4, 5), r"\(2, 3\) @ \(4, 5\): the inner sizes differ, 3 and 4"),
        ((7, 2, 3), (7, 2, 3), r"\(7, 2, 3\) @ \(7, 2, 3\): the inner sizes differ, 3 and 2"),
        ((3,), (3, 2), r"\(3,\) @ \(3, 2\): each needs two dimensions"),
    ],
)
def test_operands_that_do_not_fit_are_named(rung, a, b, message):
    with pytest.raises(ValueError, match=message):
        matmul(random(*a), random(*b), rung)


@pytest.mark.parametrize("rung", ["loops", "rows", "broadcast", "einsum"])
def test_no_rung_calls_a_faster_one(rung, monkeypatch):
    def fail(*_: object) -> None:
        raise AssertionError("a faster rung was called")

    for faster in list(RUNGS)[list(RUNGS).index(rung) + 1 :]:
        monkeypatch.setattr(rungs, faster, fail)
    for name in ("matmul", "mm", "bmm", "einsum", "dot", "mv", "tensordot", "baddbmm"):
        monkeypatch.setattr(torch, name, fail)
    for name in ("__matmul__", "matmul", "mm", "bmm", "dot", "mv"):
        monkeypatch.setattr(torch.Tensor, name, fail)
    assert matmul(random(2, 3), random(3, 2), rung).shape == (2, 2)
