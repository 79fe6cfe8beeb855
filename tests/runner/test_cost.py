"""Costs: in proportion to what is done, whatever the machine's speed."""

from dataclasses import replace

import pytest
import torch

from fanin.nn.matmul import RUNGS
from fanin.runner.cost import (
    Size,
    disk,
    jacobian_memory,
    jacobian_seconds,
    memory,
    python_seconds,
    python_steps,
    seconds,
)

SIZE = Size(depth=10, inputs=100, width=50, outputs=3, batch=20, replicas=2)


def test_weights_and_stacks_are_counted():
    assert SIZE.weights == 2 * (100 * 50 + 9 * 50 * 50 + 50 * 3)
    assert SIZE.stack == 10 * 2 * 20 * 50
    assert replace(SIZE, depth=0).weights == 2 * 100 * 3
    assert replace(SIZE, depth=1).weights == 2 * (100 * 50 + 50 * 3)


def test_memory_holds_weights_gradients_and_three_stacks():
    needed = memory(SIZE, itemsize=4)
    assert needed >= 4 * (2 * SIZE.weights + 3 * SIZE.stack)
    assert memory(SIZE, itemsize=8) > needed
    assert memory(SIZE, itemsize=4, engine="module") > needed
    assert memory(SIZE, itemsize=4, matmul="einsum") == needed + 4 * 20 * 100 * 50


def test_loops_step_once_a_multiplication():
    """Counted by hand: forward, the weights' gradient, and the inputs' but the network's own."""
    one_layer = 20 * 100 * 50 * 2 + 20 * 50 * 3 * 3
    size = replace(SIZE, depth=1)
    assert python_steps(size, matmul="loops", passes=1) == 2 * one_layer
    assert python_steps(size, matmul="loops", passes=7) == 7 * 2 * one_layer


def test_rows_step_once_an_entry():
    size = replace(SIZE, depth=0)
    assert python_steps(size, matmul="rows", passes=1) == 2 * (20 * 3 + 100 * 3)


@pytest.mark.parametrize("matmul", ["broadcast", "einsum", "builtin"])
def test_the_fast_rungs_take_no_steps(matmul):
    assert python_steps(SIZE, matmul=matmul, passes=1) == 0
    assert python_seconds(SIZE, matmul=matmul, passes=1) == 0


def test_the_default_network_by_loops_is_more_than_an_hour():
    size = Size(depth=10, inputs=100, width=100, outputs=1, batch=200, replicas=1)
    assert python_seconds(size, matmul="loops", passes=7) > 3600
    assert python_seconds(size, matmul="rows", passes=7) < 3600
    assert python_seconds(replace(size, depth=2, batch=20), matmul="loops", passes=1) < 60


@pytest.mark.parametrize("matmul", RUNGS)
def test_seconds_grow_with_depth_replicas_and_passes(matmul):
    """The layer is measured once, so that these are exact."""
    one = seconds(SIZE, passes=1, matmul=matmul)
    assert 0 < one < seconds(SIZE, passes=2, matmul=matmul)
    assert one < seconds(replace(SIZE, depth=20), passes=1, matmul=matmul)
    assert seconds(SIZE, passes=1, matmul=matmul) == one


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_seconds_of_the_smallest(depth):
    tiny = Size(depth=depth, inputs=1, width=1, outputs=1, batch=1, replicas=1)
    assert seconds(tiny, passes=1) > 0


def test_seconds_of_the_largest_are_told_at_once():
    """Nothing of its own size is made: this one has no room anywhere."""
    large = Size(depth=10, inputs=10**6, width=10**6, outputs=1, batch=10**5, replicas=10)
    assert seconds(large, passes=1, dtype=torch.float64) > 3600


def test_jacobians_take_their_products_and_their_singular_values():
    one = jacobian_seconds(SIZE, inputs=4)
    assert 0 < one < jacobian_seconds(replace(SIZE, depth=20), inputs=4)
    assert jacobian_seconds(SIZE, inputs=8) == pytest.approx(2 * one)
    assert jacobian_seconds(replace(SIZE, replicas=4), inputs=4) == pytest.approx(2 * one)
    assert jacobian_seconds(replace(SIZE, width=100), inputs=4) > 3 * one
    assert jacobian_seconds(replace(SIZE, batch=10**6), inputs=4) == one
    chapter = Size(depth=50, inputs=100, width=100, outputs=1, batch=200, replicas=1)
    assert jacobian_seconds(chapter, inputs=4) < 1
    assert jacobian_seconds(replace(chapter, inputs=10**4, width=10**4), inputs=4) > 3600


def test_jacobians_need_room_for_a_replica_at_a_time():
    needed = jacobian_memory(SIZE, inputs=4)
    assert needed >= 8 * 4 * 100 * 50
    assert jacobian_memory(replace(SIZE, replicas=4), inputs=4) < 2 * needed
    assert jacobian_memory(replace(SIZE, inputs=1000), inputs=4) > 8 * 4 * 1000 * 50


def test_a_disk_holds_more_for_more_layers_and_jobs():
    assert disk(10) < disk(100) < disk(100, jobs=4)
    assert disk(10, jobs=4) == 4 * disk(10)
