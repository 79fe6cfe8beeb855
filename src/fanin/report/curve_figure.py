"""The curve figure: std forward and gradient backward, layer by layer, in panels."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from fanin.measure.statistics import GRADIENT, STATISTICS, STD
from fanin.report.axis import Axis
from fanin.report.comparison import Comparison
from fanin.report.curve_legend import (
    draw_colour_legend,
    draw_mark_legend,
    legend_height,
    legend_width,
)
from fanin.report.curve_panel import (
    MAX_VERDICTS,
    VERDICT_HEIGHT,
    draw_line,
    set_layer_axis,
    write_verdicts,
)
from fanin.report.figure_layout import (
    CHARACTER_WIDTH,
    FIGURE_WIDTH,
    LINE_HEIGHT,
    MARGIN,
    STYLE,
    add_axes,
    add_text,
    log_limits,
    new_figure,
    save_figure,
    set_log_y,
)
from fanin.report.line import Curve, Line
from fanin.report.palette import LINE_COLOURS, Style, style_labels

_LEFT, _GAP, _TICKS_HEIGHT, _X_LABEL_HEIGHT = 0.78, 0.2, 0.24, 0.3
_PANEL_HEIGHTS = {1: 2.2, 2: 1.6}
"""The number of rows of panels -> the height of a panel."""
_MIN_PANEL_HEIGHT = 1.3
_MAX_COLUMNS = 4
_MAX_FACTOR = 1e10
"""Panels end at this factor from 1, so that one exploding line does not flatten the others."""


@dataclass(frozen=True)
class Block:
    """A curve that is drawn in one panel for each panel of the comparison."""

    curve: str
    y_label: str
    x_label: str
    is_backward: bool = False


BLOCKS = (
    Block(STD, STATISTICS[STD].label, "layer"),
    Block(
        GRADIENT,
        STATISTICS[GRADIENT].label,
        "layer   (the gradient travels ←)",
        is_backward=STATISTICS[GRADIENT].direction == "backward",
    ),
)


def draw_curves(comparison: Comparison, folder: Path) -> list[str]:
    """Write comparison.png and comparison.svg; return their names, none if no line has layers."""
    if not any(line.depth for line in comparison.lines):
        return []
    with rc_context(STYLE):
        return save_figure(build_figure(comparison), folder, "comparison")


@rc_context(STYLE)
def build_figure(comparison: Comparison) -> Figure:
    """Draw the figure of a comparison in which at least one line has layers."""
    panels = _panels_with_layers(comparison)
    lines = [line for panel_lines in panels.values() for line in panel_lines]
    colour_axis = comparison.colour_axis
    legend_left = FIGURE_WIDTH - legend_width(colour_axis)
    columns = _count_columns(comparison.panel_axes, [first for first, *_ in panels.values()])
    grid = _Grid.of([*panels], columns, legend_left - _GAP / 2)
    body = max(2 * grid.block_height, grid.title_height + legend_height(colour_axis))
    figure, top = new_figure(comparison.title, comparison.caption, body)
    styles = _style_lines(comparison)
    occurring: set[str] = set()
    for n, block in enumerate(BLOCKS):
        block_top = top + n * grid.block_height
        occurring |= _draw_block(figure, block, grid, block_top, [*panels.values()], styles)
    shown = [line.settings[colour_axis.name] for line in lines] if colour_axis else []
    legend_top = top + grid.title_height
    colours_end = draw_colour_legend(figure, colour_axis, shown, legend_left, legend_top)
    marks_top = max(colours_end, legend_top + grid.block_height)
    draw_mark_legend(figure, occurring, legend_left, marks_top)
    return figure


@dataclass(frozen=True)
class _Grid:
    """The panels of a block, in rows. Sizes and places are in inches; `right` is its right edge."""

    titles: Sequence[str]
    columns: int
    rows: int
    width: float
    height: float
    title_height: float
    right: float

    @staticmethod
    def of(titles: Sequence[str], columns: int, right: float) -> "_Grid":
        width = (right - _LEFT + _GAP) / columns - _GAP
        wrapped = [textwrap.fill(title, int(width / CHARACTER_WIDTH)) for title in titles]
        title_height = LINE_HEIGHT * max(len(title.splitlines()) for title in wrapped) + 0.08
        rows = math.ceil(len(titles) / columns)
        height = _PANEL_HEIGHTS.get(rows, _MIN_PANEL_HEIGHT)
        return _Grid(wrapped, columns, rows, width, height, title_height, right)

    @property
    def row_height(self) -> float:
        return self.title_height + self.height + _TICKS_HEIGHT

    @property
    def block_height(self) -> float:
        return self.rows * self.row_height + _X_LABEL_HEIGHT


def _draw_block(
    figure: Figure,
    block: Block,
    grid: _Grid,
    top: float,
    panels: Sequence[Sequence[Line]],
    styles: Mapping[Line, Style],
) -> set[str]:
    """Draw a block's panels, and return the MEANINGS that occur in them."""
    lines = [line for panel_lines in panels for line in panel_lines]
    limits = _limits(block, lines)
    depth = max(line.depth for line in lines)
    occurring: set[str] = set()
    for n, (title, panel_lines) in enumerate(zip(grid.titles, panels, strict=True)):
        row, column = divmod(n, grid.columns)
        left = _LEFT + column * (grid.width + _GAP)
        panel_top = top + row * grid.row_height + grid.title_height
        axes = add_axes(figure, left, panel_top, grid.width, grid.height)
        axes.set_title(title)
        set_log_y(axes, *limits, has_labels=column == 0)
        set_layer_axis(axes, depth)
        # Each line is thinner than the one below it, so that both can be seen.
        widths = np.linspace(2.2, 1.2, len(panel_lines)).tolist()
        for line, width in zip(panel_lines, widths, strict=True):
            curve, theory = line.curve(block.curve), line.curve(f"{block.curve}_theory")
            if curve:
                is_backward = block.is_backward
                meanings = draw_line(
                    axes, curve, theory, styles[line], width, is_backward=is_backward
                )
                occurring.update(meanings)
        if block.curve == STD and len(panel_lines) <= MAX_VERDICTS:
            write_verdicts(axes, panel_lines, styles)
    bottom = top + grid.rows * grid.row_height
    middle = (top + grid.title_height + bottom - _TICKS_HEIGHT) / 2
    add_text(figure, MARGIN, middle, block.y_label, rotation=90)
    add_text(figure, (_LEFT + grid.right) / 2, bottom + 0.08, block.x_label, ha="center")
    return occurring


def _panels_with_layers(comparison: Comparison) -> dict[str, list[Line]]:
    """The panels without lines of depth 0, and without those that have no other lines."""
    deep = {
        title: [line for line in lines if line.depth] for title, lines in comparison.panels.items()
    }
    return {title: lines for title, lines in deep.items() if lines}


def _style_lines(comparison: Comparison) -> dict[Line, Style]:
    colour_axis = comparison.colour_axis
    if colour_axis is None:
        return dict.fromkeys(comparison.lines, Style(LINE_COLOURS[0]))
    by_label = style_labels(colour_axis)
    return {line: by_label[line.settings[colour_axis.name]] for line in comparison.lines}


def _count_columns(panel_axes: Sequence[Axis], examples: Sequence[Line]) -> int:
    """The number of columns: as many as fit; the second of two panel axes goes left to right.

    examples: one line of each panel.
    """
    if len(panel_axes) > 1:
        across = len({line.settings[panel_axes[-1].name] for line in examples})
        if 1 < across <= _MAX_COLUMNS:
            return across
    return math.ceil(len(examples) / math.ceil(len(examples) / _MAX_COLUMNS))


def _limits(block: Block, lines: Sequence[Line]) -> tuple[float, float]:
    """The y limits of a block's panels."""
    low, high = _measured_limits([curve for line in lines if (curve := line.curve(block.curve))])
    if block.curve == STD and any(line.verdict != "healthy" for line in lines):
        # Leave room for a verdict above the highest line.
        return low, min(high * (high / low) ** VERDICT_HEIGHT, max(high, _MAX_FACTOR))
    return low, high


def _measured_limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """The limits without theory, which continues beyond float range."""
    parts = [part for curve in curves for part in (curve.middle, curve.low, curve.high)]
    low, high = log_limits([part for part in parts if part is not None])
    if low > _MAX_FACTOR or high < 1 / _MAX_FACTOR:  # every value lies beyond
        return low, high
    return max(low, 1 / _MAX_FACTOR), min(high, _MAX_FACTOR)
