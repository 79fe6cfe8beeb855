"""The plane of two numeric settings, with the results that lie in each cell."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product

import numpy as np

from fanin.measure.percentiles import percentile
from fanin.measure.profile import Array
from fanin.measure.result import RunResult
from fanin.measure.statistics import GRADIENT, STD
from fanin.report.axis import Axis
from fanin.report.comparison import (
    Comparison,
    describe_count,
    describe_merged,
    has_replicas,
)

NO_RESULT = "no value"
"""The verdict of a cell without results."""
MAX_PLANES = 4
_CHI_TOLERANCE = 1e-6
"""Results whose chi differs by less than this differ only in their seed."""


@dataclass(frozen=True)
class PhasePlane:
    """The results at each combination of two numeric settings.

    x_axis, y_axis: those settings. others: further settings that all results of
    this plane share, name -> label. cells: results by [row][column].
    """

    x_axis: Axis
    y_axis: Axis
    others: dict[str, str]
    cells: Sequence[Sequence[Sequence[RunResult]]]

    @property
    def title(self) -> str:
        """The other settings, such as "activation=tanh"; empty if there are none."""
        return ", ".join(f"{name}={label}" for name, label in self.others.items())

    def medians(self, number: Callable[[RunResult], float]) -> Array:
        """(rows, columns): the median of each cell; inf if not finite, nan if unknown."""
        values = [[[number(r) for r in cell] or [math.nan] for cell in row] for row in self.cells]
        return np.array([[percentile(np.array(cell), 50) for cell in row] for row in values])

    @property
    def chi(self) -> Array:
        """(rows, columns): chi by theory; nan if unknown or not the same for all runs."""
        values = [[{read_chi(r) for r in cell} for cell in row] for row in self.cells]
        return np.array([[_common_value(cell) for cell in row] for row in values])

    @property
    def verdicts(self) -> list[list[str]]:
        """The most common verdict of each cell, [row][column]; NO_RESULT if it is empty."""
        return [[_most_common_verdict(cell) for cell in row] for row in self.cells]


def numeric_axes(comparison: Comparison) -> list[Axis]:
    return [axis for axis in comparison.axes if axis.is_numeric]


def make_planes(comparison: Comparison) -> list[PhasePlane]:
    """The planes of the first two numeric axes. The comparison must have at least two.

    There is a plane for each combination of the other settings, if there are few.
    """
    x_axis, y_axis = numeric_axes(comparison)[:2]
    others: list[Axis] = []
    for axis in comparison.axes:
        combinations = math.prod(len(each.labels) for each in [*others, axis])
        if axis not in (x_axis, y_axis) and combinations <= MAX_PLANES:
            others.append(axis)
    cells: dict[tuple[str, ...], list[RunResult]] = defaultdict(list)
    for result in comparison.results:
        cells[tuple(axis.label_of(result) for axis in (y_axis, x_axis, *others))].append(result)
    names = [axis.name for axis in others]
    return [
        PhasePlane(
            x_axis,
            y_axis,
            dict(zip(names, labels, strict=True)),
            [[cells.get((y, x, *labels), []) for x in x_axis.labels] for y in y_axis.labels],
        )
        for labels in product(*(axis.labels for axis in others))
    ]


def describe_cells(comparison: Comparison, planes: Sequence[PhasePlane]) -> str:
    """What a cell stands for; empty if each is a single network."""
    counts = [len(cell) for plane in planes for row in plane.cells for cell in row if cell]
    if max(counts) > 1:
        first = planes[0]
        shown = {first.x_axis.name, first.y_axis.name, *first.others}
        merged = [axis.name for axis in comparison.axes if axis.name not in shown]
        runs = describe_count(counts) + describe_merged(merged)
        return f"each cell shows the median of {runs}, and their most common verdict"
    return "each cell shows the median of the replicas" if has_replicas(comparison.results) else ""


def read_last_std(result: RunResult) -> float:
    """The std of the last layer's activations; inf if not finite, nan without layers."""
    profile = result.profile
    return _nan_to_inf(profile.curves[STD][-1]) if profile.depth else math.nan


def read_gradient_ratio(result: RunResult) -> float:
    """The first layer's gradient norm over the last's; inf if not finite, nan without layers."""
    profile = result.profile
    if not profile.depth:
        return math.nan
    first, last = map(_nan_to_inf, profile.curves[GRADIENT][[0, -1]])
    if math.isinf(first):
        return math.inf
    return first / last if last else 0.0


def read_chi(result: RunResult) -> float:
    """chi by theory; nan if unknown."""
    return result.profile.numbers.get("summary/theory_chi", math.nan)


def _nan_to_inf(value: float) -> float:
    return math.inf if math.isnan(value) else float(value)


def _common_value(values: AbstractSet[float]) -> float:
    if values and max(values) - min(values) < _CHI_TOLERANCE:
        return min(values)
    return math.nan


def _most_common_verdict(cell: Sequence[RunResult]) -> str:
    return Counter(r.verdict for r in cell).most_common(1)[0][0] if cell else NO_RESULT
