"""The timing figure: milliseconds of a forward and a backward pass, by each setting that varies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fanin.measure.profile import Array
from fanin.measure.result import RunResult
from fanin.report.axis import Axis
from fanin.report.comparison import Comparison
from fanin.report.figure_layout import (
    FIGURE_WIDTH,
    MARGIN,
    STYLE,
    add_axes,
    add_text,
    label_height,
    label_positions,
    legend_at,
    log_limits,
    new_figure,
    save_figure,
    set_log_y,
)
from fanin.report.palette import LINE_COLOURS

PASSES = {"forward": "summary/forward_ms", "backward": "summary/backward_ms"}
PASS_COLOURS = {"forward": LINE_COLOURS[0], "backward": LINE_COLOURS[2]}
MAX_VALUES = 20
"""The most values of a numeric axis that is not divided into ranges."""
_RANGES = 10
_MAX_COLUMNS = 2
_LEFT, _GAP, _HEIGHT = 0.8, 0.25, 2.1
_TITLE_HEIGHT, _MARGIN_BELOW, _LEGEND_HEIGHT = 0.25, 0.12, 0.25
_OFFSETS = {"forward": -0.2, "backward": 0.2}
"""The offset of a pass from the middle of a value's place, which is 1 wide."""
_SPREAD = 0.17
"""The distance of a pass's dots to either side of their middle."""
_DOT: dict[str, Any] = {
    "marker": "o",
    "markersize": 4.5,
    "alpha": 0.6,
    "markeredgewidth": 0,
    "linestyle": "",
}
_MEDIAN: dict[str, Any] = {"color": "0.1", "linewidth": 1.6}
_CAPTION = "each dot is a run; each bar is the median of the runs with the value below it"


def draw_timings(comparison: Comparison, folder: Path) -> list[str]:
    """Write timings.png and timings.svg; return their names, or none if no setting varies."""
    if not comparison.axes:
        return []
    with rc_context(STYLE):
        return save_figure(build_figure(comparison), folder, "timings")


@rc_context(STYLE)
def build_figure(comparison: Comparison) -> Figure:
    """Draw the figure of a comparison with at least one axis: a panel for each axis."""
    axes = [
        axis.grouped(_RANGES) if axis.is_numeric and len(axis.labels) > MAX_VALUES else axis
        for axis in comparison.axes
    ]
    limits = log_limits([_read_times(comparison.results, number) for number in PASSES.values()])
    columns = min(_MAX_COLUMNS, len(axes))
    width = (FIGURE_WIDTH - _LEFT - MARGIN + _GAP) / columns - _GAP
    rows = [axes[n : n + columns] for n in range(0, len(axes), columns)]
    label_heights = [max(label_height(axis.labels, width) for axis in row) for row in rows]
    row_heights = [_TITLE_HEIGHT + _HEIGHT + labels + _MARGIN_BELOW for labels in label_heights]
    figure, top = new_figure(comparison.title, _CAPTION, _LEGEND_HEIGHT + sum(row_heights))
    _draw_legend(figure, top + 0.05)
    top += _LEGEND_HEIGHT
    for row, row_height in zip(rows, row_heights, strict=True):
        panel_top = top + _TITLE_HEIGHT
        for column, axis in enumerate(row):
            panel = add_axes(figure, _LEFT + column * (width + _GAP), panel_top, width, _HEIGHT)
            set_log_y(panel, *limits, has_labels=column == 0)
            label_positions(panel.xaxis, axis.labels, width)
            panel.set_xlim(-0.6, len(axis.labels) - 0.4)
            panel.set_title(axis.name)
            panel.grid(visible=False, axis="x")
            for name in PASSES:
                _draw_times(panel, axis, comparison.results, name)
        add_text(figure, MARGIN, panel_top + _HEIGHT / 2, "milliseconds per pass", rotation=90)
        top += row_height
    return figure


def _draw_legend(figure: Figure, top: float) -> None:
    dots = [Line2D([], [], color=colour, **_DOT) for colour in PASS_COLOURS.values()]
    figure.legend(
        [*dots, Line2D([], [], **_MEDIAN)],
        [*PASS_COLOURS, "median"],
        ncols=3,
        **legend_at(figure, _LEFT, top),
    )


def _read_times(results: Sequence[RunResult], number: str) -> Array:
    """(results,): milliseconds."""
    return np.array([result.profile.numbers[number] for result in results])


def _draw_times(panel: Axes, axis: Axis, results: Sequence[RunResult], name: str) -> None:
    """Draw the times of a pass as dots, side by side in the order of the sweep at each value."""
    groups: dict[str, list[RunResult]] = {label: [] for label in axis.labels}
    for result in results:
        groups[axis.label_of(result)].append(result)
    times = [_read_times(group, PASSES[name]) for group in groups.values()]
    middles = np.arange(len(times)) + _OFFSETS[name]
    offsets = [np.linspace(-_SPREAD, _SPREAD, len(group) + 2)[1:-1] for group in times]
    x = np.concatenate([middle + some for middle, some in zip(middles, offsets, strict=True)])
    panel.plot(x, np.concatenate(times), color=PASS_COLOURS[name], **_DOT)
    medians = [np.median(group) for group in times]
    panel.hlines(medians, middles - _SPREAD, middles + _SPREAD, zorder=3, **_MEDIAN)
