"""A comparison: which results share a line, and what colours and panels show."""

import math
from itertools import product

import numpy as np
import pytest
from results import make_result

from fanin.measure.statistics import STD
from fanin.report.comparison import MAX_LINES, MAX_PANELS, compare
from fanin.report.line import Line

INITS = {"xavier": 0.7, "kaiming": 1.0}


def jobs(**values):
    """A job for each combination of values."""
    return [
        make_result(np.full(settings.get("depth", 3), 0.5), **settings)
        for settings in (dict(zip(values, each, strict=True)) for each in product(*values.values()))
    ]


def compared(results, *names):
    return compare(results, names, "a title")


def roles(comparison):
    colour = comparison.colour_axis and comparison.colour_axis.name
    return colour, [axis.name for axis in comparison.panel_axes]


@pytest.mark.parametrize(
    ("values", "colour", "panel"),
    [
        ({"init": ["a", "b"], "depth": [3, 5]}, "init", ["depth"]),
        ({"depth": [3, 5], "init": ["a", "b"]}, "init", ["depth"]),
        ({"depth": [3, 5]}, "depth", []),
        ({"depth": [3]}, None, []),
        ({"init": range(12), "loss": ["x", "y"]}, "loss", ["init"]),  # few colours, many panels
        ({"a": range(3), "b": range(4), "c": range(5), "depth": [1, 2]}, "a", ["b", "depth"]),
    ],
)
def test_colours_and_panels_tell_settings_apart(values, colour, panel):
    assert roles(compared(jobs(**values), *values)) == (colour, panel)


def test_a_panel_has_the_lines_of_its_setting():
    comparison = compared(jobs(init=["a", "b"], depth=[3, 5]), "init", "depth")
    labels = {title: [x.label for x in lines] for title, lines in comparison.panels.items()}
    assert labels == {
        "depth=3": ["init=a depth=3", "init=b depth=3"],
        "depth=5": ["init=a depth=5", "init=b depth=5"],
    }


def test_numbers_are_ordered_by_size_and_words_as_they_came():
    comparison = compared(jobs(init=["z", "a"], scale=[10, 9.0, 1e-3]), "init", "scale")
    words, numbers = comparison.axes
    assert words.labels == ("z", "a")
    assert not words.is_numeric
    assert numbers.labels == ("0.001", "9.0", "10")
    assert numbers.numbers == (1e-3, 9, 10)


@pytest.mark.parametrize("values", [[True, False], ["2", "1"], [2.0, None], [1, math.inf]])
def test_only_finite_numbers_make_a_numeric_axis(values):
    (axis,) = compared(jobs(scale=values), "scale").axes
    assert axis.labels == tuple(map(str, values))
    assert not axis.is_numeric


def test_2_and_2_0_are_one_value():
    comparison = compared(jobs(scale=[2, 2.0, 3]), "scale")
    assert [len(line.results) for line in comparison.lines] == [2, 1]


def test_a_setting_that_some_jobs_lack_is_no_number():
    results = [make_result([1], init="kaiming", init__scale=2), make_result([1], init="orthogonal")]
    (axis,) = compared(results, "init.scale").axes
    assert axis.labels == ("2", "-")
    assert not axis.is_numeric


@pytest.mark.parametrize("seed", ["seed", "data__seed"])
def test_seeds_are_one_line_with_a_band(seed):
    results = [make_result([1.0, n], **{seed: n}) for n in range(1, 102)]
    comparison = compared(results, seed.replace("__", "."))
    (line,) = comparison.lines
    curve = line.curve(STD)
    assert comparison.axes == []
    np.testing.assert_allclose(curve.middle, [1, 51])
    np.testing.assert_allclose(curve.low, [1, 17])
    np.testing.assert_allclose(curve.high, [1, 85])
    assert comparison.caption.startswith("each line is the median of 101 runs; the band")


def test_a_job_that_has_left_the_numbers_ranks_above_all_others():
    nan = math.nan
    line = Line({}, [make_result([1, 1, nan]), make_result([2, nan, nan]), make_result([3, 3, 3])])
    np.testing.assert_array_equal(line.curve(STD).middle, [2, 3, nan])
    line = Line({}, [make_result([1, 1, 1]), make_result([2, nan, nan]), make_result([3, 3, 3])])
    np.testing.assert_array_equal(line.curve(STD).middle, [2, 3, 3])


def test_jobs_of_other_depths_end_where_they_end():
    curve = Line({}, [make_result([1, 1]), make_result([2, 2, 2, 2]), make_result([])]).curve(STD)
    np.testing.assert_allclose(curve.middle, [1.5, 1.5, 2, 2])


def test_theory_that_is_not_known_ranks_nowhere():
    line = Line({}, [make_result([1], theory=[math.nan]), make_result([1], theory=[5])])
    np.testing.assert_array_equal(line.curve(f"{STD}_theory").middle, [5])


def test_a_single_job_has_the_band_of_its_replicas():
    line = Line({}, [make_result([2, 4], band=2)])
    curve = line.curve(STD)
    np.testing.assert_array_equal(curve.low, [1, 2])
    np.testing.assert_array_equal(curve.high, [4, 8])


def test_neighbouring_numbers_share_a_colour_where_there_are_too_many():
    values = [round(x, 4) for x in np.geomspace(0.01, 10, 100)]
    comparison = compared(jobs(scale=values, seed=range(3)), "scale", "seed")
    assert len(comparison.lines) == MAX_LINES // 2
    for line in comparison.lines:
        low, high = map(float, line.settings["scale"].split(" to "))
        scales = [result.params["scale"] for result in line.results]
        assert (min(scales), max(scales), len(scales)) == (low, high, 15)
    colour = comparison.colour_axis
    assert colour.has_colour_scale
    assert colour.numbers == tuple(sorted(colour.numbers))


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ({"init": ["a", "b"], "depth": [3, 5], "seed": range(250)}, 4),
        ({"scale": range(100), "seed": range(10)}, 20),
        ({"scale": range(1000)}, 20),
        ({"scale": range(50), "bias": range(20)}, 20 * 8),
        ({"init": range(10), "activation": "abcdefghij", "seed": range(10)}, 100),
        ({"init": "abcde", "depth": range(1, 6), "loss": "ab", "width": range(20)}, 50),
    ],
)
def test_a_thousand_jobs_are_tens_of_lines_in_a_panel(values, lines):
    results = jobs(**values)
    comparison = compared(results, *values)
    assert len(comparison.panels) <= MAX_PANELS
    assert max(map(len, comparison.panels.values())) <= MAX_LINES
    assert sum(len(line.results) for line in comparison.lines) == len(results) == 1000
    assert len(comparison.lines) == lines


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"init": "ab"}, ""),
        ({"init": "ab", "replicas": [8]}, "each line is the median of the replicas; the band"),
        ({"a": "xyz", "b": "xyzu", "c": "xyzuv"}, "lines of one colour differ in c"),
        ({"a": range(50), "b": "xy"}, "each line is the median of 6 to 7 runs; the band"),
        (
            {"a": "xyz", "b": "xyzu", "c": [f"c{n}" for n in range(50)]},
            "each line is the median of 50 runs over all values of c; the band",
        ),
    ],
)
def test_the_caption_explains_what_a_line_stands_for(values, start):
    caption = compared(jobs(**values), *values).caption
    assert caption.startswith(start)
    assert bool(caption) == bool(start)
