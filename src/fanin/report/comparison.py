"""A comparison: which results share a line, and what colours and panels stand for.

Results that differ only in their seed share a line, which shows their median with a band. Other
results also share a line if a panel would have too many lines to tell apart: a thousand results
make tens of lines.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fanin.measure.result import RunResult
from fanin.report.axis import MAX_COLOURS, Axis, make_axis
from fanin.report.line import Line

SEEDS = ("seed", "data.seed")
MAX_PANELS = 16
MAX_LINES = 40
"""The most lines in a panel, and the most values that a colour scale can tell apart."""
PANEL_RANGES = 8
"""The number of ranges for a numeric axis that would need too many panels."""
_BAND = "the band holds the middle two thirds"


@dataclass(frozen=True)
class Comparison:
    """Results as figures and tables show them.

    axes: the settings in which they differ, except seeds. colour_axis, panel_axes: the settings
    shown by the colour of a line and by its panel. lines: in the order of the sweep.
    """

    title: str
    results: Sequence[RunResult]
    axes: Sequence[Axis]
    colour_axis: Axis | None
    panel_axes: Sequence[Axis]
    lines: Sequence[Line]

    @cached_property
    def panels(self) -> dict[str, list[Line]]:
        """A panel's title, such as "depth=50", -> its lines; "" if there is only one panel."""
        panels: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            title = ", ".join(f"{axis.name}={line.settings[axis.name]}" for axis in self.panel_axes)
            panels[title].append(line)
        return panels

    @property
    def caption(self) -> str:
        """What a line and its band stand for; empty if each line is a single network."""
        parts = [*self._describe_median(), *self._describe_same_colour()]
        return "; ".join(parts)

    def _describe_median(self) -> list[str]:
        counts = [len(line.results) for line in self.lines]
        if max(counts) > 1:
            runs = describe_count(counts)
            merged = [axis.name for axis in self.axes if axis.name not in self.lines[0].settings]
            return [f"each line is the median of {runs}{describe_merged(merged)}", _BAND]
        if has_replicas(self.results):
            return ["each line is the median of the replicas", _BAND]
        return []

    def _describe_same_colour(self) -> list[str]:
        shown = {axis.name for axis in (self.colour_axis, *self.panel_axes) if axis}
        others = [name for name in self.lines[0].settings if name not in shown]
        return [f"lines of one colour differ in {' and '.join(others)}"] if others else []


def describe_count(counts: Sequence[int]) -> str:
    """Such as "8 runs", or "6 to 7 runs" if the counts differ."""
    least, most = min(counts), max(counts)
    return f"{most} runs" if most == least else f"{least} to {most} runs"


def describe_merged(settings: Sequence[str]) -> str:
    """The end of a sentence about runs that differ in these settings; empty if there are none."""
    return f" over all values of {' and '.join(settings)}" if settings else ""


def has_replicas(results: Sequence[RunResult]) -> bool:
    return any(result.params["replicas"] != 1 for result in results)


def compare(results: Sequence[RunResult], settings: Sequence[str], title: str) -> Comparison:
    """Make the comparison of results, at least one, that differ in these settings."""
    candidates = [make_axis(name, results) for name in settings if name not in SEEDS]
    axes = [axis for axis in candidates if len(axis.labels) > 1]
    colour, panels = _choose_roles(axes)
    shown = [*([colour] if colour else []), *panels]
    names = {axis.name for axis in shown}
    others = [axis for axis in axes if axis.name not in names]
    comparison = _group_lines(title, results, axes, colour, panels, [*shown, *others])
    if max(map(len, comparison.panels.values())) > MAX_LINES:
        comparison = _group_lines(title, results, axes, colour, panels, shown)
    return comparison


def _group_lines(
    title: str,
    results: Sequence[RunResult],
    axes: Sequence[Axis],
    colour: Axis | None,
    panels: Sequence[Axis],
    separating: Sequence[Axis],
) -> Comparison:
    """Group the results into lines: those that agree on the separating axes share one."""
    by_name = {axis.name: axis for axis in separating}
    names = [axis.name for axis in axes if axis.name in by_name]
    groups: dict[tuple[str, ...], list[RunResult]] = defaultdict(list)
    for result in results:
        groups[tuple(by_name[name].label_of(result) for name in names)].append(result)
    lines = [Line(dict(zip(names, labels, strict=True)), g) for labels, g in groups.items()]
    return Comparison(title, results, axes, colour, panels, lines)


def _choose_roles(axes: Sequence[Axis]) -> tuple[Axis | None, list[Axis]]:
    """Choose the axis for colours and the axes for panels.

    Colours prefer an axis with few values other than depth, which the length of a curve shows.
    """
    distinguishable = [axis for axis in axes if axis.is_numeric or len(axis.labels) <= MAX_LINES]
    if not distinguishable:
        return None, []
    colour, *others = sorted(
        distinguishable, key=lambda axis: (axis.name == "depth", len(axis.labels) > MAX_COLOURS)
    )
    panels: list[Axis] = []
    for axis in sorted(others, key=lambda axis: axis.name != "depth"):
        is_too_long = axis.is_numeric and len(axis.labels) > MAX_PANELS
        candidate = axis.grouped(PANEL_RANGES) if is_too_long else axis
        if math.prod(len(each.labels) for each in [*panels, candidate]) <= MAX_PANELS:
            panels.append(candidate)
    if colour.is_numeric and len(colour.labels) > MAX_LINES:
        colour = colour.grouped(MAX_LINES // 2)
    order = [axis.name for axis in axes]
    return colour, sorted(panels, key=lambda axis: order.index(axis.name))
