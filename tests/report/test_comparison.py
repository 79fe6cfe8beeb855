"""A comparison: what becomes of jobs as lines, colours and panels."""

import math
from itertools import product

import numpy as np
import pytest
from results import made

from fanin.report.comparison import MAX_LINES, MAX_PANELS, STD, Line, compare

INITS = {"xavier": 0.7, "kaiming": 1.0}


def jobs(**values):
    """A job for each combination of values."""
    return [
        made(np.full(settings.get("depth", 3), 0.5), **settings)
        for settings in (dict(zip(values, some, strict=True)) for some in product(*values.values()))
    ]


def compared(outcomes, *names):
    return compare(outcomes, names, "a title")


def roles(comparison):
    colour = comparison.colour and comparison.colour.name
    return colour, [axis.name for axis in comparison.panel]


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
    comparison = compared(jobs(init=["z", "a"], scale=["10", "9", "1e-3"]), "init", "scale")
    words, numbers = comparison.axes
    assert words.values == ("z", "a")
    assert not words.is_number
    assert numbers.values == ("1e-3", "9", "10")
    assert numbers.positions == (1e-3, 9, 10)


def test_a_setting_that_some_jobs_lack_is_no_number():
    outcomes = [made([1], init="kaiming", init__scale=2), made([1], init="orthogonal")]
    (axis,) = compared(outcomes, "init.scale").axes
    assert axis.values == ("2", "-")
    assert not axis.is_number


@pytest.mark.parametrize("seed", ["seed", "data__seed"])
def test_seeds_are_one_line_with_a_band(seed):
    outcomes = [made([1.0, n], **{seed: n}) for n in range(1, 102)]
    comparison = compared(outcomes, seed.replace("__", "."))
    (line,) = comparison.lines
    curve = line.curve(STD)
    assert comparison.axes == []
    np.testing.assert_allclose(curve.middle, [1, 51])
    np.testing.assert_allclose(curve.low, [1, 17])
    np.testing.assert_allclose(curve.high, [1, 85])
    assert comparison.explanation.startswith("a line is the median of 101 runs, its band")


def test_a_job_that_has_left_the_numbers_ranks_above_all_others():
    nan = math.nan
    line = Line({}, [made([1, 1, nan]), made([2, nan, nan]), made([3, 3, 3])])
    np.testing.assert_array_equal(line.curve(STD).middle, [2, 3, nan])
    line = Line({}, [made([1, 1, 1]), made([2, nan, nan]), made([3, 3, 3])])
    np.testing.assert_array_equal(line.curve(STD).middle, [2, 3, 3])


def test_jobs_of_other_depths_end_where_they_end():
    curve = Line({}, [made([1, 1]), made([2, 2, 2, 2]), made([])]).curve(STD)
    np.testing.assert_allclose(curve.middle, [1.5, 1.5, 2, 2])


def test_theory_that_is_not_known_ranks_nowhere():
    line = Line({}, [made([1], theory=[math.nan]), made([1], theory=[5])])
    np.testing.assert_array_equal(line.curve(f"{STD}_theory").middle, [5])


def test_a_single_job_has_the_band_of_its_replicas():
    line = Line({}, [made([2, 4], band=2)])
    curve = line.curve(STD)
    np.testing.assert_array_equal(curve.low, [1, 2])
    np.testing.assert_array_equal(curve.high, [4, 8])


def test_neighbouring_numbers_share_a_colour_where_there_are_too_many():
    values = [round(x, 4) for x in np.geomspace(0.01, 10, 100)]
    comparison = compared(jobs(scale=values, seed=range(3)), "scale", "seed")
    assert len(comparison.lines) == MAX_LINES // 2
    for line in comparison.lines:
        low, high = map(float, line.settings["scale"].split(" to "))
        found = [float(outcome.params["scale"]) for outcome in line.outcomes]
        assert (min(found), max(found), len(found)) == (low, high, 15)
    assert comparison.colour.is_scale
    assert comparison.colour.positions == tuple(sorted(comparison.colour.positions))


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
    outcomes = jobs(**values)
    comparison = compared(outcomes, *values)
    assert len(comparison.panels) <= MAX_PANELS
    assert max(map(len, comparison.panels.values())) <= MAX_LINES
    assert sum(len(line.outcomes) for line in comparison.lines) == len(outcomes) == 1000
    assert len(comparison.lines) == lines


@pytest.mark.parametrize(
    ("values", "explanation"),
    [
        ({"init": "ab"}, ""),
        ({"init": "ab", "replicas": [8]}, "a line is the median of the replicas, its band"),
        ({"a": "xyz", "b": "xyzu", "c": "xyzuv"}, "lines of one colour differ in c"),
        ({"a": range(50), "b": "xy"}, "a line is the median of 6 to 7 runs, its band"),
        (
            {"a": "xyz", "b": "xyzu", "c": [f"c{n}" for n in range(50)]},
            "a line is the median of 50 runs with any c, its band",
        ),
    ],
)
def test_what_a_line_stands_for_is_said(values, explanation):
    said = compared(jobs(**values), *values).explanation
    assert said.startswith(explanation)
    assert bool(said) == bool(explanation)
