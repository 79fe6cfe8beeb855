"""A line of a figure: one result, or several that are shown as their median with a band."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fanin.measure.profile import Array, Profile, median
from fanin.measure.result import RunResult
from fanin.measure.verdict import explanation, verdict
from fanin.report.axis import format_setting

CORRELATION = "activation/correlation"


@dataclass(frozen=True)
class Curve:
    """A quantity by layer, each array (depth,), nan for layers without a finite value.

    low, high: the middle two thirds of several results or replicas lie between them.
    """

    middle: Array
    low: Array | None = None
    high: Array | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last finite value; nan if there is none."""
        finite = self.middle[np.isfinite(self.middle)]
        return (float(finite[0]), float(finite[-1])) if len(finite) else (math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Line:
    """Results that are shown as one.

    settings: those they share, name -> label. results: at least one.
    """

    settings: dict[str, str]
    results: Sequence[RunResult]

    @cached_property
    def profile(self) -> Profile:
        """The profile of the result; for several results, their median as if they were replicas."""
        return median([result.profile for result in self.results])

    @property
    def depth(self) -> int:
        return self.profile.depth

    @property
    def label(self) -> str:
        """The settings in one line, such as "init=xavier depth=50"."""
        return " ".join(f"{name}={value}" for name, value in self.settings.items())

    def label_of(self, setting: str) -> str:
        """The label of a setting; the first result's if the line has none."""
        return self.settings.get(setting, format_setting(self.results[0].params, setting))

    @cached_property
    def verdict(self) -> str:
        """The verdict on the result, or on the median of several."""
        return self.results[0].verdict if len(self.results) == 1 else verdict(self.profile)

    @property
    def verdict_summary(self) -> str:
        """The verdict, and how many results share it if not all do: "healthy, 9 of 10"."""
        agreeing = sum(result.verdict == self.verdict for result in self.results)
        count = len(self.results)
        return self.verdict + (f", {agreeing} of {count}" if agreeing < count else "")

    @property
    def explanation(self) -> str:
        """The measurement behind the verdict, in a sentence."""
        return self.results[0].explanation if len(self.results) == 1 else explanation(self.profile)

    @property
    def advice(self) -> str | None:
        """What to try instead: the advice of the first result with the line's verdict."""
        return next((r.advice for r in self.results if r.verdict == self.verdict), None)

    def curve(self, name: str) -> Curve | None:
        """The curve with its band, if it has one; None if no result has the curve."""
        curves = self.profile.curves
        if name not in curves:
            return None
        return Curve(curves[name], curves.get(f"{name}_low"), curves.get(f"{name}_high"))

    def number(self, name: str) -> float:
        """The number, or the median of several; nan if no result has it."""
        return self.profile.numbers.get(name, math.nan)
