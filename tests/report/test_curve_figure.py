"""The curve figure: its panels, lines, marks and legends."""

import math
from itertools import pairwise

import numpy as np
import pytest
from results import make_result

from fanin.report.comparison import compare
from fanin.report.curve_figure import build_figure, draw_curves
from fanin.report.curve_panel import (
    BAND,
    EXPECTED,
    MEANINGS,
    NONFINITE,
    THEORY,
    ZERO,
    find_ends,
)
from fanin.report.palette import LINE_COLOURS

nan = math.nan
MAIN = [
    make_result(0.8 * factor ** np.arange(depth), init=init, depth=depth)
    for init, factor in (("xavier", 0.7), ("kaiming", 1.0))
    for depth in (10, 50)
]


def drawn(results, *names):
    return build_figure(compare(results, names, "a title"))


def blocks(figure):
    """The axes with curves: those above and those below."""
    panels = [axes for axes in figure.axes if axes.get_yscale() == "log"]
    return panels[: len(panels) // 2], panels[len(panels) // 2 :]


def curves(axes):
    return [line for line in axes.lines if line.get_linestyle() == "-"]


def marked(axes, marker):
    """(layer, value) of each such mark."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return [tuple(line.get_xydata()[0]) for line in lines if line.get_linestyle() == "None"]


def texts(figure):
    own = [text.get_text() for text in figure.texts]
    return own + [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_two_blocks_of_panels_with_a_line_a_job():
    figure = drawn(MAIN, "init", "depth")
    for block in blocks(figure):
        assert [axes.get_title(loc="left") for axes in block] == ["depth=10", "depth=50"]
        assert [[len(x.get_xdata()) for x in curves(axes)] for axes in block] == [
            [10] * 2,
            [50] * 2,
        ]
        assert len({axes.get_ylim() for axes in block}) == 1
        for axes in block:
            assert [line.get_color() for line in curves(axes)] == [*LINE_COLOURS[:2]]
    assert {"a title", "std of activations", "norm of dL/dz"} <= {*texts(figure)}
    (legend,) = (legend for legend in figure.legends if legend.get_texts())
    assert legend.get_title().get_text() == "init"
    assert [text.get_text() for text in legend.get_texts()] == ["xavier", "kaiming"]


def test_the_curves_are_those_that_were_measured():
    (std,), (gradient,) = blocks(drawn([make_result([1, 2, 3], [6, 5, 4])]))
    np.testing.assert_array_equal(curves(std)[0].get_xydata(), [[1, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(curves(gradient)[0].get_xydata(), [[1, 6], [2, 5], [3, 4]])


@pytest.mark.parametrize(
    ("result", "meanings"),
    [
        (make_result([1, 2]), []),
        (make_result([1, 2], theory=[1, 3]), [THEORY]),
        (make_result([1, 2], band=2), [BAND]),
        (make_result([1, nan], [1, 1]), [NONFINITE]),
        (make_result([1, 0], band=2, theory=[1, 2]), [BAND, THEORY, ZERO]),
    ],
)
def test_the_legend_explains_what_occurs(result, meanings):
    shown = [text for text in texts(drawn([result])) if text in MEANINGS.values()]
    assert shown == [MEANINGS[meaning] for meaning in meanings]


def test_theory_is_dashed_in_the_colour_of_its_line():
    (axes,), _ = blocks(drawn([make_result([1, 2], theory=[1, 3])]))
    measured, theory = axes.lines
    assert theory.get_linestyle() == "--"
    assert theory.get_color() == measured.get_color()
    np.testing.assert_array_equal(theory.get_ydata(), [1, 3])


def test_a_band_lies_between_low_and_high():
    (axes,), _ = blocks(drawn([make_result([2, 4], band=2)]))
    (band,) = axes.collections
    assert {tuple(p) for p in band.get_paths()[0].vertices} == {(1, 1), (1, 4), (2, 2), (2, 8)}


@pytest.mark.parametrize(
    ("values", "is_backward", "ends"),
    [
        ([1, 2, 3], False, []),
        ([1, 2, nan], False, [(NONFINITE, 2, 2.0)]),
        ([1, nan, nan], False, [(NONFINITE, 1, 1.0)]),
        ([nan, nan, 3], True, [(NONFINITE, 3, 3.0)]),
        ([nan, 2, 3], True, [(NONFINITE, 2, 2.0)]),
        ([nan, nan], False, [(NONFINITE, 1, nan)]),
        ([nan, nan], True, [(NONFINITE, 2, nan)]),
        ([1, 0, 0], False, [(ZERO, 2, nan)]),
        ([0, 0, 3], True, [(ZERO, 2, nan)]),
        ([0, 0], True, [(ZERO, 2, nan)]),
        ([], False, []),
    ],
)
def test_a_mark_where_a_signal_ends(values, is_backward, ends):
    assert str([*find_ends(np.array(values), is_backward=is_backward)]) == str(ends)


def test_marks_stand_at_their_layers():
    ends = make_result([1, 10, nan, nan], [nan, nan, nan, 7], init="normal")
    dies = make_result([5, 0, 0, 0], [0, 0, 5, 5], init="small")
    (std,), (gradient,) = blocks(drawn([ends, dies], "init"))
    assert marked(std, "x") == [(2, 10)]
    assert marked(gradient, "x") == [(4, 7)]
    assert marked(std, "v") == [(2, std.get_ylim()[0])]
    assert marked(gradient, "v") == [(2, gradient.get_ylim()[0])]


def test_what_was_never_finite_is_marked_at_the_upper_edge():
    _, (gradient,) = blocks(drawn([make_result([1, 2], [nan, nan])]))
    assert marked(gradient, "x") == [(2, gradient.get_ylim()[1])]


def test_a_single_layer_is_a_dot():
    (axes,), _ = blocks(drawn([make_result([2])]))
    (line,) = axes.lines
    assert line.get_marker() == "o"
    assert [*axes.get_xticks()] == [1]


def test_jobs_without_layers_have_no_panel():
    results = [
        make_result([1] * depth, depth=depth, init=init) for depth in (0, 2) for init in "ab"
    ]
    above, _ = blocks(drawn(results, "init", "depth"))
    assert [axes.get_title(loc="left") for axes in above] == ["depth=2"]


def test_no_file_where_nothing_has_layers(tmp_path):
    assert draw_curves(compare([make_result([], init="a")], ["init"], ""), tmp_path) == []
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("dimensions", [(15,), (3, 4), (2, 8)])
def test_no_panel_lies_over_another(dimensions):
    numbers = [np.unravel_index(n, dimensions) for n in range(math.prod(dimensions))]
    results = [
        make_result([1, 2], init=init, **{f"s{i}": f"v{v}" for i, v in enumerate(where)})
        for where in numbers
        for init in "ab"
    ]
    figure = drawn(results, "init", *(f"s{i}" for i in range(len(dimensions))))
    above, below = blocks(figure)
    assert len(above) == len(below) == math.prod(dimensions)
    places = [axes.get_position() for axes in figure.axes]
    assert all(0 < p.x0 < p.x1 < 1 and 0 < p.y0 < p.y1 < 1 for p in places)
    assert not any(a.overlaps(b) for n, a in enumerate(places) for b in places[:n])


def test_many_numbers_share_a_scale_of_colours():
    figure = drawn([make_result([1, n], scale=n) for n in range(1, 31)], "scale")
    (scale,) = (axes for axes in figure.axes if axes.images)
    assert scale.get_title(loc="left") == "scale"
    assert scale.images[0].cmap.N == 30
    labels = {
        tick: label.get_text()
        for tick, label in zip(scale.get_yticks(), scale.get_yticklabels(), strict=True)
    }
    assert labels[0] == "1"
    assert labels[29] == "30"


def test_lines_beyond_ten_colours_have_markers():
    figure = drawn([make_result([1, 2], init=f"init{n}") for n in range(12)], "init")
    (axes,), _ = blocks(figure)
    styles = [(line.get_color(), line.get_marker()) for line in axes.lines]
    assert len({*styles}) == 12


def test_a_long_legend_stays_within_the_picture():
    results = [make_result([1, 2], theory=[1, 2], init=f"$init_{n}$") for n in range(40)]
    figure = drawn(results, "init")
    places = [legend.get_window_extent() for legend in figure.legends]
    assert min(place.y0 for place in places) >= 0
    assert not places[0].overlaps(places[1])


def test_a_long_value_shows_its_end():
    paths = ["/a/long/way/to/the/tables/one.csv", "/a/long/way/to/the/tables/two.csv"]
    shown = texts(drawn([make_result([1, 2], data__path=path) for path in paths], "data.path"))
    assert [text[-8:] for text in shown if text.startswith("…")] == ["/one.csv", "/two.csv"]


@pytest.mark.parametrize(
    "values",
    [
        [1e-45, 1, 1e38],
        [5e-324, 1, 1.7e308],
        [0, 0, 0],
        [nan, nan, nan],
        [0.7, 0.7, 0.7],
        [0.69, 0.7, 0.71],
        [3e-9, 3e-9, 4e-9],
        [0.3, 1, 9],
    ],
)
def test_ticks_are_few_and_in_sight(values):
    (axes,), _ = blocks(drawn([make_result(values)]))
    low, high = axes.get_ylim()
    ticks = [*axes.get_yticks()]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert 2 <= len(ticks) <= 8
    assert len({*labels}) == len(ticks)
    assert all(low <= a < b <= high for a, b in pairwise(ticks))
    assert math.log10(high) - math.log10(low) > math.log10(4.99)


def test_the_same_comparison_gives_the_same_files(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        assert draw_curves(compare(MAIN, ["init", "depth"], "a title"), folder) == [
            "comparison.png",
            "comparison.svg",
        ]
    for name in ("comparison.png", "comparison.svg"):
        one, other = ((folder / name).read_bytes() for folder in folders)
        assert one == other
    assert ">kaiming</text>" in (folders[0] / "comparison.svg").read_text()


def test_a_line_that_is_not_healthy_says_so_at_its_end():
    results = [
        make_result([1, 0.1, 0.01], verdict="vanishing", init="a"),
        make_result([1, 1, 1], init="b"),
        make_result([1, 10, nan], verdict="nonfinite", init="c"),
        make_result([0, 0, 0], verdict="dead", init="d"),
    ]
    (std,), (gradient,) = blocks(drawn(results, "init"))
    assert {(text.get_text(), text.get_position()[0]) for text in std.texts} == {
        ("vanishing", 3),
        ("nonfinite", 2),
    }
    assert not gradient.texts
    ((crowded,), _) = blocks(
        drawn([make_result([1], verdict="dead", init=n) for n in "abcdefg"], "init")
    )
    assert not crowded.texts


def test_words_do_not_lie_on_one_another():
    equal = [make_result([1, 0.1, 0.01], verdict="vanishing", init=n) for n in "abc"]
    (std,), _ = blocks(drawn(equal, "init"))
    heights = sorted(text.get_position()[1] for text in std.texts)
    assert min(b - a for a, b in pairwise(heights)) > 0.1


def test_a_line_that_explodes_does_not_flatten_the_others():
    (std,), _ = blocks(
        drawn([make_result([1, 1e20, 1e38], init="a"), make_result([1, 0.1], init="b")], "init")
    )
    assert std.get_ylim()[1] == pytest.approx(1e10)
    (alone,), _ = blocks(drawn([make_result([1e20, 1e30], [1, 1])]))
    assert alone.get_ylim()[1] > 1e30


def test_what_theory_leaves_to_the_seed_is_a_band_where_no_seeds_were_measured():
    one, several = make_result([1, 1], theory=[1, 1]), make_result([1, 1], theory=[1, 1], band=2)
    for job in (one, several):
        job.profile.curves["activation/std_theory_low"] = np.array([0.5, 0.4])
        job.profile.curves["activation/std_theory_high"] = np.array([1.5, 1.6])
    assert MEANINGS[EXPECTED] in texts(drawn([one]))
    assert MEANINGS[EXPECTED] not in texts(drawn([several]))
