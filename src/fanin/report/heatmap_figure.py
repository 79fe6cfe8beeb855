"""The heatmap figure: the signal at each combination of two numeric settings.

All cells have the same size whatever their values, since sweeps space values by factors as often as
evenly. The critical line is interpolated between the middles of cells.
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
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

from fanin.measure.profile import Array
from fanin.report.comparison import Comparison
from fanin.report.figure_layout import (
    FIGURE_WIDTH,
    LINE_HEIGHT,
    MARGIN,
    SMALL_TYPE,
    STYLE,
    add_axes,
    add_text,
    label_height,
    label_positions,
    legend_at,
    log_ticks,
    new_figure,
    remove_frame,
    save_figure,
)
from fanin.report.palette import VERDICT_COLOURS, verdict_colour
from fanin.report.phase_plane import (
    NO_RESULT,
    describe_cells,
    make_planes,
    numeric_axes,
    read_gradient_ratio,
    read_last_std,
)

NUMBERS = {
    "std of activations, last layer": read_last_std,
    "gradient norm, first / last layer": read_gradient_ratio,
}
"""The maps of numbers, by heading; a map of verdicts comes last."""
COLOUR_MAP = "RdBu_r"
NONFINITE, CRITICAL = "nonfinite", "critical line, χ = 1"
_MAX_DECADES, _MIN_DECADES = 4.0, 0.5
"""The bounds of the decades from 1 to either end of the colours; a signal beyond is lost."""
_LEFT, _GAP = 0.8, 0.25
_HEADING_HEIGHT, _TITLE_HEIGHT, _X_LABEL_HEIGHT, _SCALE_HEIGHT = 0.25, 0.27, 0.3, 0.13
_MAP_WIDTH = (FIGURE_WIDTH - MARGIN - _LEFT + _GAP) / 3 - _GAP
_MAX_OUTLINED = 400
"""The most cells of a map in which white lines separate the cells."""
_WORD_WIDTH, _LETTER_WIDTH = 0.62, 0.15
"""The width in inches that a cell needs for a verdict, and for its first letter."""
_EMPTY_CELL: dict[str, Any] = {
    "facecolor": "white",
    "edgecolor": "0.8",
    "hatch": "////",
    "linewidth": 0,
}
_HALO: list[AbstractPathEffect] = [withStroke(linewidth=3.2, foreground="white")]


def draw_heatmaps(comparison: Comparison, folder: Path) -> list[str]:
    """Write heatmap.png and heatmap.svg; return their names, or none unless two numbers vary."""
    if len(numeric_axes(comparison)) < 2:
        return []
    with rc_context(STYLE):
        return save_figure(build_figure(comparison), folder, "heatmap")


@rc_context(STYLE)
def build_figure(comparison: Comparison) -> Figure:
    """Draw the figure of a comparison with at least two numeric axes: a column for each map."""
    planes = make_planes(comparison)
    x_axis, y_axis = planes[0].x_axis, planes[0].y_axis
    height = min(max(0.3 * len(y_axis.labels), 1.6), 2.8)
    title_height = _TITLE_HEIGHT if len(planes) > 1 else 0.0
    row_height = title_height + height
    maps_height = _HEADING_HEIGHT + len(planes) * row_height
    maps_height += label_height(x_axis.labels, _MAP_WIDTH) + _X_LABEL_HEIGHT
    grids = [[plane.medians(number) for plane in planes] for number in NUMBERS.values()]
    verdicts = [plane.verdicts for plane in planes]
    occurring = _find_meanings(grids, verdicts)
    legend = max(LINE_HEIGHT * math.ceil((len(occurring) + 1) / 2) + 0.1, 0.5)
    caption = describe_cells(comparison, planes)
    figure, top = new_figure(comparison.title, caption, maps_height + legend)
    scales_top = top + maps_height

    maps = [[_colour_numbers(grid, _decades(column)) for grid in column] for column in grids]
    maps.append([_colour_verdicts(words) for words in verdicts])
    for column, (heading, colours) in enumerate(zip([*NUMBERS, "verdict"], maps, strict=True)):
        left = _LEFT + column * (_MAP_WIDTH + _GAP)
        add_text(figure, left, top + 0.1, heading)
        for row, plane in enumerate(planes):
            map_top = top + _HEADING_HEIGHT + row * row_height + title_height
            axes = add_axes(figure, left, map_top, _MAP_WIDTH, height)
            _draw_cells(axes, colours[row])
            if _draw_critical_line(axes, plane.chi):
                occurring.add(CRITICAL)
            if column == 0:
                axes.set_title(plane.title, fontsize=SMALL_TYPE)
                label_positions(axes.yaxis, y_axis.labels, height)
                axes.set_ylabel(y_axis.name)
            if column == len(NUMBERS):
                _write_verdicts(axes, verdicts[row], _MAP_WIDTH / len(x_axis.labels))
        label_positions(axes.xaxis, x_axis.labels, _MAP_WIDTH)
        axes.set_xlabel(x_axis.name)
        if column < len(NUMBERS):
            _draw_scale(figure, left, scales_top + 0.1, _decades(grids[column]))
    _draw_legend(figure, occurring, left, scales_top)
    return figure


def _find_meanings(
    grids: Sequence[Sequence[Array]], verdicts: Sequence[Sequence[Sequence[str]]]
) -> set[str]:
    """What the legend must explain: the verdicts, cells that are not finite, empty cells."""
    occurring = {word for words in verdicts for row in words for word in row}
    values = np.concatenate([grid.ravel() for column in grids for grid in column])
    if np.isinf(values).any():
        occurring.add(NONFINITE)
    if np.isnan(values).any():
        occurring.add(NO_RESULT)
    return occurring


def _decades(grids: Sequence[Array]) -> float:
    """The decades from 1 to either end of the colours."""
    values = np.concatenate([grid.ravel() for grid in grids])
    logs = np.abs(np.log10(values[np.isfinite(values) & (values > 0)]))
    return float(np.clip(logs.max(initial=0), _MIN_DECADES, _MAX_DECADES))


def _colour_numbers(grid: Array, decades: float) -> Array:
    """(rows, columns, 4): blue below 1, red above, transparent if unknown."""
    with np.errstate(divide="ignore"):
        colours: Array = colormaps[COLOUR_MAP](0.5 + np.log10(grid) / decades / 2)
    colours[np.isinf(grid)] = to_rgba(verdict_colour(NONFINITE))
    colours[np.isnan(grid)] = 0
    return colours


def _colour_verdicts(words: Sequence[Sequence[str]]) -> Array:
    """(rows, columns, 4): the colours of the verdicts, transparent for cells without a result."""
    return np.array(
        [
            [to_rgba("none" if word == NO_RESULT else verdict_colour(word)) for word in row]
            for row in words
        ]
    )


def _draw_cells(axes: Axes, colours: Array) -> None:
    """Draw the cells; the middle of each is at its column and row, counted from 0."""
    rows, columns, _ = colours.shape
    mesh = axes.pcolormesh(np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, colours)
    if rows * columns <= _MAX_OUTLINED:
        mesh.set(edgecolor="white", linewidth=0.6)
    remove_frame(axes)
    axes.patch.set(**_EMPTY_CELL)


def _draw_critical_line(axes: Axes, chi: Array) -> bool:
    """Draw the line where chi, (rows, columns), is 1; return whether there is one."""
    padded = np.ma.masked_invalid(np.pad(chi, 1, mode="edge").round(6))
    if not padded.min() < 1 < padded.max():
        return False
    y, x = (np.array([-0.5, *range(count), count - 0.5]) for count in chi.shape)
    lines = axes.contour(x, y, padded, levels=[1], colors="black", linewidths=1.6)
    lines.set_path_effects(_HALO)
    return True


def _write_verdicts(axes: Axes, words: Sequence[Sequence[str]], cell_width: float) -> None:
    """Write verdicts, or their first letters, into cells that are wide enough."""
    if cell_width < _LETTER_WIDTH:
        return
    for row, cells in enumerate(words):
        for column, word in enumerate(cells):
            if word != NO_RESULT:
                colour = verdict_colour(word)
                axes.text(
                    column,
                    row,
                    word if cell_width >= _WORD_WIDTH else word[:1],
                    color=_contrasting_colour(colour),
                    fontsize=SMALL_TYPE - 1,
                    ha="center",
                    va="center",
                    bbox={"facecolor": colour, "linewidth": 0, "pad": 0.7},
                )


def _contrasting_colour(background: str) -> str:
    red, green, blue = to_rgb(background)
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.38 else "white"


def _draw_scale(figure: Figure, left: float, top: float, decades: float) -> None:
    """Draw the colour scale."""
    axes = add_axes(figure, left, top, _MAP_WIDTH, _SCALE_HEIGHT)
    extent = (-decades, decades, 0, 1)
    axes.imshow(colormaps[COLOUR_MAP](np.linspace(0, 1, 256))[None], aspect="auto", extent=extent)
    remove_frame(axes)
    ticks = log_ticks(10**-decades, 10**decades)
    labels = [*ticks.values()]
    if decades == _MAX_DECADES:
        labels[0], labels[-1] = f"≤ {labels[0]}", f"≥ {labels[-1]}"
    axes.set_xticks([math.log10(value) for value in ticks], labels)
    if decades == _MAX_DECADES:  # else they overlap those of the next map
        first, *_, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")


def _draw_legend(figure: Figure, occurring: AbstractSet[str], left: float, top: float) -> None:
    special: dict[str, Artist] = {
        NO_RESULT: Patch(**_EMPTY_CELL),
        CRITICAL: Line2D([], [], color="black", linewidth=1.6),
    }
    known = [word for word in VERDICT_COLOURS if word in occurring]
    unknown = sorted(occurring - {*VERDICT_COLOURS, *special})
    handles: dict[str, Artist] = {
        word: Patch(color=verdict_colour(word)) for word in [*known, *unknown]
    }
    handles |= {word: handle for word, handle in special.items() if word in occurring}
    figure.legend(
        [*handles.values()],
        [*handles],
        ncols=2,
        handlelength=1.2,
        columnspacing=1,
        **legend_at(figure, left, top),
    )
