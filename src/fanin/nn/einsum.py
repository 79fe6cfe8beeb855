"""Einstein summation, built from strides and elementwise products.

`einsum("bik,bkj->bij", x, y)`: each letter is an index with a size. The rules, from the
chapter "A Neural Net from the Foundations":

1. An index that is repeated on the left and absent on the right is summed.
2. An index appears at most twice on the left.
3. An index that is not repeated on the left must appear on the right.

Every operand is expanded to the space of all indices, with stride 0 along those that it lacks.
One elementwise product and one sum then do it all. That space is as large as the product of all
sizes: this is written for clarity, not speed.
"""

from collections import Counter
from functools import cache, reduce
from operator import mul

from torch import Tensor


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """The tensor that `equation` describes. Raises a ValueError that names the broken rule."""
    terms, right = _parse(equation)
    sizes = _sizes(equation, terms, operands)
    summed = [index for index in sizes if index not in right]
    space = [*right, *summed]
    views = (_in_space(x, term, space, sizes) for x, term in zip(operands, terms, strict=True))
    product: Tensor = reduce(mul, views)
    return product.sum([space.index(index) for index in summed]) if summed else product


@cache
def _parse(equation: str) -> tuple[tuple[str, ...], str]:
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or not all((term + "a").isalpha() for term in [*terms, right]):
        raise ValueError(f"{equation!r}: write letters and commas, an arrow, letters: 'ik,kj->ij'")
    times = Counter("".join(terms))
    for index, count in times.items():
        if count > 2:
            raise ValueError(f"{equation!r}: {index} appears {count} times on the left, not 1 or 2")
        if count == 1 and index not in right:
            raise ValueError(f"{equation!r}: {index} is not repeated, so it must be on the right")
    for index, count in Counter(right).items():
        if count > 1 or index not in times:
            fault = "is twice on the right" if count > 1 else "is on the right but not on the left"
            raise ValueError(f"{equation!r}: {index} {fault}")
    return tuple(terms), right


def _sizes(equation: str, terms: tuple[str, ...], operands: tuple[Tensor, ...]) -> dict[str, int]:
    """The size of each index, in order of appearance."""
    if len(terms) != len(operands):
        raise ValueError(f"{equation!r} has {len(terms)} operands, and {len(operands)} were given")
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        if len(term) != x.ndim:
            raise ValueError(f"{equation!r}: {term} is given a shape of {tuple(x.shape)}")
        for index, size in zip(term, x.shape, strict=True):
            if sizes.setdefault(index, size) != size:
                raise ValueError(f"{equation!r}: {index} has sizes {sizes[index]} and {size}")
    return sizes


def _in_space(x: Tensor, term: str, space: list[str], sizes: dict[str, int]) -> Tensor:
    """A view of x along all indices of the space; an index that x has twice is its diagonal."""
    strides = dict.fromkeys(space, 0)
    for index, stride in zip(term, x.stride(), strict=True):
        strides[index] += stride
    shape = [sizes[index] for index in space]
    return x.as_strided(shape, list(strides.values()), x.storage_offset())
