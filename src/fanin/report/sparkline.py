"""A curve in a dozen characters, for a cell of a table."""

from collections.abc import Sequence

import numpy as np

from fanin.measure.profile import Array

BLOCKS = "▁▂▃▄▅▆▇█"
NONFINITE = "x"
WIDTH = 12
_MIN_DECADES = 2
"""The least decades of the scale, so that rounding in a steady curve does not look steep."""
_MAX_DECADES = 10
"""The most decades from 1 to an end of the scale, so that one curve cannot flatten the rest."""


def make_sparklines(curves: Sequence[Array], width: int = WIDTH) -> list[str]:
    """Draw each curve in blocks on a shared log scale, with an x where it stops being finite.

    curves: each (depth,), nan if not finite. A curve of more layers than `width` is sampled at
    `width` layers, evenly spaced from the first to the last. Values of 0 or less are lowest.
    """
    logs = [np.log10(curve[np.isfinite(curve) & (curve > 0)]) for curve in curves]
    joined = np.concatenate(logs) if any(map(len, logs)) else np.zeros(1)
    low, high = np.clip((joined.min(), joined.max()), -_MAX_DECADES, _MAX_DECADES)
    middle, half = (low + high) / 2, max(high - low, _MIN_DECADES) / 2
    return [_draw(_pick_layers(curve, width), middle - half, middle + half) for curve in curves]


def _pick_layers(curve: Array, width: int) -> Array:
    if len(curve) <= width:
        return curve
    picked: Array = curve[np.linspace(0, len(curve) - 1, width).round().astype(int)]
    return picked


def _draw(values: Array, low: float, high: float) -> str:
    """low, high: the ends of the scale, in powers of ten."""
    finite = values[: int(np.argmin(np.isfinite(values)))] if np.isnan(values).any() else values
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = (np.log10(np.maximum(finite, 0)) - low) / (high - low)
    steps = np.clip((heights * len(BLOCKS)), 0, len(BLOCKS) - 1).astype(int)
    end = NONFINITE if len(finite) < len(values) else ""
    return "".join(BLOCKS[step] for step in steps) + end
