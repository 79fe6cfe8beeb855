"""Percentiles over replicas or runs; a value that is not finite ranks above all others."""

from collections.abc import Iterator, Mapping

import numpy as np

Array = np.ndarray

BAND = {"_low": 16, "_high": 84}
"""The companions of a curve, name ending -> percentile: the middle two thirds lie between them."""


def with_band(curves: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """(name, (depth,)): the median of each curve, (depth, replicas), and its band if replicas > 1.

    curves: at least one; all have the same shape.
    """
    stacked = np.stack(list(curves.values()))  # (curves, depth, replicas)
    endings = {"": 50} | (BAND if stacked.shape[-1] > 1 else {})
    for ending, percent in endings.items():
        values = percentile(stacked, percent)
        yield from zip([name + ending for name in curves], values, strict=True)


def percentile(values: Array, percent: float) -> Array:
    """Interpolated percentile along the last axis of the values that are not nan."""
    if values.shape[-1] == 1:
        return values[..., 0]
    ranked = np.sort(values, axis=-1)  # nan comes last
    last = np.maximum((~np.isnan(values)).sum(axis=-1, keepdims=True) - 1, 0)
    below, weight = np.divmod(percent / 100 * last, 1)
    low = np.take_along_axis(ranked, below.astype(int), axis=-1)
    high = np.take_along_axis(ranked, np.minimum(below.astype(int) + 1, last), axis=-1)
    with np.errstate(invalid="ignore"):  # inf - inf
        between = low + weight * (high - low)
    result: Array = np.where((weight == 0) | (low == high), low, between)
    return result[..., 0]
