"""The legends of the curve figure, for its colours and its marks."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fanin.report.axis import Axis
from fanin.report.curve_panel import (
    BAND,
    EXPECTED,
    MARK_STYLES,
    MEANINGS,
    NONFINITE,
    THEORY,
    ZERO,
)
from fanin.report.figure_layout import (
    CHARACTER_WIDTH,
    LINE_HEIGHT,
    MARGIN,
    add_axes,
    keep_end,
    legend_at,
    remove_frame,
)
from fanin.report.palette import style_labels

_SCALE_WIDTH, _SCALE_HEIGHT, _SCALE_TICKS = 0.16, 1.9, 6
_MAX_LABEL_LENGTH = 26


def legend_width(colour_axis: Axis | None) -> float:
    """The width of both legends in inches."""
    texts = [*MEANINGS.values()]
    if colour_axis:
        texts += [colour_axis.name, *colour_axis.labels]
    return 0.6 + CHARACTER_WIDTH * min(max(map(len, texts)), _MAX_LABEL_LENGTH)


def legend_height(colour_axis: Axis | None) -> float:
    """The largest height of both legends in inches."""
    has_rows = colour_axis is not None and not colour_axis.has_colour_scale
    rows = len(colour_axis.labels) if colour_axis and has_rows else 0
    return LINE_HEIGHT * (rows + len(MEANINGS) + 3)


def draw_colour_legend(
    figure: Figure, axis: Axis | None, shown: Iterable[str], left: float, top: float
) -> float:
    """Draw the legend of colours, and return the place where it ends.

    shown: the labels of the axis that occur.
    """
    if axis is None:
        return top
    styles = style_labels(axis)
    if axis.has_colour_scale:
        return _draw_scale(figure, axis, [style.colour for style in styles.values()], left, top)
    occurring = {*shown}
    labels = [label for label in axis.labels if label in occurring]
    figure.legend(
        [
            Line2D([], [], color=style.colour, marker=style.marker, markersize=4)
            for style in (styles[label] for label in labels)
        ],
        [keep_end(label, _MAX_LABEL_LENGTH) for label in labels],
        title=axis.name,
        alignment="left",
        **legend_at(figure, left, top),
    )
    return top + LINE_HEIGHT * (len(labels) + 2)


def _draw_scale(
    figure: Figure, axis: Axis, colours: Sequence[str], left: float, top: float
) -> float:
    axes = add_axes(figure, left + MARGIN, top + LINE_HEIGHT, _SCALE_WIDTH, _SCALE_HEIGHT)
    colour_map = ListedColormap(colours)
    axes.imshow(np.arange(len(colours))[:, None], colour_map, aspect="auto", origin="lower")
    ranks = np.linspace(0, len(colours) - 1, _SCALE_TICKS).round().astype(int)
    remove_frame(axes)
    axes.set_yticks(ranks, [axis.labels[rank] for rank in ranks])
    axes.yaxis.tick_right()
    axes.set_title(axis.name)
    return top + LINE_HEIGHT + _SCALE_HEIGHT


def draw_mark_legend(figure: Figure, meanings: Iterable[str], left: float, top: float) -> None:
    """Draw the legend of bands, dashes and marks: those of the MEANINGS that occur."""
    samples = {
        BAND: Patch(color="0.4", alpha=0.3, linewidth=0),
        EXPECTED: Patch(color="0.4", alpha=0.15, linewidth=0),
        THEORY: Line2D([], [], color="0.4", linestyle="--", linewidth=1),
        NONFINITE: Line2D([], [], color="0.4", **MARK_STYLES[NONFINITE]),
        ZERO: Line2D([], [], color="0.4", **MARK_STYLES[ZERO]),
    }
    occurring = {*meanings}
    shown = [meaning for meaning in MEANINGS if meaning in occurring]
    figure.legend(
        [samples[meaning] for meaning in shown],
        [MEANINGS[meaning] for meaning in shown],
        **legend_at(figure, left, top),
    )
