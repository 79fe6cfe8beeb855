"""The timing figure: dots and medians by each setting."""

from itertools import product

import numpy as np
import pytest
from results import BACKWARD_MS, FORWARD_MS, make_result

from fanin.report.comparison import compare
from fanin.report.timing_figure import PASS_COLOURS, PASSES, build_figure, draw_timings


def timed(forward, **params):
    result = make_result([1], **params)
    result.profile.numbers.update({"summary/forward_ms": forward, "summary/backward_ms": 100})
    return result


def drawn(results, *names):
    return build_figure(compare(results, names, "a title"))


def dots(axes):
    return {line.get_color(): line.get_xydata() for line in axes.lines}


def test_a_panel_a_setting_on_a_common_log_axis():
    results = [make_result([1], init=i, width=w, loss="x") for i, w in product("abc", (10, 9))]
    figure = drawn(results, "init", "width", "loss")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["init", "width"]
    assert [[t.get_text() for t in axes.get_xticklabels()] for axes in figure.axes] == [
        ["a", "b", "c"],
        ["9", "10"],
    ]
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [*PASSES, "median"]


def test_a_dot_a_job_and_a_bar_at_the_median():
    results = [timed(ms, init=init) for init, ms in (("a", 1), ("a", 2), ("a", 9), ("b", 4))]
    (axes,) = drawn(results, "init").axes
    forward = dots(axes)[PASS_COLOURS["forward"]]
    np.testing.assert_array_equal(forward[:, 1], [1, 2, 9, 4])
    np.testing.assert_array_equal(forward[:, 0].round(), [0, 0, 0, 1])
    assert len({*forward[:, 0]}) == 4  # side by side
    medians = [[segment[0, 1] for segment in bars.get_segments()] for bars in axes.collections]
    assert medians == [[2, 4], [100, 100]]


def test_forward_stands_left_of_backward():
    (axes,) = drawn([make_result([1], init=init) for init in "ab"], "init").axes
    forward, backward = (dots(axes)[colour] for colour in PASS_COLOURS.values())
    assert {*forward[:, 1]} == {FORWARD_MS}
    assert {*backward[:, 1]} == {BACKWARD_MS}
    assert (forward[:, 0] < backward[:, 0]).all()


@pytest.mark.parametrize(("count", "places"), [(20, 20), (21, 10), (1000, 10)])
def test_many_numbers_are_taken_together(count, places):
    (axes,) = drawn([make_result([1], scale=n) for n in range(count)], "scale").axes
    forward = dots(axes)[PASS_COLOURS["forward"]]
    assert len(forward) == count
    assert len(axes.collections[0].get_segments()) == places


def test_no_file_where_nothing_varies(tmp_path):
    comparison = compare([make_result([1], seed=seed) for seed in (1, 2)], ["seed"], "")
    assert draw_timings(comparison, tmp_path) == []
    assert not [*tmp_path.iterdir()]


def test_two_files(tmp_path):
    comparison = compare([make_result([1], init=init) for init in "ab"], ["init"], "")
    names = draw_timings(comparison, tmp_path)
    assert names == ["timings.png", "timings.svg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
