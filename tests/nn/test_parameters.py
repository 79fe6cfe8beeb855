"""Parameters: a seed means one network, in any dtype, whatever the other seeds are."""

from itertools import pairwise

import pytest
import torch

from fanin.nn.init import Normal, VarianceScaling
from fanin.nn.parameters import draw

SIZES = {"inputs": 6, "width": 5, "outputs": 3}
DEPTHS = [0, 1, 2, 5]


def stacks(parameters):
    return list(vars(parameters).values())


def assert_equal(one, other):
    for a, b in zip(stacks(one), stacks(other), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@pytest.mark.parametrize("depth", DEPTHS)
def test_shapes(init, depth):
    parameters = draw(init, range(4), depth=depth, **SIZES)
    assert {name: tuple(stack.shape) for name, stack in vars(parameters).items()} == {
        "first": (min(depth, 1), 4, 6, 5),
        "hidden": (max(depth - 1, 0), 4, 5, 5),
        "last": (1, 4, 5 if depth else 6, 3),
        "biases": (depth, 4, 1, 5),
        "last_bias": (1, 4, 1, 3),
    }


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_same_seeds_give_the_same_bits(make_init, depth):
    init = make_init(bias_std=0.3)
    assert_equal(
        draw(init, [7, 8], depth=depth, **SIZES), draw(init, range(7, 9), depth=depth, **SIZES)
    )


@pytest.mark.parametrize("bias_std", [0, 0.3, "its own"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_replicas_are_the_single_draws_stacked(make_init, depth, bias_std):
    init = make_init() if bias_std == "its own" else make_init(bias_std=bias_std)
    together = draw(init, [0, 1, 2, 3], depth=depth, **SIZES)
    alone = [draw(init, [seed], depth=depth, **SIZES) for seed in range(4)]
    for stack, singles in zip(stacks(together), zip(*map(stacks, alone), strict=True), strict=True):
        assert torch.equal(stack, torch.cat(singles, dim=1))


def test_the_seed_tells_replicas_apart_and_nothing_else_does():
    init = VarianceScaling(bias_std=0.3)
    mixed = draw(init, [5, 2, 5], depth=3, **SIZES)
    for stack in stacks(mixed):
        assert torch.equal(stack[:, 0], stack[:, 2])
        assert not torch.equal(stack[:, 0], stack[:, 1])


def test_no_two_seeds_give_the_same_network():
    seeds = [*range(500), 2**31, 2**32 - 1]
    last = draw(Normal(), seeds, depth=0, **SIZES).last
    assert len(last.flatten(2).unique(dim=1)[0]) == len(seeds)


def test_no_two_layers_share_their_draws():
    w = draw(Normal(), [0], depth=4, inputs=5, width=5, outputs=5)
    entries = torch.cat([stack.flatten() for stack in (w.first, w.hidden, w.last)])
    assert len(entries.unique()) == len(entries)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_another_dtype_is_the_same_draw_cast(make_init, dtype):
    init = make_init(bias_std=0.3)
    single = draw(init, [0, 1], depth=3, **SIZES)
    cast = draw(init, [0, 1], depth=3, dtype=dtype, **SIZES)
    for a, b in zip(stacks(single), stacks(cast), strict=True):
        assert b.dtype == dtype
        assert torch.equal(a.to(dtype), b)


def test_drawing_leaves_torchs_own_generator_alone(make_init):
    before = torch.get_rng_state()
    draw(make_init(bias_std=0.3), [0, 1], depth=2, **SIZES)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("depth", DEPTHS)
def test_layers_come_in_order_and_fit_together(init, depth):
    parameters = draw(init, [0, 1], depth=depth, **SIZES)
    layers = parameters.layers()
    sizes = [6, *[5] * depth, 3]
    assert [tuple(w.shape) for w, _ in layers] == [
        (2, fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
    ]
    assert [tuple(b.shape) for _, b in layers] == [(2, 1, fan_out) for fan_out in sizes[1:]]


@pytest.mark.parametrize("depth", DEPTHS)
def test_layers_are_views_of_the_stacks(depth):
    parameters = draw(Normal(bias_std=1), [0, 1], depth=depth, **SIZES)
    for number, (w, b) in enumerate(parameters.layers(), start=1):
        w.fill_(number)
        b.fill_(-number)
    assert [
        w.unique().tolist() for w in (*parameters.first, *parameters.hidden, *parameters.last)
    ] == [[number] for number in range(1, depth + 2)]
    assert [b.unique().tolist() for b in (*parameters.biases, *parameters.last_bias)] == [
        [-number] for number in range(1, depth + 2)
    ]


@pytest.mark.parametrize("depth", DEPTHS)
def test_empty_like_has_the_same_shapes_and_other_memory(depth):
    parameters = draw(Normal(bias_std=1), [0], depth=depth, dtype=torch.float64, **SIZES)
    before = [stack.clone() for stack in stacks(parameters)]
    other = parameters.empty_like()
    for stack in stacks(other):
        stack.fill_(0)
    for stack, empty, kept in zip(stacks(parameters), stacks(other), before, strict=True):
        assert (empty.shape, empty.dtype) == (stack.shape, stack.dtype)
        assert torch.equal(stack, kept)
