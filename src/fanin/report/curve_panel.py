"""A panel of the curve figure: the lines in it, where their signal ends, and their verdicts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patheffects import AbstractPathEffect, withStroke

from fanin.measure.profile import Array
from fanin.measure.statistics import STD
from fanin.report.figure_layout import SMALL_TYPE
from fanin.report.line import Curve, Line
from fanin.report.palette import Style

BAND, THEORY, EXPECTED, NONFINITE, ZERO = "band", "theory", "expected", "nonfinite", "zero"
MEANINGS = {
    BAND: "middle two thirds",
    THEORY: "theory, infinite width",
    EXPECTED: "two thirds, by theory",
    NONFINITE: "no longer finite",
    ZERO: "exactly 0 from here",
}
"""The legend's text for each kind of mark."""
MARK_STYLES: dict[str, dict[str, Any]] = {
    NONFINITE: {"marker": "x", "markersize": 7, "markeredgewidth": 2, "linestyle": ""},
    ZERO: {"marker": "v", "markersize": 7, "markeredgecolor": "white", "linestyle": ""},
}
_TICK_STEPS = [step * ten for ten in (1, 10, 100, 1000, 10000) for step in (1, 2, 5)]
MAX_VERDICTS = 6
"""The most lines in a panel for which there is room for verdicts."""
_VERDICT_WIDTH = 0.2
"""The width of a verdict, as a share of the panel's width."""
VERDICT_HEIGHT = 0.11
"""The distance between verdicts, as a share of the panel's height."""
_HALO: list[AbstractPathEffect] = [withStroke(linewidth=2.5, foreground="white")]


def set_layer_axis(axes: Axes, depth: int) -> None:
    """Give the axes an x axis of layers, 1 to depth."""
    step = next(step for step in _TICK_STEPS if depth <= 5 * step)
    axes.set_xticks([1, *range(max(step, 2), depth + 1, step)])
    margin = max(0.02 * (depth - 1), 0.1)
    axes.set_xlim(1 - margin, depth + margin)


def draw_line(
    axes: Axes, curve: Curve, theory: Curve | None, style: Style, width: float, *, is_backward: bool
) -> Iterator[str]:
    """Draw a curve with its band, its theory and its end; yield the MEANINGS that occur."""
    bottom, top = axes.get_ylim()
    layers = np.arange(1, len(curve.middle) + 1)
    middle = _raise_zeros(curve.middle, bottom)
    axes.plot(
        layers,
        middle,
        color=style.colour,
        linewidth=width,
        marker=style.marker or ("o" if np.isfinite(middle).sum() == 1 else ""),
        markersize=4,
        markevery=max(1, len(layers) // 8),
    )
    if curve.low is not None and curve.high is not None:
        high = np.where(np.isnan(curve.high), top, curve.high)
        low = _raise_zeros(curve.low, bottom)
        axes.fill_between(layers, low, high, color=style.colour, alpha=0.2, linewidth=0)
        yield BAND
    elif theory and theory.low is not None and theory.high is not None:
        axes.fill_between(
            layers, theory.low, theory.high, color=style.colour, alpha=0.1, linewidth=0
        )
        yield EXPECTED
    if theory and np.isfinite(theory.middle).any():
        axes.plot(layers, theory.middle, "--", color=style.colour, linewidth=1)
        yield THEORY
    edges = {ZERO: bottom, NONFINITE: top}
    for meaning, layer, value in find_ends(curve.middle, is_backward=is_backward):
        height = edges[meaning] if math.isnan(value) else np.clip(value, bottom, top)
        axes.plot(
            layer, height, color=style.colour, clip_on=False, zorder=4, **MARK_STYLES[meaning]
        )
        yield meaning


def find_ends(values: Array, *, is_backward: bool) -> Iterator[tuple[str, int, float]]:
    """Yield (meaning, layer, value) where a signal becomes 0 or stops being finite on its way.

    values: (depth,). The yielded value is nan if a log axis cannot show it: the mark then belongs
    at the upper edge for NONFINITE, at the lower edge for ZERO.
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


def write_verdicts(axes: Axes, lines: Sequence[Line], styles: Mapping[Line, Style]) -> None:
    """Write the verdict above the end of each line that is not healthy, without overlaps."""
    bottom, top = np.log(axes.get_ylim())
    layers_below = int(axes.get_xlim()[1] * _VERDICT_WIDTH)
    ends = []
    for line in lines:
        std = line.profile.curves[STD]
        (positive,) = np.nonzero(std > 0)
        if line.verdict != "healthy" and len(positive):
            highest = math.log(std[positive][-layers_below - 1 :].max())
            height = (highest - bottom) / (top - bottom)
            ends.append((min(max(height, 0.0), 1.0), int(positive[-1]) + 1, line))
    ends.sort(key=lambda end: end[0])
    heights = [height for height, _, _ in ends]
    for n in range(1, len(heights)):
        heights[n] = max(heights[n], heights[n - 1] + VERDICT_HEIGHT)
    for height, (_, layer, line) in zip(heights, ends, strict=True):
        axes.text(
            layer,
            height + 0.02,
            line.verdict,
            transform=axes.get_xaxis_transform(),
            color=[0.6 * part for part in to_rgb(styles[line].colour)],
            fontsize=SMALL_TYPE,
            ha="right" if layer > axes.get_xlim()[1] / 2 else "left",
            va="bottom" if height < 1 - VERDICT_HEIGHT else "top",
            path_effects=_HALO,
        )


def _raise_zeros(values: Array, bottom: float) -> Array:
    """Move zeros to the lower edge, since a log axis cannot show them."""
    return np.where(values == 0, bottom, values)
