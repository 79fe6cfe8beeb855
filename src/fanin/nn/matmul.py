"""Matrix multiplication in five rungs of a ladder: each needs fewer steps in Python than the last.

A rung multiplies a (rows, inner) by b (inner, columns) into `out`, and calls no faster rung.
`matmul` takes any rung and any leading dimensions, and checks shapes. The network is given one of
`RUNGS`, which take stacks of matrices and do not check shapes.
"""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from fanin.nn.broadcasting import broadcast_shape, expand
from fanin.nn.einsum import einsum as einstein

Rung = Callable[..., Tensor]
"""(a, b, out) -> out; a new tensor if out is None."""


def loops(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Three loops over single elements."""
    out.zero_()
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[k, j]


def rows(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Two loops; a row times a column element by element, then the sum."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            out[i, j] = (a[i] * b[:, j]).sum()


def broadcast(a: Tensor, b: Tensor, out: Tensor) -> None:
    """One loop; a row, turned into a column, times the whole matrix."""
    for i in range(a.shape[0]):
        out[i] = (a[i][:, None] * b).sum(0)


def einsum(a: Tensor, b: Tensor, out: Tensor) -> None:
    """No loop; all products at once, then the sum over the repeated index."""
    out[:] = einstein("ik,kj->ij", a, b)


def builtin(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """PyTorch's own, which passes blocks that fit the cache to the processor's best kernels."""
    # torch.matmul ends up in bmm for two stacks, but deciding so costs it as much as a small bmm.
    product = torch.bmm if a.ndim == b.ndim == 3 else torch.matmul
    return product(a, b, out=out)


def _over_stacks(rung: Callable[[Tensor, Tensor, Tensor], None]) -> Rung:
    """Extend a rung for two matrices to stacks of them."""

    def stacked(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
        stack = broadcast_shape(a.shape[:-2], b.shape[:-2])
        if out is None:
            out = a.new_empty(*stack, a.shape[-2], b.shape[-1])
        if not stack:
            rung(a, b, out)
            return out
        a, b = expand(a, (*stack, *a.shape[-2:])), expand(b, (*stack, *b.shape[-2:]))
        for index in product(*map(range, stack)):
            rung(a[index], b[index], out[index])
        return out

    return stacked


RUNGS: dict[str, Rung] = {
    **{rung.__name__: _over_stacks(rung) for rung in (loops, rows, broadcast, einsum)},
    "builtin": builtin,
}


def matmul(a: Tensor, b: Tensor, rung: str = "builtin") -> Tensor:
    """a (..., rows, inner) @ b (..., inner, columns), by the named rung.

    Raises a ValueError that names both shapes and the sizes that disagree.
    """
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"{tuple(a.shape)} @ {tuple(b.shape)}: each needs two dimensions or more")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"{tuple(a.shape)} @ {tuple(b.shape)}: "
            f"the inner sizes differ, {a.shape[-1]} and {b.shape[-2]}"
        )
    return RUNGS[rung](a, b)
