"""Colours that people with any colour vision can tell apart, for lines and for verdicts.

Lines have ten colours (Petroff 2021, "Accessible color sequences for data visualization"), or
cividis if they show numbers. Verdicts have the colours of Okabe and Ito (2008).
"""

from dataclasses import dataclass

from matplotlib import colormaps, colors

from fanin.report.axis import Axis

LINE_COLOURS = (
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
"""No marker for the first ten lines, "o" for the second ten, and so on."""
COLOUR_SCALE = "cividis"
_LIGHTEST = 0.9
"""The part of the scale that is visible on white."""
VERDICT_COLOURS = {
    "healthy": "#009e73",
    "collapsed": "#56b4e9",
    "vanishing": "#0072b2",
    "saturated": "#e69f00",
    "exploding": "#d55e00",
    "dead": "#000000",
    "nonfinite": "#cc79a7",
}
_UNKNOWN_VERDICT = "#999999"


@dataclass(frozen=True)
class Style:
    """The look of a line. marker: matplotlib's name for it, "" for none."""

    colour: str
    marker: str = ""


def style_labels(axis: Axis | None) -> dict[str, Style]:
    """The style of each label of the colour axis; numbers go from dark to light."""
    if axis is None:
        return {}
    if axis.is_numeric:
        return dict(zip(axis.labels, map(Style, _spread_colours(len(axis.labels))), strict=True))
    count = len(LINE_COLOURS)
    return {
        label: Style(LINE_COLOURS[n % count], MARKERS[n // count % len(MARKERS)])
        for n, label in enumerate(axis.labels)
    }


def verdict_colour(verdict: str) -> str:
    """The colour of a verdict; grey if this version does not know it."""
    return VERDICT_COLOURS.get(verdict, _UNKNOWN_VERDICT)


def _spread_colours(count: int) -> list[str]:
    """Colours by rank, not by size, since sweeps space values by factors as often as evenly."""
    last = max(count - 1, 1)
    return [colors.to_hex(colormaps[COLOUR_SCALE](_LIGHTEST * n / last)) for n in range(count)]
