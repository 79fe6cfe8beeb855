"""Einstein summation against torch's, and its three rules."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.nn.einsum import einsum


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij->ji", [(2, 3)]),
        ("bi,ij,bj->b", [(2, 3), (3, 4), (2, 4)]),
        ("bik,bkj->bij", [(2, 3, 4), (2, 4, 5)]),
        ("ik,kj->ij", [(2, 3), (3, 4)]),
        ("i,j->ij", [(2,), (3,)]),
        ("i,i->", [(3,), (3,)]),
        ("ij,ij->", [(2, 3), (2, 3)]),
        ("ii->", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("ik,kj->ij", [(0, 3), (3, 1)]),
        ("ik,kj->ij", [(2, 0), (0, 3)]),
    ],
)
def test_the_examples(equation, shapes):
    operands = [random(*shape) for shape in shapes]
    expected = torch.einsum(equation, *operands)
    torch.testing.assert_close(einsum(equation, *operands), expected, rtol=1e-12, atol=1e-12)


def test_spaces_and_strided_operands():
    x, y = random(6, 4)[::2].mT, random(3, 5)
    torch.testing.assert_close(einsum("i k, k j -> i j", x, y), x @ y)


@st.composite
def legal(draw) -> tuple[str, list[tuple[int, ...]]]:
    """An equation within the rules, and shapes for it."""
    letters = "abcde"[: draw(st.integers(1, 5))]
    pool = list(letters) + [x for x in letters if draw(st.booleans())]
    pool = draw(st.permutations(pool))
    cuts = sorted(draw(st.lists(st.integers(0, len(pool)), max_size=2)))
    terms = ["".join(pool[i:j]) for i, j in zip([0, *cuts], [*cuts, len(pool)], strict=True)]
    right = [x for x in letters if pool.count(x) == 1 or draw(st.booleans())]
    sizes = {x: draw(st.integers(1, 3)) for x in letters}
    equation = f"{','.join(terms)}->{''.join(draw(st.permutations(right)))}"
    return equation, [tuple(sizes[x] for x in term) for term in terms]


@given(legal())
@settings(max_examples=200, deadline=None)
def test_equals_torchs_within_the_rules(case):
    equation, shapes = case
    operands = [random(*shape) for shape in shapes]
    expected = torch.einsum(equation, *operands)
    torch.testing.assert_close(einsum(equation, *operands), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij->i", [(2, 3)], "j is not repeated, so it must be on the right"),
        ("i,i,i->i", [(2,), (2,), (2,)], "i appears 3 times on the left"),
        ("ij->ijk", [(2, 3)], "k is on the right but not on the left"),
        ("i,i->ii", [(2,), (2,)], "i is twice on the right"),
        ("ik,kj", [(2, 3), (3, 4)], "write letters and commas, an arrow, letters"),
        ("i1->i", [(2, 3)], "write letters"),
        ("ik,kj->ij", [(2, 3)], "has 2 operands, and 1 were given"),
        ("ik,kj->ij", [(2, 3), (4, 5)], "k has sizes 3 and 4"),
        ("ijk->kji", [(2, 3)], r"ijk is given a shape of \(2, 3\)"),
    ],
)
def test_what_breaks_a_rule_is_named(equation, shapes, message):
    with pytest.raises(ValueError, match=message):
        einsum(equation, *(random(*shape) for shape in shapes))
