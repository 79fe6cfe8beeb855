"""The curves of a comparison as a picture: std forward and gradient back, layer by layer."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import AbstractPathEffect, withStroke

from fanin.measure.profile import Array
from fanin.measure.statistics import STATISTICS
from fanin.report.comparison import GRADIENT, STD, Axis, Comparison, Curve, Line
from fanin.report.palette import LINES, Style, styles
from fanin.report.picture import (
    CHARACTER,
    LINE,
    MARGIN,
    SMALL,
    STYLE,
    WIDTH,
    bare,
    clipped,
    corner,
    log_y,
    page,
    place,
    save,
    span,
    write,
)

BAND, THEORY, EXPECTED, NONFINITE, ZERO = "band", "theory", "expected", "nonfinite", "zero"
MEANINGS = {
    BAND: "middle two thirds",
    THEORY: "theory, infinite width",
    EXPECTED: "two thirds, by theory",
    NONFINITE: "no longer finite",
    ZERO: "exactly 0 from here",
}
_LEFT, _GAP, _TICKS, _X_LABEL = 0.78, 0.2, 0.24, 0.3
_HEIGHTS = {1: 2.2, 2: 1.6}
_LEAST_HEIGHT = 1.3
_COLUMNS = 4
_STRIP = 1.9
_LONGEST = 26
"""Characters of a value in the legend."""
_FARTHEST = 1e10
"""Times 1, or a share of it, at which panels end, or one that explodes would flatten all others."""
_MAX_WORDS = 6
"""Lines in a panel, each of which says at its end what became of it."""
_WORD = 0.2
"""Of a panel's width, that a word takes."""
_APART = 0.11
"""Of a panel's height, between two words."""
_STEPS = [step * ten for ten in (1, 10, 100, 1000, 10000) for step in (1, 2, 5)]
_HALO: list[AbstractPathEffect] = [withStroke(linewidth=2.5, foreground="white")]
_MARKS: dict[str, Any] = {
    NONFINITE: {"marker": "x", "markersize": 7, "markeredgewidth": 2, "linestyle": ""},
    ZERO: {"marker": "v", "markersize": 7, "markeredgecolor": "white", "linestyle": ""},
}


@dataclass(frozen=True)
class Block:
    """A curve that has a panel for each of the comparison's."""

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
    """Write comparison.png and comparison.svg, and give their names; none without any layers."""
    if not any(line.depth for line in comparison.lines):
        return []
    with rc_context(STYLE):
        return save(figure(comparison), folder, "comparison")


@rc_context(STYLE)
def figure(comparison: Comparison) -> Figure:
    """At least one line has layers."""
    panels = {
        title: deep
        for title, lines in comparison.panels.items()
        if (deep := [line for line in lines if line.depth])
    }
    looks = _looks(comparison)
    left = WIDTH - _legend_width(comparison.colour)
    right = left - _GAP / 2
    columns = _columns(comparison.panel, [lines[0] for lines in panels.values()])
    rows = math.ceil(len(panels) / columns)
    width = (right - _LEFT + _GAP) / columns - _GAP
    height = _HEIGHTS.get(rows, _LEAST_HEIGHT)
    titles = [textwrap.fill(title, int(width / CHARACTER)) for title in panels]
    above = LINE * max(len(title.splitlines()) for title in titles) + 0.08
    row_height = above + height + _TICKS
    block_height = rows * row_height + _X_LABEL
    body = max(2 * block_height, above + _legend_height(comparison.colour))
    result, top = page(comparison.title, comparison.explanation, body)

    depth = max(line.depth for lines in panels.values() for line in lines)
    occurring: set[str] = set()
    for n, block in enumerate(BLOCKS):
        curves = {line: line.curve(block.curve) for lines in panels.values() for line in lines}
        limits = _limits([curve for curve in curves.values() if curve])
        if block.curve == STD and any(line.verdict != "healthy" for line in curves):
            low, high = limits  # and room above for a word
            limits = low, min(high * (high / low) ** _APART, max(high, _FARTHEST))
        block_top = top + n * block_height
        for m, (title, lines) in enumerate(zip(titles, panels.values(), strict=True)):
            row, column = divmod(m, columns)
            panel_top = block_top + row * row_height + above
            axes = place(result, _LEFT + column * (width + _GAP), panel_top, width, height)
            axes.set_title(title)
            log_y(axes, *limits, labelled=column == 0)
            _layers(axes, depth)
            widths = np.linspace(2.2, 1.2, len(lines))  # one below another can still be seen
            for line, thick in zip(lines, widths.tolist(), strict=True):
                curve, theory = curves[line], line.curve(f"{block.curve}_theory")
                if curve:
                    occurring |= set(_draw(axes, curve, theory, block, looks[line], thick))
            if block.curve == STD and len(lines) <= _MAX_WORDS:
                _say_verdicts(axes, lines, looks)
        bottom = block_top + rows * row_height
        write(result, MARGIN, (block_top + above + bottom - _TICKS) / 2, block.y_label, rotation=90)
        write(result, (_LEFT + right) / 2, bottom + 0.08, block.x_label, ha="center")
    told = _tell_colours(result, comparison, [*curves], left, top + above)
    meanings = [meaning for meaning in MEANINGS if meaning in occurring]
    _tell(result, meanings, left, max(told, top + block_height + above))
    return result


def _looks(comparison: Comparison) -> dict[Line, Style]:
    colour = comparison.colour
    if colour is None:
        return dict.fromkeys(comparison.lines, Style(LINES[0]))
    by_value = styles(colour)
    return {line: by_value[line.settings[colour.name]] for line in comparison.lines}


def _columns(panel: Sequence[Axis], shown: Sequence[Line]) -> int:
    """As many as fit; of two settings, the second goes from left to right.

    shown: a line of each panel.
    """
    if len(panel) > 1:
        across = len({line.settings[panel[-1].name] for line in shown})
        if 1 < across <= _COLUMNS:
            return across
    return math.ceil(len(shown) / math.ceil(len(shown) / _COLUMNS))


def _legend_width(colour: Axis | None) -> float:
    texts = [*MEANINGS.values(), *([colour.name, *colour.values] if colour else [])]
    return 0.6 + CHARACTER * min(max(map(len, texts)), _LONGEST)


def _legend_height(colour: Axis | None) -> float:
    rows = len(colour.values) if colour and not colour.is_scale else 0
    return LINE * (rows + len(MEANINGS) + 3)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """For what was measured: theory goes on where the numbers of a computer end."""
    parts = [part for curve in curves for part in (curve.middle, curve.low, curve.high)]
    low, high = span([part for part in parts if part is not None])
    if low > _FARTHEST or high < 1 / _FARTHEST:  # nothing would be seen
        return low, high
    return max(low, 1 / _FARTHEST), min(high, _FARTHEST)


def _layers(axes: Axes, depth: int) -> None:
    step = next(step for step in _STEPS if depth <= 5 * step)
    axes.set_xticks([1, *range(max(step, 2), depth + 1, step)])
    room = max(0.02 * (depth - 1), 0.1)
    axes.set_xlim(1 - room, depth + room)


def _draw(
    axes: Axes, curve: Curve, theory: Curve | None, block: Block, look: Style, thick: float
) -> Iterator[str]:
    """Draw a line with all that belongs to it, and say which of the MEANINGS that takes."""
    floor, ceiling = axes.get_ylim()
    layers = np.arange(1, len(curve.middle) + 1)
    middle = _above(floor, curve.middle)
    axes.plot(
        layers,
        middle,
        color=look.colour,
        linewidth=thick,
        marker=look.marker or ("o" if np.isfinite(middle).sum() == 1 else ""),
        markersize=4,
        markevery=max(1, len(layers) // 8),
    )
    if curve.low is not None and curve.high is not None:
        high = np.where(np.isnan(curve.high), ceiling, curve.high)
        low = _above(floor, curve.low)
        axes.fill_between(layers, low, high, color=look.colour, alpha=0.2, linewidth=0)
        yield BAND
    elif theory and theory.low is not None and theory.high is not None:
        axes.fill_between(
            layers, theory.low, theory.high, color=look.colour, alpha=0.1, linewidth=0
        )
        yield EXPECTED
    if theory and np.isfinite(theory.middle).any():
        axes.plot(layers, theory.middle, "--", color=look.colour, linewidth=1)
        yield THEORY
    edges = {ZERO: floor, NONFINITE: ceiling}
    for meaning, layer, value in marks(curve.middle, block.is_backward):
        at = edges[meaning] if math.isnan(value) else np.clip(value, floor, ceiling)
        axes.plot(layer, at, color=look.colour, clip_on=False, zorder=4, **_MARKS[meaning])
        yield meaning


def _say_verdicts(axes: Axes, lines: Sequence[Line], looks: Mapping[Line, Style]) -> None:
    """Above the end of each line that is not healthy, and above one another."""
    floor, ceiling = np.log(axes.get_ylim())
    under = int(axes.get_xlim()[1] * _WORD)
    ends = []
    for line in lines:
        std = line.profile.curves[STD]
        (there,) = np.nonzero(std > 0)
        if line.verdict != "healthy" and len(there):
            height = (math.log(std[there][-under - 1 :].max()) - floor) / (ceiling - floor)
            ends.append((min(max(height, 0.0), 1.0), int(there[-1]) + 1, line))
    ends.sort(key=lambda end: end[0])
    heights = [height for height, _, _ in ends]
    for n in range(1, len(heights)):
        heights[n] = max(heights[n], heights[n - 1] + _APART)
    for height, (_, layer, line) in zip(heights, ends, strict=True):
        axes.text(
            layer,
            height + 0.02,
            line.verdict,
            transform=axes.get_xaxis_transform(),
            color=[0.6 * part for part in to_rgb(looks[line].colour)],
            fontsize=SMALL,
            ha="right" if layer > axes.get_xlim()[1] / 2 else "left",
            va="bottom" if height < 1 - _APART else "top",
            path_effects=_HALO,
        )


def _above(floor: float, values: Array) -> Array:
    """Zeros lie at the lower edge, since a log axis has no place for them."""
    return np.where(values == 0, floor, values)


def marks(values: Array, is_backward: bool) -> Iterator[tuple[str, int, float]]:
    """(meaning, layer, value) of where a signal on its way becomes 0 or leaves the numbers.

    The value is nan where there is none: at the upper edge for what is not finite, at the lower
    for 0.
    """
    layers = np.arange(1, len(values) + 1)
    if is_backward:
        layers, values = layers[::-1], values[::-1]
    if (values == 0).any():
        yield ZERO, int(layers[(values == 0).argmax()]), math.nan
    if np.isnan(values).any():
        last = int(np.isnan(values).argmax()) - 1
        if last < 0:
            yield NONFINITE, int(layers[0]), math.nan
        else:
            yield NONFINITE, int(layers[last]), float(values[last])


def _tell_colours(
    figure: Figure, comparison: Comparison, lines: Sequence[Line], left: float, top: float
) -> float:
    """What the colours stand for; the inches from the top at which that ends."""
    axis = comparison.colour
    if axis is None:
        return top
    looks = styles(axis)
    if axis.is_scale:
        return _strip(figure, axis, [look.colour for look in looks.values()], left, top)
    drawn = {line.settings[axis.name] for line in lines}
    shown = {value: look for value, look in looks.items() if value in drawn}
    figure.legend(
        [Line2D([], [], color=s.colour, marker=s.marker, markersize=4) for s in shown.values()],
        [clipped(value, _LONGEST) for value in shown],
        title=axis.name,
        alignment="left",
        **corner(figure, left, top),
    )
    return top + LINE * (len(shown) + 2)


def _strip(figure: Figure, axis: Axis, colours: Sequence[str], left: float, top: float) -> float:
    axes = place(figure, left + MARGIN, top + LINE, 0.16, _STRIP)
    colour_map = ListedColormap(colours)
    axes.imshow(np.arange(len(colours))[:, None], colour_map, aspect="auto", origin="lower")
    ranks = np.linspace(0, len(colours) - 1, 6).round().astype(int)
    bare(axes)
    axes.set_yticks(ranks, [axis.values[rank] for rank in ranks])
    axes.yaxis.tick_right()
    axes.set_title(axis.name)
    return top + LINE + _STRIP


def _tell(figure: Figure, meanings: Sequence[str], left: float, top: float) -> None:
    grey = {
        BAND: Patch(color="0.4", alpha=0.3, linewidth=0),
        EXPECTED: Patch(color="0.4", alpha=0.15, linewidth=0),
        THEORY: Line2D([], [], color="0.4", linestyle="--", linewidth=1),
        NONFINITE: Line2D([], [], color="0.4", **_MARKS[NONFINITE]),
        ZERO: Line2D([], [], color="0.4", **_MARKS[ZERO]),
    }
    figure.legend(
        [grey[meaning] for meaning in meanings],
        [MEANINGS[meaning] for meaning in meanings],
        **corner(figure, left, top),
    )
