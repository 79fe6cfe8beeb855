"""The heatmap figure: its cells, its critical line, its legend."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from results import make_result

from fanin.report.comparison import compare
from fanin.report.heatmap_figure import CRITICAL, build_figure, draw_heatmaps
from fanin.report.palette import VERDICT_COLOURS, verdict_colour
from fanin.report.phase_plane import NO_RESULT

nan = math.nan
SCALES, BIASES = (0.5, 1, 2, 4), (0, 1, 2)


def plane(**others):
    """A job a cell, of which chi is init.scale / (1 + init.bias_std)."""
    return [
        make_result([1, s], [s, 1], chi=s / (1 + b), init__scale=s, init__bias_std=b, **others)
        for s, b in product(SCALES, BIASES)
    ]


def drawn(results, *names):
    return build_figure(compare(results, ["init.scale", "init.bias_std", *names], "a title"))


def maps(figure):
    return [axes for axes in figure.axes if axes.collections]


def colours(axes):
    """[row][column], as hex; none where a cell is not painted."""
    cells = axes.collections[0].get_array()
    return [[to_hex(c) if c[3] else None for c in row] for row in np.asarray(cells)]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def critical_line(axes):
    return [path.vertices for path in axes.collections[1].get_paths()]


def test_three_maps_with_the_first_number_from_left_to_right():
    figure = drawn(plane())
    assert len(maps(figure)) == 3
    for axes in maps(figure):
        assert [label.get_text() for label in axes.get_xticklabels()] == ["0.5", "1", "2", "4"]
        assert axes.get_xlabel() == "init.scale"
        assert np.shape(colours(axes)) == (3, 4)
    assert [label.get_text() for label in maps(figure)[0].get_yticklabels()] == ["0", "1", "2"]
    assert maps(figure)[0].get_ylabel() == "init.bias_std"


def test_colours_part_at_one():
    for axes in maps(drawn(plane()))[:2]:
        below, one, above, far = colours(axes)[0]
        assert np.ptp(to_rgba(one)[:3]) < 0.01  # no colour
        red, _, blue = to_rgba(below)[:3]
        assert blue > red
        for colour in (above, far):
            red, _, blue = to_rgba(colour)[:3]
            assert red > blue


def test_the_critical_line_is_where_chi_is_one():
    for axes in maps(drawn(plane())):
        (line,) = critical_line(axes)
        # scale = 1 + bias: column 1 of row 0, column 2 of row 1, and halfway on in row 2.
        for cell in ([1, 0], [2, 1], [2.5, 2]):
            assert np.isclose(line, cell).all(axis=1).any()
        np.testing.assert_allclose([line[:, 1].min(), line[:, 1].max()], [-0.5, 2.5])
    assert CRITICAL in legend(drawn(plane()))


@pytest.mark.parametrize("chi", [None, 0.5, 1 + 1e-9])
def test_no_line_where_chi_nowhere_passes_one(chi):
    results = [
        make_result([1], chi=chi, init__scale=s, init__bias_std=b)
        for s, b in product((1, 2), (0, 1))
    ]
    figure = drawn(results)
    assert {len(axes.collections) for axes in maps(figure)} == {1}
    assert CRITICAL not in legend(figure)


def test_nonfinite_cells_differ_from_those_without_a_run():
    results = plane()[:-1]
    results[0] = make_result(
        [1, nan], [nan, nan], verdict="nonfinite", init__scale=0.5, init__bias_std=0
    )
    results[1] = make_result(
        [1, 2], [nan, 1], verdict="nonfinite", init__scale=0.5, init__bias_std=1
    )
    figure = drawn(results)
    std, gradient, verdict = map(colours, maps(figure))
    for cells in (std, gradient, verdict):
        assert cells[0][0] == VERDICT_COLOURS["nonfinite"]
        assert cells[2][3] is None
    assert std[1][0] != VERDICT_COLOURS["nonfinite"] == gradient[1][0]
    assert legend(figure) == ["healthy", "nonfinite", NO_RESULT, CRITICAL]


def test_a_dead_cell_has_the_least_of_colours():
    dead = make_result([1, 0], [0, 0], verdict="dead", init__scale=2, init__bias_std=0)
    others = [
        make_result([1, x], init__scale=s, init__bias_std=b)
        for s, b, x in ((1, 0, 1e-4), (1, 1, 1e4))
    ]
    std, gradient, _ = map(colours, maps(drawn([dead, *others])))
    assert std[0][1] == std[0][0] != std[1][0]
    red, _, blue = to_rgba(gradient[0][1])[:3]
    assert blue > red


def test_verdicts_are_coloured_and_written():
    words = {(1, 0): "healthy", (2, 0): "dead", (1, 1): "vanishing", (2, 1): "exploding"}
    results = [
        make_result([1], verdict=word, init__scale=s, init__bias_std=b)
        for (s, b), word in words.items()
    ]
    figure = drawn(results)
    axes = maps(figure)[2]
    for (s, b), word in words.items():
        assert colours(axes)[b][s - 1] == VERDICT_COLOURS[word]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(s - 1, b): word for (s, b), word in words.items()}
    assert legend(figure) == [word for word in VERDICT_COLOURS if word in words.values()]


@pytest.mark.parametrize(("count", "text"), [(3, "dead"), (10, "d"), (30, None)])
def test_verdicts_are_shortened_where_cells_are_small(count, text):
    results = [
        make_result([1], verdict="dead", init__scale=s, init__bias_std=b)
        for s, b in product(range(count), range(2))
    ]
    axes = maps(drawn(results))[2]
    assert {t.get_text() for t in axes.texts} == ({text} if text else set())


def test_a_cell_of_several_runs_is_their_median():
    values = {0.01: "dead", 1: "healthy", 2: "healthy", nan: "nonfinite"}
    results = [
        make_result([1, x], verdict=word, init__scale=s, init__bias_std=b, seed=n)
        for s, b in product((1, 2), (0, 1))
        for n, (x, word) in enumerate(values.items())
    ]
    figure = drawn(results, "seed")
    medians = [
        make_result([1, 1.5], init__scale=s, init__bias_std=b) for s, b in product((1, 2), (0, 1))
    ]
    std, _, verdict = map(colours, maps(figure))
    assert std == colours(maps(drawn(medians))[0])
    assert {c for row in verdict for c in row} == {VERDICT_COLOURS["healthy"]}
    assert "each cell shows the median of 4 runs, and their most common verdict" in [
        text.get_text() for text in figure.texts
    ]


@pytest.mark.parametrize(("values", "rows"), [("ab", 2), ("abcd", 4), ("abcde", 1)])
def test_a_row_of_maps_for_each_of_few_words(values, rows):
    results = [job for value in values for job in plane(activation=value)]
    figure = drawn(results, "activation")
    assert len(maps(figure)) == 3 * rows
    titles = [axes.get_title(loc="left") for axes in maps(figure)[:rows]]
    assert titles == ([f"activation={value}" for value in values] if rows > 1 else [""])


def test_jobs_without_layers_have_a_verdict_only():
    results = [make_result([2] * d, depth=d, init__scale=s) for d, s in product((0, 3), (1, 2))]
    figure = build_figure(compare(results, ["init.scale", "depth"], ""))
    std, gradient, verdict = map(colours, maps(figure))
    assert std[0] == gradient[0] == [None, None]
    assert legend(figure) == ["healthy", NO_RESULT]
    assert verdict[0] == [VERDICT_COLOURS["healthy"]] * 2


@pytest.mark.parametrize("names", [[], ["init.scale"], ["init.scale", "activation"]])
def test_no_file_unless_two_numbers_vary(names, tmp_path):
    results = [job for value in "ab" for job in plane(activation=value)]
    assert draw_heatmaps(compare(results, names, ""), tmp_path) == []
    assert not [*tmp_path.iterdir()]


def test_two_files(tmp_path):
    comparison = compare(plane(), ["init.scale", "init.bias_std"], "")
    names = draw_heatmaps(comparison, tmp_path)
    assert names == ["heatmap.png", "heatmap.svg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_cell_of_which_every_seed_is_lost_is_no_empty_one():
    lost = [
        make_result(
            [1, math.nan],
            [math.nan] * 2,
            verdict="nonfinite",
            init__scale=s,
            init__bias_std=b,
            seed=seed,
        )
        for s, b, seed in product((1, 2), (0, 1), (0, 1))
    ]
    std, gradient, verdict = map(colours, maps(drawn(lost, "seed")))
    assert {c for grid in (std, gradient, verdict) for row in grid for c in row} == {
        VERDICT_COLOURS["nonfinite"]
    }


def test_maps_for_each_combination_of_two_words():
    results = [job for a, i in product("ab", "xy") for job in plane(activation=a, init=i)]
    figure = drawn(results, "activation", "init")
    titles = [axes.get_title(loc="left") for axes in maps(figure)[:4]]
    assert titles == [f"activation={a}, init={i}" for a, i in product("ab", "xy")]


def test_no_line_where_a_cell_holds_networks_of_other_chi():
    one, other = plane(activation="a"), plane(activation="a")
    for job in other:
        job.profile.numbers["summary/theory_chi"] *= 3
    seeds = [replace(j, params={**j.params, "seed": n}) for n in range(2) for j in one]
    assert len(maps(drawn(seeds, "seed"))[0].collections) == 2
    assert len(maps(drawn([*one, *other]))[0].collections) == 1


def test_an_unknown_verdict_is_a_grey_cell_in_the_legend():
    results = [*plane()[1:], make_result([1], verdict="odd", init__scale=0.5, init__bias_std=0)]
    figure = drawn(results)
    grey = verdict_colour("odd")
    assert grey not in VERDICT_COLOURS.values()
    assert colours(maps(figure)[2])[0][0] == grey
    assert legend(figure) == ["healthy", "odd", CRITICAL]
