"""A setting in which results differ, with its values in the order in which figures show them."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from fanin.measure.params import Params, format_value, is_number
from fanin.measure.result import RunResult

MAX_COLOURS = 10
"""More values than these cannot each have a colour of their own."""
MISSING = "-"
"""What stands for a setting that a run does not have."""


@dataclass(frozen=True)
class Axis:
    """A setting and its values.

    labels: the values as texts; numbers by size, others in the order of the sweep. numbers: the
    value of each label, where all values are numbers; the largest one where the label is a range.
    """

    name: str
    labels: tuple[str, ...]
    numbers: tuple[float, ...] = ()

    @property
    def is_numeric(self) -> bool:
        return len(self.numbers) > 0

    @property
    def has_colour_scale(self) -> bool:
        """Whether a continuous scale of colours shows its values, since they are too many."""
        return self.is_numeric and len(self.labels) > MAX_COLOURS

    def grouped(self, count: int) -> "Axis":
        """This numeric axis with its values in `count` ranges, as many values in each."""
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
    """The axis of a setting; numeric where every result has a finite number for it."""
    values = [result.params.get(name) for result in results]
    numbers = [cast(float, value) for value in values if is_number(value)]
    if len(numbers) == len(values) and all(map(math.isfinite, numbers)):
        in_order = sorted(set(numbers))
        return Axis(name, tuple(map(format_value, in_order)), tuple(in_order))
    labels = dict.fromkeys(format_setting(result.params, name) for result in results)
    return Axis(name, tuple(labels))


def format_setting(params: Params, name: str) -> str:
    """The text of a param's value; MISSING where there is none."""
    return format_value(params[name]) if name in params else MISSING
