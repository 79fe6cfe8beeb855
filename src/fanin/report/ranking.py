"""Which results are best, and the sentence that names the best settings of a sweep.

Healthy results come first; ties are ordered by least change in std, gradients and angles.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from fanin.measure.profile import Profile
from fanin.measure.verdict import max_log_change, short
from fanin.report.comparison import Comparison
from fanin.report.line import Line

TASK_SETTINGS = ("depth", "hidden_size", "batch_size", "replicas", "dtype", "data", "loss")
"""Settings that make up the task of a network; the other settings are choices to compare."""
_MAX_NAMED_TASKS = 4


class HasVerdict(Protocol):
    """A result or a line."""

    @property
    def verdict(self) -> str: ...

    @property
    def profile(self) -> Profile: ...


Item = TypeVar("Item", bound=HasVerdict)


def sort_best_first(items: Iterable[Item]) -> list[Item]:
    """Sort healthy items first, ties by the least change of the signal; the sort is stable."""
    return sorted(items, key=_sort_cost)


def unhealthy_lines(comparison: Comparison) -> list[Line]:
    """The lines that are not healthy, the least change first."""
    return [line for line in sort_best_first(comparison.lines) if line.verdict != "healthy"]


def describe_best(comparison: Comparison) -> str:
    """A sentence on the best choice for the sweep's tasks; empty if there is only one choice.

    Choices are compared at the tasks for which all of them have a result; if they share none, each
    at its own tasks.
    """
    choices: dict[str, dict[str, Line]] = defaultdict(dict)
    for line in comparison.lines:
        choices[_choice_of(line)][_task_of(line)] = line
    if len(choices) == 1:
        return ""
    shared_tasks = set.intersection(*(set(lines) for lines in choices.values()))
    costs = {
        choice: _mean_sort_cost([lines[task] for task in lines if task in (shared_tasks or lines)])
        for choice, lines in choices.items()
    }
    least = min(costs.values())
    tied = [choice for choice in choices if costs[choice] == least]
    lines = [*choices[tied[0]].values()]
    if not any(line.verdict == "healthy" for line in lines):
        return f"none is healthy; closest: {_name_tied(tied)} {_describe_verdicts(lines)}"
    if len(tied) == len(choices):
        return _describe_fastest({choice: [*lines.values()] for choice, lines in choices.items()})
    return f"best: {_name_tied(tied)} {_describe_verdicts(lines)}"


def _sort_cost(item: HasVerdict) -> tuple[bool, float]:
    """The sort key; rounded, since seeds differ by more than a tenth of a decade."""
    return item.verdict != "healthy", round(max_log_change(item.profile), 1)


def _mean_sort_cost(lines: Sequence[Line]) -> tuple[float, float]:
    unhealthy, changes = zip(*map(_sort_cost, lines), strict=True)
    return sum(unhealthy) / len(lines), sum(changes) / len(lines)


def _task_of(line: Line) -> str:
    return _join_settings(line, TASK_SETTINGS)


def _choice_of(line: Line) -> str:
    others = {name.partition(".")[0] for name in line.settings} - {*TASK_SETTINGS}
    return _join_settings(line, others)


def _join_settings(line: Line, groups: Iterable[str]) -> str:
    """The line's settings of these groups, such as "init=kaiming init.scale=2.0"."""
    return " ".join(
        f"{name}={value}"
        for name, value in line.settings.items()
        if name.partition(".")[0] in groups
    )


def _name_tied(choices: Sequence[str]) -> str:
    """The first choice with the punctuation that follows it: "init=a, tied with 2 others;"."""
    count = len(choices) - 1
    if count == 0:
        return f"{choices[0]},"
    return f"{choices[0]}, tied with {count} other{'s' if count > 1 else ''};"


def _describe_verdicts(lines: Sequence[Line]) -> str:
    """The verdict at each task, such as "healthy at depth=10, collapsed at depth=50"."""
    tasks: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        tasks[line.verdict].append(_task_of(line))
    if len(tasks) == 1:
        if len(lines) > 1:
            return f"{lines[0].verdict} in all {len(lines)}"
        return lines[0].verdict_summary
    if len(lines) <= _MAX_NAMED_TASKS:
        return ", ".join(f"{word} at {' and '.join(names)}" for word, names in tasks.items())
    return ", ".join(f"{word} in {len(names)} of {len(lines)}" for word, names in tasks.items())


def _describe_fastest(choices: dict[str, list[Line]]) -> str:
    """A sentence on the fastest choice, if all choices behave alike."""
    lines = [line for group in choices.values() for line in group]
    if all(line.number("summary/product_ms") > 0 for line in lines):
        names, unit = ["summary/product_ms"], "per product"
    else:
        names, unit = ["summary/forward_ms", "summary/backward_ms"], "forward and back"

    def mean_time(lines: Sequence[Line]) -> float:
        return math.fsum(line.number(name) for line in lines for name in names) / len(lines)

    fastest = min(choices, key=lambda choice: mean_time(choices[choice]))
    time = short(mean_time(choices[fastest]))
    return f"all jobs behave alike; the fastest is {fastest}, with {time} ms {unit}"
