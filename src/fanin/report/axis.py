"""A setting in which results differ, with its values in the order of figures."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from fanin.measure.params import Params, format_value, is_number
from fanin.measure.result import RunResult

MAX_COLOURS = 10
"""The most values that can each have their own colour."""
MISSING = "-"
"""The label for a setting that a run does not have."""


@dataclass(frozen=True)
class Axis:
    """A setting and its values.

    labels: the values as texts; numbers by size, others in the order of the sweep. numbers: the
    value of each label, if all values are numbers; the largest value if the label is a range.
    """

    name: str
    labels: tuple[str, ...]
    numbers: tuple[float, ...] = ()

    @property
    def is_numeric(self) -> bool:
        return len(self.numbers) > 0

    @property
    def has_colour_scale(self) -> bool:
        """Whether there are so many values that a continuous colour scale shows them."""
        return self.is_numeric and len(self.labels) > MAX_COLOURS

    def grouped(self, count: int) -> "Axis":
        """This numeric axis with its values in `count` ranges of equally many values."""
        ranges = np.array_split(np.arange(len(self.labels)), count)
        return Axis(
            self.name,
            tuple(f"{self.labels[each[0]]} to {self.labels[each[-1]]}" for each in ranges),
            tuple(self.numbers[each[-1]] for each in ranges),
        )

    def label_of(self, result: RunResult) -> str:
        """The label of the result's value, or of the range that holds it."""
        if not self.is_numeric:
            return format_setting(result.params, self.name)
        value = cast(float, result.params[self.name])
        return self.labels[bisect_left(self.numbers, value)]


def make_axis(name: str, results: Sequence[RunResult]) -> Axis:
    """The axis of a setting; numeric if every result has a finite number for it."""
    values = [result.params.get(name) for result in results]
    numbers = [cast(float, value) for value in values if is_number(value)]
    if len(numbers) == len(values) and all(map(math.isfinite, numbers)):
        in_order = sorted(set(numbers))
        return Axis(name, tuple(map(format_value, in_order)), tuple(in_order))
    labels = dict.fromkeys(format_setting(result.params, name) for result in results)
    return Axis(name, tuple(labels))


def format_setting(params: Params, name: str) -> str:
    """The text of a param's value; MISSING if the run lacks it."""
    return format_value(params[name]) if name in params else MISSING
