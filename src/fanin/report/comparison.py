"""A comparison: which jobs make a line together, and what its colour and its panel tell.

Jobs that differ in their seed only are one line, their median with a band; and so are jobs
beyond what an eye can hold apart. A figure of a thousand jobs has tens of lines.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fanin.measure.profile import Array, Profile, median
from fanin.measure.result import RunResult
from fanin.measure.verdict import explanation, verdict

SEEDS = ("seed", "data.seed")
MAX_COLOURS = 10
MAX_PANELS = 16
MAX_LINES = 40
"""In a panel; and of a number, the most values that a scale of colours tells apart."""
BINS = 8
_BAND = "its band where two thirds of them lie"

STD, GRADIENT = "activation/std", "gradient/preactivation_norm"
CORRELATION = "activation/correlation"


@dataclass(frozen=True)
class Axis:
    """A setting in which jobs differ.

    values: as texts; numbers by size, others in the order of the sweep. positions: of numbers,
    where they lie; of a range of them, its middle.
    """

    name: str
    values: tuple[str, ...]
    positions: tuple[float, ...] = ()

    @property
    def is_number(self) -> bool:
        return len(self.positions) > 0

    @property
    def is_scale(self) -> bool:
        """Whether its values are too many for a colour each, and share a scale of colours."""
        return self.is_number and len(self.values) > MAX_COLOURS

    def binned(self, count: int) -> "Axis":
        """The same with neighbouring numbers taken together, as many in each."""
        parts = np.array_split(np.arange(len(self.values)), count)
        return Axis(
            self.name,
            tuple(f"{self.values[part[0]]} to {self.values[part[-1]]}" for part in parts),
            tuple(float(np.mean([self.positions[n] for n in part])) for part in parts),
        )

    def value_of(self, outcome: RunResult) -> str:
        """Which of the values a job has, or which range of them."""
        value = outcome.params.get(self.name, "-")
        if value in self.values:
            return value
        return next(v for v in self.values if _lies_in(float(value), v))


@dataclass(frozen=True)
class Curve:
    """A value a layer, nan where there is none; and a band, where the middle two thirds lie."""

    middle: Array
    low: Array | None = None
    high: Array | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last finite value; nan where it has none."""
        finite = self.middle[np.isfinite(self.middle)]
        return (float(finite[0]), float(finite[-1])) if len(finite) else (math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Line:
    """Jobs that are shown as one.

    settings: what they share, as an axis' name -> one of its values. outcomes: at least one.
    """

    settings: dict[str, str]
    outcomes: Sequence[RunResult]

    @cached_property
    def profile(self) -> Profile:
        """Of several jobs, their median, as of replicas."""
        return median([outcome.profile for outcome in self.outcomes])

    @property
    def depth(self) -> int:
        return self.profile.depth

    @property
    def label(self) -> str:
        """Such as "init=xavier depth=50"."""
        return " ".join(f"{name}={value}" for name, value in self.settings.items())

    @property
    def verdict(self) -> str:
        return self.outcome.verdict

    @property
    def agreement(self) -> str:
        """Its verdict, and how many of its jobs have it where not all do: "healthy, 9 of 10"."""
        alike = sum(job.verdict == self.verdict for job in self.outcomes)
        count = len(self.outcomes)
        return self.verdict + (f", {alike} of {count}" if alike < count else "")

    @cached_property
    def outcome(self) -> RunResult:
        """Of several jobs, what would be said of their median; to try, what one of them has."""
        one, *others = self.outcomes
        if not others:
            return one
        word = verdict(self.profile)
        advice = next((job.advice for job in self.outcomes if job.verdict == word), None)
        params = {**one.params, **self.settings}
        return RunResult(params, self.profile, word, explanation(self.profile), advice)

    def curve(self, name: str) -> Curve | None:
        """With the band of its jobs or replicas where there are several. None where it has none."""
        curves = self.profile.curves
        if name not in curves:
            return None
        return Curve(curves[name], curves.get(f"{name}_low"), curves.get(f"{name}_high"))

    def number(self, name: str) -> float:
        """Of several jobs, the median; nan where none has it."""
        return self.profile.numbers.get(name, math.nan)


@dataclass(frozen=True)
class Comparison:
    """Jobs as they are to be shown.

    axes: the settings in which they differ, but for seeds. colour, panel: what the colour of a
    line tells, and what the panel that it is in does. lines: in the order of the sweep.
    """

    title: str
    outcomes: Sequence[RunResult]
    axes: Sequence[Axis]
    colour: Axis | None
    panel: Sequence[Axis]
    lines: Sequence[Line]

    @cached_property
    def panels(self) -> dict[str, list[Line]]:
        """The lines of each panel by its title, such as "depth=50"; "" where there is but one."""
        panels: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            panels[", ".join(f"{a.name}={line.settings[a.name]}" for a in self.panel)].append(line)
        return panels

    @property
    def explanation(self) -> str:
        """What a line and its band stand for; empty where a line is a single network."""
        shown = self.lines[0].settings
        told = {axis.name for axis in (self.colour, *self.panel) if axis}
        alike = [name for name in shown if name not in told]
        merged = [axis.name for axis in self.axes if axis.name not in shown]
        differ = [f"lines of one colour differ in {' and '.join(alike)}"] if alike else []
        counts = sorted({len(line.outcomes) for line in self.lines})
        if counts[-1] > 1:
            most, least = counts[-1], counts[0]
            runs = f"{most} runs" if most == least else f"{least} to {most} runs"
            of_which = f" with any {' and '.join(merged)}" if merged else ""
            return "; ".join([f"a line is the median of {runs}{of_which}, {_BAND}", *differ])
        if any(outcome.params["replicas"] != "1" for outcome in self.outcomes):
            return "; ".join([f"a line is the median of the replicas, {_BAND}", *differ])
        return "".join(differ)


def compare(outcomes: Sequence[RunResult], settings: Sequence[str], title: str) -> Comparison:
    """outcomes: at least one. settings: those in which the jobs differ."""
    found = [_axis(name, outcomes) for name in settings if name not in SEEDS]
    axes = [axis for axis in found if len(axis.values) > 1]
    colour, panel = _roles(axes)
    told = [*([colour] if colour else []), *panel]
    untold = [axis for axis in axes if axis.name not in {t.name for t in told}]
    comparison = _comparison(title, outcomes, axes, colour, panel, [*told, *untold])
    if max(map(len, comparison.panels.values())) > MAX_LINES:
        comparison = _comparison(title, outcomes, axes, colour, panel, told)
    return comparison


def _comparison(
    title: str,
    outcomes: Sequence[RunResult],
    axes: Sequence[Axis],
    colour: Axis | None,
    panel: Sequence[Axis],
    shown: Sequence[Axis],
) -> Comparison:
    """One line for all jobs that agree on the axes shown."""
    named = {axis.name: axis for axis in shown}
    order = [axis.name for axis in axes if axis.name in named]
    lines: dict[tuple[str, ...], list[RunResult]] = defaultdict(list)
    for outcome in outcomes:
        lines[tuple(named[name].value_of(outcome) for name in order)].append(outcome)
    made = [Line(dict(zip(order, values, strict=True)), jobs) for values, jobs in lines.items()]
    return Comparison(title, outcomes, axes, colour, panel, made)


def _roles(axes: Sequence[Axis]) -> tuple[Axis | None, list[Axis]]:
    """What colours tell, and what panels do.

    Colours tell few values apart, and not depths, which a curve shows by its length.
    """
    can_be_told = [axis for axis in axes if axis.is_number or len(axis.values) <= MAX_LINES]
    if not can_be_told:
        return None, []
    colour, *others = sorted(
        can_be_told, key=lambda a: (a.name == "depth", len(a.values) > MAX_COLOURS)
    )
    panel: list[Axis] = []
    for axis in sorted(others, key=lambda a: a.name != "depth"):
        narrow = axis.binned(BINS) if axis.is_number and len(axis.values) > MAX_PANELS else axis
        if math.prod(len(a.values) for a in [*panel, narrow]) <= MAX_PANELS:
            panel.append(narrow)
    if colour.is_number and len(colour.values) > MAX_LINES:
        colour = colour.binned(MAX_LINES // 2)
    return colour, sorted(panel, key=lambda a: [b.name for b in axes].index(a.name))


def _axis(name: str, outcomes: Sequence[RunResult]) -> Axis:
    values = [*dict.fromkeys(outcome.params.get(name, "-") for outcome in outcomes)]
    try:
        numbers = sorted((float(value), value) for value in values)
    except ValueError:
        return Axis(name, tuple(values))
    if not all(math.isfinite(number) for number, _ in numbers):
        return Axis(name, tuple(values))
    return Axis(name, tuple(v for _, v in numbers), tuple(number for number, _ in numbers))


def _lies_in(number: float, span: str) -> bool:
    low, _, high = span.partition(" to ")
    return float(low) <= number <= float(high)
