"""The plane of two numbers as maps: what becomes of a signal at each of their combinations.

Rows and columns of cells are equally wide, whatever their values: these are as often spaced by
factors as evenly. The critical line runs between the middles of cells.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import AbstractPathEffect, withStroke

from fanin.measure.profile import Array, percentile
from fanin.measure.result import RunResult
from fanin.report.comparison import GRADIENT, STD, Axis, Comparison
from fanin.report.palette import VERDICTS
from fanin.report.figure_layout import (
    LINE,
    MARGIN,
    SMALL,
    STYLE,
    WIDTH,
    bare,
    corner,
    log_ticks,
    name_values,
    page,
    place,
    room_below,
    save,
    write,
)

COLOURS = "RdBu_r"
NONFINITE, MISSING, CRITICAL = "nonfinite", "no value", "critical line, χ = 1"
_FARTHEST, _NEAREST = 4.0, 0.5
"""Powers of ten from 1 at which colours end, at most and at least: what is beyond is as lost."""
_MAX_ROWS = 4
_SAME = 1e-6
"""Runs whose chi differs by less are of one network: seeds, but for rounding."""
_LEFT, _BETWEEN = 0.8, 0.25
_HEADING, _ROW_TITLE, _X_LABEL, _STRIP = 0.25, 0.27, 0.3, 0.13
_WIDTH = (WIDTH - MARGIN - _LEFT + _BETWEEN) / 3 - _BETWEEN
_OUTLINED = 400
"""So many cells are set apart by white lines."""
_WORD, _LETTER = 0.62, 0.15
"""Inches of a cell's width that a verdict's name needs, and its first letter."""
_HATCH: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.8", "hatch": "////", "linewidth": 0}
_HALO: list[AbstractPathEffect] = [withStroke(linewidth=3.2, foreground="white")]


@dataclass(frozen=True)
class Plane:
    """The outcomes of each cell, as [row][column].

    title: such as "activation=tanh"; empty where there is one plane only. told: the settings in it.
    """

    title: str
    told: Sequence[str]
    across: Axis
    up: Axis
    cells: Sequence[Sequence[Sequence[RunResult]]]

    def grid(self, number: Callable[[RunResult], float]) -> Array:
        """(rows, columns): the median of each cell; inf where not finite, nan where unknown."""
        jobs = [[[number(job) for job in cell] or [math.nan] for cell in row] for row in self.cells]
        return np.array([[percentile(np.array(cell), 50) for cell in row] for row in jobs])

    @property
    def chi(self) -> Array:
        """(rows, columns): that of theory; nan where it has none, or not one for all runs."""
        jobs = [[{chi(job) for job in cell} for cell in row] for row in self.cells]
        return np.array([[min(c) if _agree(c) else math.nan for c in row] for row in jobs])

    @property
    def verdicts(self) -> list[list[str]]:
        """The most common one of each cell; MISSING where it has no run."""
        return [[_most_common(cell) for cell in row] for row in self.cells]


def _agree(values: AbstractSet[float]) -> bool:
    return bool(values) and max(values) - min(values) < _SAME


def _most_common(cell: Sequence[RunResult]) -> str:
    return Counter(job.verdict for job in cell).most_common(1)[0][0] if cell else MISSING


def last_std(outcome: RunResult) -> float:
    """Of the activations; inf where not finite, nan without layers."""
    profile = outcome.profile
    return _measured(profile.curves[STD][-1]) if profile.depth else math.nan


def gradient_ratio(outcome: RunResult) -> float:
    """First layer's norm over the last's; inf where not finite, nan without layers."""
    profile = outcome.profile
    if not profile.depth:
        return math.nan
    first, last = map(_measured, profile.curves[GRADIENT][[0, -1]])
    if math.isinf(first):
        return math.inf
    return first / last if last else 0.0


def _measured(value: float) -> float:
    return math.inf if math.isnan(value) else float(value)


def chi(outcome: RunResult) -> float:
    """Of theory; nan where it has none."""
    return outcome.profile.numbers.get("summary/theory_chi", math.nan)


MAPS = {
    "std of activations, last layer": last_std,
    "gradient norm, first / last layer": gradient_ratio,
}


def draw_planes(comparison: Comparison, folder: Path) -> list[str]:
    """Write heatmap.png and heatmap.svg, and give their names; none unless two numbers vary."""
    if len(_numeric(comparison)) < 2:
        return []
    with rc_context(STYLE):
        return save(figure(comparison), folder, "heatmap")


@rc_context(STYLE)
def figure(comparison: Comparison) -> Figure:
    """At least two axes of the comparison are numbers."""
    planes = _planes(comparison)
    across, up = planes[0].across, planes[0].up
    height = min(max(0.3 * len(up.values), 1.6), 2.8)
    above = _ROW_TITLE if len(planes) > 1 else 0.0
    bottom = _HEADING + len(planes) * (above + height)
    foot = bottom + room_below(across.values, _WIDTH) + _X_LABEL
    numbers = [[plane.grid(number) for plane in planes] for number in MAPS.values()]
    verdicts = [plane.verdicts for plane in planes]
    maps = [[_by_size(grid, _reach(grids)) for grid in grids] for grids in numbers]
    maps.append([_by_verdict(words) for words in verdicts])
    occurring = {word for plane_words in verdicts for row in plane_words for word in row}
    sizes = np.concatenate([grid.ravel() for grids in numbers for grid in grids])
    occurring |= {NONFINITE} if np.isinf(sizes).any() else set()
    occurring |= {MISSING} if np.isnan(sizes).any() else set()
    legend = LINE * math.ceil((len(occurring) + 1) / 2) + 0.1
    result, top = page(comparison.title, _explanation(comparison, planes), foot + max(legend, 0.5))

    has_line = False
    for column, (heading, painted) in enumerate(zip([*MAPS, "verdict"], maps, strict=True)):
        left = _LEFT + column * (_WIDTH + _BETWEEN)
        write(result, left, top + 0.1, heading)
        for row, (plane, colours) in enumerate(zip(planes, painted, strict=True)):
            row_top = top + _HEADING + row * (above + height) + above
            axes = place(result, left, row_top, _WIDTH, height)
            _paint(axes, colours)
            has_line |= _draw_critical_line(axes, plane.chi)
            if column == 0:
                axes.set_title(plane.title, fontsize=SMALL)
                name_values(axes.yaxis, up.values, height)
                axes.set_ylabel(up.name)
            if column == len(MAPS):
                _write(axes, verdicts[row], _WIDTH / len(across.values))
        name_values(axes.xaxis, across.values, _WIDTH)
        axes.set_xlabel(across.name)
        if column < len(MAPS):
            _strip(result, left, top + foot + 0.1, _reach(numbers[column]))
    if has_line:
        occurring.add(CRITICAL)
    _tell(result, occurring, left, top + foot)
    return result


def _numeric(comparison: Comparison) -> list[Axis]:
    return [axis for axis in comparison.axes if axis.is_number]


def _planes(comparison: Comparison) -> list[Plane]:
    """One for each combination of the other settings, as long as these are few."""
    across, up = _numeric(comparison)[:2]
    words: list[Axis] = []
    for axis in comparison.axes:
        if axis not in (across, up) and _count([*words, axis]) <= _MAX_ROWS:
            words.append(axis)
    cells: dict[tuple[str, ...], list[RunResult]] = defaultdict(list)
    for outcome in comparison.outcomes:
        cells[tuple(axis.value_of(outcome) for axis in (up, across, *words))].append(outcome)
    return [
        Plane(
            ", ".join(f"{axis.name}={value}" for axis, value in zip(words, kind, strict=True)),
            [axis.name for axis in words],
            across,
            up,
            [[cells.get((y, x, *kind), []) for x in across.values] for y in up.values],
        )
        for kind in product(*(axis.values for axis in words))
    ]


def _count(axes: Sequence[Axis]) -> int:
    return math.prod(len(axis.values) for axis in axes)


def _explanation(comparison: Comparison, planes: Sequence[Plane]) -> str:
    """What a cell stands for; empty where it is a single network."""
    counts = {len(cell) for plane in planes for row in plane.cells for cell in row if cell}
    most, least = max(counts), min(counts)
    if most > 1:
        runs = f"{most}" if most == least else f"{least} to {most}"
        told = {planes[0].across.name, planes[0].up.name, *planes[0].told}
        merged = [axis.name for axis in comparison.axes if axis.name not in told]
        of_which = f" with any {' and '.join(merged)}" if merged else ""
        return f"a cell is the median of {runs} runs{of_which}, and the verdict of most of them"
    if any(outcome.params["replicas"] != "1" for outcome in comparison.outcomes):
        return "a cell is the median of the replicas"
    return ""


def _reach(grids: Sequence[Array]) -> float:
    """Powers of ten from 1 to the end of the colours, on either side."""
    values = np.concatenate([grid.ravel() for grid in grids])
    logs = np.abs(np.log10(values[np.isfinite(values) & (values > 0)]))
    return float(np.clip(logs.max(initial=0), _NEAREST, _FARTHEST))


def _by_size(grid: Array, reach: float) -> Array:
    """(rows, columns, 4): blue below 1, red above, none where there is no run."""
    with np.errstate(divide="ignore"):
        colours: Array = colormaps[COLOURS](0.5 + np.log10(grid) / reach / 2)
    colours[np.isinf(grid)] = to_rgba(VERDICTS[NONFINITE])
    colours[np.isnan(grid)] = 0
    return colours


def _by_verdict(words: Sequence[Sequence[str]]) -> Array:
    return np.array([[to_rgba(VERDICTS.get(word, "none")) for word in row] for row in words])


def _paint(axes: Axes, colours: Array) -> None:
    """A cell's middle is at its column and its row, from 0."""
    rows, columns, _ = colours.shape
    mesh = axes.pcolormesh(np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, colours)
    if rows * columns <= _OUTLINED:
        mesh.set(edgecolor="white", linewidth=0.6)
    bare(axes)
    axes.patch.set(**_HATCH)


def _draw_critical_line(axes: Axes, values: Array) -> bool:
    """Where chi is 1, out to the edges; whether it is anywhere."""
    known = np.ma.masked_invalid(np.pad(values, 1, mode="edge").round(6))
    if not known.min() < 1 < known.max():
        return False
    y, x = (np.array([-0.5, *range(count), count - 0.5]) for count in values.shape)
    lines = axes.contour(x, y, known, levels=[1], colors="black", linewidths=1.6)
    lines.set_path_effects(_HALO)
    return True


def _write(axes: Axes, words: Sequence[Sequence[str]], width: float) -> None:
    """Verdicts into their cells, or their first letters, where these are wide enough."""
    if width < _LETTER:
        return
    for row, cells in enumerate(words):
        for column, word in enumerate(cells):
            if word != MISSING:
                axes.text(
                    column,
                    row,
                    word if width >= _WORD else word[0],
                    color=_on(VERDICTS[word]),
                    fontsize=SMALL - 1,
                    ha="center",
                    va="center",
                    bbox={"facecolor": VERDICTS[word], "linewidth": 0, "pad": 0.7},
                )


def _on(background: str) -> str:
    """The colour of letters on it: black where that can be read."""
    red, green, blue = to_rgb(background)
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.38 else "white"


def _strip(figure: Figure, left: float, top: float, reach: float) -> None:
    """The colours of sizes, and which sizes these are."""
    axes = place(figure, left, top, _WIDTH, _STRIP)
    extent = (-reach, reach, 0, 1)
    axes.imshow(colormaps[COLOURS](np.linspace(0, 1, 256))[None], aspect="auto", extent=extent)
    bare(axes)
    ticks = log_ticks(10**-reach, 10**reach)
    labels = [*ticks.values()]
    if reach == _FARTHEST:
        labels[0], labels[-1] = f"≤ {labels[0]}", f"≥ {labels[-1]}"
    axes.set_xticks([math.log10(value) for value in ticks], labels)
    if reach == _FARTHEST:  # else they run into those of the next map
        first, *_, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")


def _tell(figure: Figure, occurring: AbstractSet[str], left: float, top: float) -> None:
    handles: dict[str, Artist] = {word: Patch(color=c) for word, c in VERDICTS.items()}
    handles[MISSING] = Patch(**_HATCH)
    handles[CRITICAL] = Line2D([], [], color="black", linewidth=1.6)
    shown = [meaning for meaning in handles if meaning in occurring]
    figure.legend(
        [handles[meaning] for meaning in shown],
        shown,
        ncols=2,
        handlelength=1.2,
        columnspacing=1,
        **corner(figure, left, top),
    )
