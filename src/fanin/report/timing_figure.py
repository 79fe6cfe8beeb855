"""What a pass costs by what varies in a sweep, as a picture."""

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
from fanin.report.comparison import Axis, Comparison
from fanin.report.palette import LINES
from fanin.report.figure_layout import (
    MARGIN,
    STYLE,
    WIDTH,
    corner,
    log_y,
    name_values,
    page,
    place,
    room_below,
    save,
    span,
    write,
)

PASSES = {"forward": "summary/forward_ms", "backward": "summary/backward_ms"}
COLOURS = {"forward": LINES[0], "backward": LINES[2]}
MAX_VALUES = 20
_BINS = 10
_COLUMNS = 2
_LEFT, _GAP, _ABOVE, _NAME, _LEGEND, _HEIGHT = 0.8, 0.25, 0.25, 0.12, 0.25, 2.1
_ASIDE = {"forward": -0.2, "backward": 0.2}
_SPREAD = 0.17
"""Of a value's place: how far to either side of their middle the dots of a pass lie."""
_DOTS: dict[str, Any] = {
    "marker": "o",
    "markersize": 4.5,
    "alpha": 0.6,
    "markeredgewidth": 0,
    "linestyle": "",
}
_MEDIAN: dict[str, Any] = {"color": "0.1", "linewidth": 1.6}
_EXPLANATION = "a dot is a run; a bar the median of those that share the value below it"


def draw_times(comparison: Comparison, folder: Path) -> list[str]:
    """Write timings.png and timings.svg, and give their names; none where no setting varies."""
    if not comparison.axes:
        return []
    with rc_context(STYLE):
        return save(figure(comparison), folder, "timings")


@rc_context(STYLE)
def figure(comparison: Comparison) -> Figure:
    """At least one setting varies."""
    axes = [
        a.binned(_BINS) if len(a.values) > MAX_VALUES and a.is_number else a
        for a in comparison.axes
    ]
    limits = span([_times(comparison.outcomes, number) for number in PASSES.values()])
    columns = min(_COLUMNS, len(axes))
    width = (WIDTH - _LEFT - MARGIN + _GAP) / columns - _GAP
    rows = [axes[n : n + columns] for n in range(0, len(axes), columns)]
    below = [max(room_below(axis.values, width) for axis in row) + _NAME for row in rows]
    body = _LEGEND + sum(_ABOVE + _HEIGHT + room for room in below)
    result, top = page(comparison.title, _EXPLANATION, body)
    result.legend(
        [
            *(Line2D([], [], color=colour, **_DOTS) for colour in COLOURS.values()),
            Line2D([], [], **_MEDIAN),
        ],
        [*COLOURS, "median"],
        ncols=3,
        **corner(result, _LEFT, top + 0.05),
    )
    top += _LEGEND
    for row, room in zip(rows, below, strict=True):
        for column, axis in enumerate(row):
            panel = place(result, _LEFT + column * (width + _GAP), top + _ABOVE, width, _HEIGHT)
            log_y(panel, *limits, labelled=column == 0)
            name_values(panel.xaxis, axis.values, width)
            panel.set_xlim(-0.6, len(axis.values) - 0.4)
            panel.set_title(axis.name)
            panel.grid(visible=False, axis="x")
            for name, number in PASSES.items():
                _draw(panel, axis, comparison.outcomes, name, number)
        write(result, MARGIN, top + _ABOVE + _HEIGHT / 2, "milliseconds a pass", rotation=90)
        top += _ABOVE + _HEIGHT + room
    return result


def _times(outcomes: Sequence[RunResult], number: str) -> Array:
    return np.array([outcome.profile.numbers[number] for outcome in outcomes])


def _draw(panel: Axes, axis: Axis, outcomes: Sequence[RunResult], name: str, number: str) -> None:
    """The times of a pass as dots, those of a value side by side in the order of the sweep."""
    by_value: dict[str, list[RunResult]] = {value: [] for value in axis.values}
    for outcome in outcomes:
        by_value[axis.value_of(outcome)].append(outcome)
    times = [_times(some, number) for some in by_value.values()]
    middles = np.arange(len(times)) + _ASIDE[name]
    spreads = [np.linspace(-_SPREAD, _SPREAD, len(some) + 2)[1:-1] for some in times]
    places = np.concatenate([middle + some for middle, some in zip(middles, spreads, strict=True)])
    panel.plot(places, np.concatenate(times), color=COLOURS[name], **_DOTS)
    medians = [np.median(some) for some in times]
    panel.hlines(medians, middles - _SPREAD, middles + _SPREAD, zorder=3, **_MEDIAN)
