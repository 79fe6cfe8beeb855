"""Which lines of a comparison stand best, and the sentence that names the best setting."""

import math
from collections import defaultdict
from collections.abc import Sequence

from fanin.measure.verdict import max_log_change, short
from fanin.report.comparison import Comparison, Line

TASKS = ("depth", "hidden_size", "batch_size", "replicas", "dtype", "data", "loss")
"""What a network has to do; the other settings are choices of how."""


def ranked(lines: Sequence[Line]) -> list[Line]:
    """Healthy ones first, and of them those whose signal changes least; equals keep their order."""
    return sorted(lines, key=_trouble)


def best(comparison: Comparison) -> str:
    """A sentence on what does best at the tasks of a sweep; empty where there is no choice.

    Choices are judged by the tasks that all of them have a result for, or by all if there are none.
    """
    choices: dict[str, dict[str, Line]] = defaultdict(dict)
    for line in comparison.lines:
        choices[_said(line, is_task=False)][_said(line, is_task=True)] = line
    if len(choices) == 1:
        return ""
    shared = set.intersection(*(set(lines) for lines in choices.values()))
    troubles = {
        choice: _of_all([line for task, line in lines.items() if task in shared or not shared])
        for choice, lines in choices.items()
    }
    least = min(troubles.values())
    first = [choice for choice, trouble in troubles.items() if trouble == least]
    lines = [*choices[first[0]].values()]
    if not any(line.verdict == "healthy" for line in lines):
        return f"none is healthy; nearest to it is {_listed(first)}, {_course(lines)}"
    if len(first) == len(choices):
        return _fastest({choice: [*lines.values()] for choice, lines in choices.items()})
    return f"best: {_listed(first)}, {_course(lines)}"


def _listed(choices: Sequence[str]) -> str:
    """The first of equals, and how many others there are."""
    others = f" (and {len(choices) - 1} as good)" if len(choices) > 1 else ""
    return f"{choices[0]}{others}"


def _trouble(line: Line) -> tuple[bool, float]:
    """Rounded: seeds differ by more."""
    return line.verdict != "healthy", round(max_log_change(line.profile), 1)


def _of_all(lines: Sequence[Line]) -> tuple[float, float]:
    troubles = [_trouble(line) for line in lines]
    return sum(t for t, _ in troubles) / len(lines), sum(d for _, d in troubles) / len(lines)


def _said(line: Line, *, is_task: bool) -> str:
    settings = {n: v for n, v in line.settings.items() if (n.partition(".")[0] in TASKS) == is_task}
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _course(lines: Sequence[Line]) -> str:
    """What becomes of it at each task: "healthy at depth=10, collapsed at depth=50"."""
    words: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        words[line.verdict].append(_said(line, is_task=True))
    if len(words) == 1:
        word = next(iter(words))
        if len(lines) > 1:
            return f"{word} in all {len(lines)}"
        return word if len(lines[0].outcomes) == 1 else lines[0].agreement
    if len(lines) <= 4:
        return ", ".join(f"{word} at {' and '.join(tasks)}" for word, tasks in words.items())
    return ", ".join(f"{word} in {len(t)} of {len(lines)}" for word, t in words.items())


def _fastest(choices: dict[str, list[Line]]) -> str:
    """Where the signal fares alike, time is what tells them apart."""
    product = all(line.number("summary/product_ms") > 0 for ls in choices.values() for line in ls)
    names = ("summary/product_ms",) if product else ("summary/forward_ms", "summary/backward_ms")
    what = "for a product" if product else "forward and back"

    def milliseconds(lines: Sequence[Line]) -> float:
        return math.fsum(line.number(name) for line in lines for name in names) / len(lines)

    quickest = min(choices, key=lambda choice: milliseconds(choices[choice]))
    time = short(milliseconds(choices[quickest]))
    return f"the signal fares alike in all; the fastest is {quickest}, with {time} ms {what}"
