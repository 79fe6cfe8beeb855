"""A curve in a dozen characters, for a cell of a table."""

from collections.abc import Sequence

import numpy as np

from fanin.measure.profile import Array

BLOCKS = "▁▂▃▄▅▆▇█"
ENDED = "x"
WIDTH = 12
_DECADES = 2
"""Of the scale at least, or the rounding of a steady curve would look like a cliff."""
_FARTHEST = 10
"""Decades from 1 at which the scale ends, or one that explodes would flatten all others."""


def sparklines(curves: Sequence[Array], width: int = WIDTH) -> list[str]:
    """Each curve, nan where it is not finite, on the log scale that all share; x from there on.

    A curve of more layers than `width` is shown at so many of them, evenly spread, the first and
    the last among them. What is 0 or less is as low as can be.
    """
    known = [np.log10(c[np.isfinite(c) & (c > 0)]) for c in curves]
    every = np.concatenate(known) if any(map(len, known)) else np.zeros(1)
    low, high = np.clip((every.min(), every.max()), -_FARTHEST, _FARTHEST)
    middle, half = (low + high) / 2, max(high - low, _DECADES) / 2
    return [_sparkline(_spread(curve, width), middle - half, middle + half) for curve in curves]


def _spread(curve: Array, width: int) -> Array:
    if len(curve) <= width:
        return curve
    shown: Array = curve[np.linspace(0, len(curve) - 1, width).round().astype(int)]
    return shown


def _sparkline(values: Array, low: float, high: float) -> str:
    finite = values[: int(np.argmin(np.isfinite(values)))] if np.isnan(values).any() else values
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = (np.log10(np.maximum(finite, 0)) - low) / (high - low)
    steps = np.clip((heights * len(BLOCKS)), 0, len(BLOCKS) - 1).astype(int)
    return "".join(BLOCKS[step] for step in steps) + (ENDED if len(finite) < len(values) else "")
