"""What all pictures share: their size and type, how numbers stand on an axis, how they are kept."""

import io
import math
import re
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fanin.measure.profile import Array

WIDTH = 9.0
"""Inches: shown 900 pixels wide, 9 points are 12 pixels."""
MARGIN = 0.12
LINE = 0.18
CHARACTER = 0.063
"""Inches that a line of small type and one of its characters take, seldom more."""
SMALL, USUAL, LARGE = 8, 9, 11
STYLE: dict[Any, Any] = {
    "font.size": USUAL,
    "axes.titlesize": USUAL,
    "axes.titlelocation": "left",
    "axes.labelsize": USUAL,
    "axes.edgecolor": "0.4",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.7,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": "0.4",
    "ytick.color": "0.4",
    "xtick.labelcolor": "0.15",
    "ytick.labelcolor": "0.15",
    "legend.fontsize": SMALL,
    "legend.title_fontsize": USUAL,
    "legend.frameon": False,
    "legend.borderaxespad": 0,
    "text.parse_math": False,  # a $ in a value is a $
    "svg.fonttype": "none",  # text that can be searched and edited
    "svg.hashsalt": "fanin",
}
_DPI = 180
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LEAST, _MOST = -307.0, 308.0
"""Powers of ten that an axis can reach."""
_NARROWEST = math.log10(5)
"""An axis spans at least this factor, so that a constant looks like one."""
_TICKS = 6
_LONGEST = 16


def page(title: str, small: str, body: float) -> tuple[Figure, float]:
    """A figure with a title, and a text in small type below it.

    body: the inches wanted below these. With the figure comes where its body begins, in inches
    from the top.
    """
    title = textwrap.fill(title, int((WIDTH - 2 * MARGIN) / CHARACTER * SMALL / LARGE))
    small = textwrap.fill(small, int((WIDTH - 2 * MARGIN) / CHARACTER))
    below = MARGIN + 1.5 * LINE * (title.count("\n") + 1)
    begins = below + LINE * len(small.splitlines()) + 0.06
    figure = Figure(figsize=(WIDTH, begins + body))
    write(figure, MARGIN, MARGIN, title, fontsize=LARGE, weight="bold", va="top")
    write(figure, MARGIN, below, small, fontsize=SMALL, color="0.3", va="top")
    return figure, begins


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the upper left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def write(figure: Figure, left: float, top: float, text: str, **how: Any) -> None:
    """A text at a place in inches, its middle there."""
    wide, high = figure.get_size_inches()
    figure.text(left / wide, 1 - top / high, text, **{"va": "center", **how})


def corner(figure: Figure, left: float, top: float) -> dict[str, Any]:
    """For a legend: where its upper left corner is to be."""
    wide, high = figure.get_size_inches()
    return {"loc": "upper left", "bbox_to_anchor": (left / wide, 1 - top / high)}


def bare(axes: Axes) -> None:
    """Without spines, grid and ticks."""
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_yticks([])


def span(values: Iterable[Array]) -> tuple[float, float]:
    """Limits for all values that a log axis can show, with some room; (0.1, 10) for none."""
    shown = [some[np.isfinite(some) & (some > 0)] for some in values]
    logs = np.log10(np.concatenate([[], *shown]))
    low, high = (float(logs.min()), float(logs.max())) if len(logs) else (-1.0, 1.0)
    room = max(0.05 * (high - low), (_NARROWEST - (high - low)) / 2)
    return 10 ** max(low - room, _LEAST), 10 ** min(high + room, _MOST)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Few numbers between the two, and how they are written."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last - first >= 2:
        step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200) if (last - first) / s < _TICKS)
        powers = range(first - first % -step, last + 1, step)
        values = [float(f"1e{power}") for power in powers]
    else:
        values = [float(f"{n}e{power}") for power in range(first - 1, last + 1) for n in (1, 2, 5)]
        values = [value for value in values if low <= value <= high]
    if all(1e-3 <= value <= 1e4 for value in values):
        return {value: f"{value:g}" for value in values}
    return {value: _power(value) for value in values}


def _power(value: float) -> str:
    """Such as 10⁻³⁸ or 2·10⁵."""
    digits, _, exponent = f"{value:e}".partition("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if float(digits) == 1 else f"{float(digits):g}·{power}"


def log_y(axes: Axes, low: float, high: float, *, labelled: bool) -> None:
    """Make the y axis a log one from low to high."""
    ticks = log_ticks(low, high)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_yticks([*ticks], [*ticks.values()] if labelled else [])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=2.5)


def name_values(axis: Axis, values: Sequence[str], length: float) -> None:
    """Name the places 0, 1, 2 and so on of an axis; not all, and turned, where it is too short.

    length: of the axis, in inches.
    """
    named = _named(values, length)
    is_turned = isinstance(axis, XAxis) and _is_wide(values, length)
    labels = [clipped(values[n], _LONGEST) for n in named]
    axis.set_ticks(named, labels, rotation=90 if is_turned else 0)


def room_below(values: Sequence[str], length: float) -> float:
    """The inches that `name_values` takes below an axis that goes across."""
    widest = max(len(clipped(values[n], _LONGEST)) for n in _named(values, length))
    return CHARACTER * widest + 0.1 if _is_wide(values, length) else LINE


def _named(values: Sequence[str], length: float) -> range:
    return range(0, len(values), math.ceil(len(values) * LINE / length))


def _is_wide(values: Sequence[str], length: float) -> bool:
    named = _named(values, length)
    widest = max(len(clipped(values[n], _LONGEST)) for n in named)
    return CHARACTER * (widest + 1) * len(values) > length


def clipped(text: str, most: int) -> str:
    """The end of a text that is too long, since paths differ there."""
    return text if len(text) <= most else f"…{text[1 - most :]}"


def save(figure: Figure, folder: Path, name: str) -> list[str]:
    """Write the figure as .png and .svg; the names of both files. Equal figures, equal files.

    The .svg has proportions and no size of its own: it is as wide as the place that it is shown in.
    """
    text = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the .svg has it as text
        figure.savefig(folder / f"{name}.png", dpi=_DPI)
        figure.savefig(text, format="svg", metadata={"Date": None})
    sized = re.sub(r'(<svg [^>]*?) width="\S+" height="\S+"', r"\1", text.getvalue(), count=1)
    (folder / f"{name}.svg").write_text(sized, encoding="utf-8")
    return [f"{name}.png", f"{name}.svg"]
