"""What all matplotlib figures share: size and fonts, places in inches, ticks, output files.

Places are inches from the upper left corner of the figure.
"""

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

FIGURE_WIDTH = 9.0
"""Inches: shown 900 pixels wide, 9 points are 12 pixels."""
MARGIN = 0.12
LINE_HEIGHT = 0.18
CHARACTER_WIDTH = 0.063
"""Inches that a line of small type, and one of its characters, usually take."""
SMALL_TYPE, NORMAL_TYPE, LARGE_TYPE = 8, 9, 11
STYLE: dict[Any, Any] = {
    "font.size": NORMAL_TYPE,
    "axes.titlesize": NORMAL_TYPE,
    "axes.titlelocation": "left",
    "axes.labelsize": NORMAL_TYPE,
    "axes.edgecolor": "0.4",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.7,
    "xtick.labelsize": SMALL_TYPE,
    "ytick.labelsize": SMALL_TYPE,
    "xtick.color": "0.4",
    "ytick.color": "0.4",
    "xtick.labelcolor": "0.15",
    "ytick.labelcolor": "0.15",
    "legend.fontsize": SMALL_TYPE,
    "legend.title_fontsize": NORMAL_TYPE,
    "legend.frameon": False,
    "legend.borderaxespad": 0,
    "text.parse_math": False,  # do not read $ as math
    "svg.fonttype": "none",  # keep text searchable and editable
    "svg.hashsalt": "fanin",
}
_DPI = 180
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MIN_POWER, _MAX_POWER = -307.0, 308.0
"""The powers of ten that an axis can reach."""
_MIN_DECADES = math.log10(5)
"""The least powers of ten that an axis spans, so that a constant looks constant."""
_MAX_STEPS = 6
"""The most steps between ticks that are powers of ten."""
_MAX_LABEL_LENGTH = 16


def new_figure(title: str, caption: str, body_height: float) -> tuple[Figure, float]:
    """Make a figure with a title and a caption; return it and the place where its body begins."""
    text_width = FIGURE_WIDTH - 2 * MARGIN
    title = textwrap.fill(title, int(text_width / CHARACTER_WIDTH * SMALL_TYPE / LARGE_TYPE))
    caption = textwrap.fill(caption, int(text_width / CHARACTER_WIDTH))
    caption_top = MARGIN + 1.5 * LINE_HEIGHT * (title.count("\n") + 1)
    body_top = caption_top + LINE_HEIGHT * len(caption.splitlines()) + 0.06
    figure = Figure(figsize=(FIGURE_WIDTH, body_top + body_height))
    add_text(figure, MARGIN, MARGIN, title, fontsize=LARGE_TYPE, weight="bold", va="top")
    add_text(figure, MARGIN, caption_top, caption, fontsize=SMALL_TYPE, color="0.3", va="top")
    return figure, body_top


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes with their upper left corner at a place."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def add_text(figure: Figure, left: float, top: float, text: str, **properties: Any) -> None:
    """Add a text, vertically centred at a place unless `va` is given."""
    wide, high = figure.get_size_inches()
    figure.text(left / wide, 1 - top / high, text, **{"va": "center", **properties})


def legend_at(figure: Figure, left: float, top: float) -> dict[str, Any]:
    """The arguments that put the upper left corner of a legend at a place."""
    wide, high = figure.get_size_inches()
    return {"loc": "upper left", "bbox_to_anchor": (left / wide, 1 - top / high)}


def remove_frame(axes: Axes) -> None:
    """Hide spines, grid and ticks."""
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_yticks([])


def log_limits(arrays: Iterable[Array]) -> tuple[float, float]:
    """Limits of a log axis for all positive finite values, with a margin; else (0.1, 10)."""
    shown = [values[np.isfinite(values) & (values > 0)] for values in arrays]
    logs = np.log10(np.concatenate([[], *shown]))
    low, high = (float(logs.min()), float(logs.max())) if len(logs) else (-1.0, 1.0)
    margin = max(0.05 * (high - low), (_MIN_DECADES - (high - low)) / 2)
    return 10 ** max(low - margin, _MIN_POWER), 10 ** min(high + margin, _MAX_POWER)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """A few round numbers from low to high, each with its label."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    if last - first >= 2:
        step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200) if (last - first) / s < _MAX_STEPS)
        powers = range(first - first % -step, last + 1, step)
        values = [float(f"1e{power}") for power in powers]
    else:
        values = [float(f"{n}e{power}") for power in range(first - 1, last + 1) for n in (1, 2, 5)]
        values = [value for value in values if low <= value <= high]
    if all(1e-3 <= value <= 1e4 for value in values):
        return {value: f"{value:g}" for value in values}
    return {value: _format_power(value) for value in values}


def _format_power(value: float) -> str:
    """A number of one digit as a power of ten, such as 10⁻³⁸ or 2·10⁵."""
    digits, _, exponent = f"{value:e}".partition("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if float(digits) == 1 else f"{float(digits):g}·{power}"


def set_log_y(axes: Axes, low: float, high: float, *, has_labels: bool) -> None:
    """Give the axes a log y axis from low to high."""
    ticks = log_ticks(low, high)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_yticks([*ticks], [*ticks.values()] if has_labels else [])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=2.5)


def label_positions(axis: Axis, labels: Sequence[str], length: float) -> None:
    """Label the positions 0, 1, 2 and so on of an axis that is `length` inches long.

    On a short axis only some positions are labelled, and labels across the page are turned.
    """
    labelled = _labelled_positions(labels, length)
    is_turned = isinstance(axis, XAxis) and _must_turn(labels, length)
    shown = [keep_end(labels[n], _MAX_LABEL_LENGTH) for n in labelled]
    axis.set_ticks(labelled, shown, rotation=90 if is_turned else 0)


def label_height(labels: Sequence[str], length: float) -> float:
    """The height in inches that `label_positions` needs below a horizontal axis."""
    widest = _widest_label(labels, length)
    return CHARACTER_WIDTH * widest + 0.1 if _must_turn(labels, length) else LINE_HEIGHT


def _labelled_positions(labels: Sequence[str], length: float) -> range:
    return range(0, len(labels), math.ceil(len(labels) * LINE_HEIGHT / length))


def _must_turn(labels: Sequence[str], length: float) -> bool:
    return CHARACTER_WIDTH * (_widest_label(labels, length) + 1) * len(labels) > length


def _widest_label(labels: Sequence[str], length: float) -> int:
    """The length of the longest label that is shown, in characters."""
    labelled = _labelled_positions(labels, length)
    return max(len(keep_end(labels[n], _MAX_LABEL_LENGTH)) for n in labelled)


def keep_end(text: str, max_length: int) -> str:
    """Shorten a long text at its beginning, since paths differ at their end."""
    return text if len(text) <= max_length else f"…{text[1 - max_length :]}"


def save_figure(figure: Figure, folder: Path, name: str) -> list[str]:
    """Write the figure as .png and .svg, and return both names. Equal figures give equal files.

    The .svg has proportions but no size: it fills the width of the page that shows it.
    """
    text = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the .svg keeps it as text
        figure.savefig(folder / f"{name}.png", dpi=_DPI)
        figure.savefig(text, format="svg", metadata={"Date": None})
    without_size = re.sub(
        r'(<svg [^>]*?) width="\S+" height="\S+"', r"\1", text.getvalue(), count=1
    )
    (folder / f"{name}.svg").write_text(without_size, encoding="utf-8")
    return [f"{name}.png", f"{name}.svg"]
