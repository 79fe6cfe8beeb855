"""The chapter's arithmetic and broadcasting, example by example, and as properties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.nn.broadcasting import broadcast_shape, elementwise, expand

shapes = st.lists(st.integers(1, 3), max_size=4)


def test_elementwise_arithmetic():
    a, b = torch.tensor([10.0, 6, -4]), torch.tensor([2.0, 8, 7])
    assert elementwise(torch.add, a, b).tolist() == [12, 14, 3]
    assert elementwise(torch.sub, a, b).tolist() == [8, -2, -11]
    assert elementwise(torch.mul, a, b).tolist() == [20, 48, -28]
    assert elementwise(torch.div, a, b).tolist() == pytest.approx([5, 0.75, -4 / 7])


def test_comparisons_give_booleans_and_reductions_a_number():
    a, b = torch.tensor([10.0, 6, -4]), torch.tensor([2.0, 8, 7])
    assert elementwise(torch.lt, a, b).tolist() == [False, True, True]
    assert elementwise(torch.gt, a, b).tolist() == [True, False, False]
    assert not elementwise(torch.eq, a, b).all().item()
    mean = elementwise(torch.add, a, b).mean()
    assert mean.ndim == 0
    assert mean.item() == pytest.approx(9.6667, abs=5e-5)


def test_a_vector_meets_a_matrix_row_by_row_or_column_by_column():
    c = torch.tensor([10.0, 20, 30])
    m = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    rows = elementwise(torch.add, c, m)
    assert rows.tolist() == [[11, 22, 33], [14, 25, 36], [17, 28, 39]]
    columns = elementwise(torch.add, c[:, None], m)
    assert columns.tolist() == [[11, 12, 13], [24, 25, 26], [37, 38, 39]]


def test_nothing_is_copied():
    c = torch.tensor([10.0, 20, 30])
    seen = expand(c, (3, 3))
    assert seen.tolist() == [[10, 20, 30]] * 3
    assert seen.stride() == (0, 1)
    assert seen.untyped_storage().size() == 3 * c.element_size()
    assert seen.data_ptr() == c.data_ptr()

    column = torch.tensor([[1.0], [2]])
    assert expand(column, (2, 3)).stride() == (1, 0)


def test_images():
    assert broadcast_shape((256, 256, 3), (3,)) == (256, 256, 3)
    assert broadcast_shape((64, 3, 256, 256), (3, 1, 1)) == (64, 3, 256, 256)
    with pytest.raises(
        ValueError, match=r"\(256, 256, 3\) and \(256, 256\).*dimension -1 .*3, 256"
    ):
        broadcast_shape((256, 256, 3), (256, 256))


def test_a_batch_is_normalised_per_channel():
    batch = torch.randn(4, 3, 5, 5) * 7 + 2
    mean, std = batch.mean((0, 2, 3))[:, None, None], batch.std((0, 2, 3))[:, None, None]
    normal = elementwise(torch.div, elementwise(torch.sub, batch, mean), std)
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(normal.std((0, 2, 3)), torch.ones(3))


def test_a_shape_does_not_shrink():
    with pytest.raises(ValueError, match=r"\(3,\) does not expand to \(1,\)"):
        expand(torch.zeros(3), (1,))
    with pytest.raises(ValueError, match=r"\(2, 3\) does not expand to \(3,\)"):
        expand(torch.zeros(2, 3), (3,))


@given(st.lists(shapes, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_the_rule_is_torchs(some):
    try:
        expected = tuple(torch.broadcast_shapes(*some))
    except RuntimeError:
        with pytest.raises(ValueError, match="do not broadcast: dimension -"):
            broadcast_shape(*some)
    else:
        assert broadcast_shape(*some) == expected
        for shape in some:
            x = torch.randn(shape)
            assert torch.equal(expand(x, expected), x.expand(expected))


def test_a_view_with_an_offset_and_strides_of_its_own():
    x = torch.arange(24.0).reshape(4, 6)[1:, ::2][:, :1]
    assert torch.equal(expand(x, (2, 3, 5)), x.expand(2, 3, 5))
