"""Colours that people with any colour vision can tell apart, and who has which.

Ten for lines (Petroff 2021, "Accessible color sequences for data visualization"), cividis for a
scale of numbers, and the eight of Okabe and Ito (2008) for verdicts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import colormaps, colors

from fanin.report.comparison import Axis

LINES = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#832db6",
    "#94a4a2",
    "#a96b59",
    "#e76300",
    "#717581",
    "#b9ac70",
    "#92dadd",
)
MARKERS = ("", "o", "s", "^", "D")
"""Of the second ten lines and so on."""
SCALE = "cividis"
_LIGHTEST = 0.9
"""Of the scale, on white."""
VERDICTS = {
    "healthy": "#009e73",
    "collapsed": "#56b4e9",
    "vanishing": "#0072b2",
    "saturated": "#e69f00",
    "exploding": "#d55e00",
    "dead": "#000000",
    "nonfinite": "#cc79a7",
}


@dataclass(frozen=True)
class Style:
    """How a line looks. marker: in matplotlib's words, "" for none."""

    colour: str
    marker: str = ""


def styles(axis: Axis | None) -> dict[str, Style]:
    """For each value of the axis that colours tell; numbers go from dark to light."""
    if axis is None:
        return {}
    if axis.is_number:
        return dict(zip(axis.values, map(Style, _scale(axis.positions)), strict=True))
    count = len(LINES)
    return {
        value: Style(LINES[n % count], MARKERS[n // count % len(MARKERS)])
        for n, value in enumerate(axis.values)
    }


def _scale(positions: Sequence[float]) -> list[str]:
    """By rank: values are as often spaced by factors as evenly."""
    last = max(len(positions) - 1, 1)
    return [colors.to_hex(colormaps[SCALE](_LIGHTEST * n / last)) for n in range(len(positions))]
