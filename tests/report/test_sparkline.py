"""Curves in a dozen characters."""

import math

import numpy as np

from fanin.report.sparkline import BLOCKS, make_sparklines


def drawn(*curves: list[float]) -> list[str]:
    return make_sparklines([np.array(curve, dtype=float) for curve in curves])


def test_a_block_a_layer_on_the_scale_that_all_share():
    assert drawn([1e-7, 1e-3, 1], [1, 1, 1]) == ["▁▅█", "███"]


def test_each_step_of_a_straight_line_is_one_block_up():
    assert drawn([10.0**n for n in range(8)]) == [BLOCKS]


def test_what_does_not_change_looks_steady():
    assert drawn([1, 1.1, 0.9, 1]) == ["▅▅▄▅"]


def test_a_deep_net_is_shown_from_its_first_layer_to_its_last():
    curve = np.ones(1000)
    curve[0], curve[-1] = 1e-4, 1e4
    (line,) = make_sparklines([curve])
    assert line == "▁" + 10 * "▅" + "█"


def test_where_numbers_end():
    assert drawn([1, 100, math.nan, math.nan]) == ["▁█x"]
    assert drawn([math.nan, math.nan], [1, 100])[0] == "x"
    assert drawn([math.nan]) == ["x"]


def test_what_is_nothing_is_as_low_as_can_be():
    assert drawn([1, 0, 0]) == ["▅▁▁"]
    assert drawn([], [1]) == ["", "▅"]
    assert drawn([0.0, 0.0]) == ["▁▁"]


def test_one_that_explodes_leaves_the_others_their_shape():
    steady = drawn([1, 1e-8], [1, 1e30])[0]
    assert BLOCKS.index(steady[0]) - BLOCKS.index(steady[1]) == 3
