"""Descriptions in markdown, which MLflow's UI shows above the numbers of a run or a sweep.

The UI shows three lines of a long description until it is unfolded, and links work only in the
first two. So links and findings come first, and the table of jobs last. All text from a run is
escaped; the caller passes the command, the addresses and the maximum length.
"""

import html
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from fanin.measure.claims import Finding
from fanin.measure.params import ParamValue, format_value
from fanin.measure.result import RunResult
from fanin.measure.statistics import STD
from fanin.measure.verdict import short
from fanin.report.axis import format_setting
from fanin.report.comparison import Comparison
from fanin.report.ranking import describe_best, sort_best_first, unhealthy_lines

EXPERIMENT_NOTE = """\
Will a signal survive? Choose a sweep in *Views* for its verdicts and numbers, or open its run.

- A sweep is one row, which unfolds into its jobs; its description says what came out.
- A curve's step is the layer, so a table shows its value at the last one.
"""
SETTING_COLUMNS = ("params.init", "params.activation", "params.depth", "params.hidden_size")
RESULT_COLUMNS = (
    "tags.verdict",
    "metrics.activation/std",
    "metrics.summary/std_growth",
    "metrics.summary/gradient_growth",
    "metrics.summary/forward_ms",
    "metrics.summary/backward_ms",
)
RUN_COLUMNS = (*SETTING_COLUMNS, *RESULT_COLUMNS)
"""The columns of the UI's runs table, named as in MLflow."""
MAX_ROWS = 42
"""The most rows of a list or table: two of heading and 40 jobs."""
MAX_VALUES = 5
"""The most values of a setting that a question lists in full."""
MAX_EXPLANATIONS = 3
MAX_COMMAND_LENGTH = 1000
MAX_TEXT_LENGTH = 400
"""The longest sentence whose length depends on the sweep, in characters."""
_RESERVE = 400
"""Characters that links leave free for remarks on omitted rows."""
_CELL_END = "&emsp;"
"""The UI leaves no space between columns."""


def describe_run(result: RunResult, command: str) -> str:
    """Describe a run: its question, its verdict, and how to repeat it.

    command: the command that repeats it; empty if there is none.
    """
    parts = [
        f"**{_escape(_run_question(result))}**",
        f"{_escape(result.verdict)}: {_escape(result.explanation)}",
        f"Try {_escape(result.advice)}" if result.advice else "",
        _repeat_with(command),
    ]
    return _join_paragraphs(parts)


def describe_sweep(
    question: str,
    command: str,
    comparison: Comparison | None,
    settings: Sequence[str],
    max_length: int,
    *,
    findings: Sequence[Finding] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    pictures: Sequence[str] = (),
) -> str:
    """Describe a sweep: its question, its findings, its links, and as many of its jobs as fit.

    question: plain text. command: the command that repeats it. comparison: of the finished jobs;
    None if there are none. settings: those in which jobs differ. max_length: in characters. links:
    name -> address. pictures: addresses.
    """
    results = sort_best_first(comparison.results) if comparison else []
    counts = Counter(result.verdict for result in results).most_common()
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts)
    best = _shorten(describe_best(comparison), MAX_TEXT_LENGTH) if comparison else ""
    answer = "; ".join(filter(None, [_escape(verdicts) or "no job has finished", _escape(best)]))
    below = [*(f"![]({address})" for address in pictures), _repeat_with(command)]
    heading = f"**{_escape(question)}**"
    room = max_length - len(_join_paragraphs([heading, answer, *below])) - _RESERVE
    head = [heading, _link_line(links, room), answer]
    text = _join_paragraphs(["  \n".join(filter(None, head)), *below])
    explanations = _explanation_list(comparison) if comparison else []
    more = "the tag because of each run explains the others"
    text = _add_list(text, explanations, more, max_length - _RESERVE // 2)
    claims = [
        f"- {f.verdict}: {_escape(f.says)} ({_escape(f.metric)}: {f.measured})" for f in findings
    ]
    text = _add_list(text, claims, "claims.json has all claims", max_length - _RESERVE // 3)
    table = _job_table(results, settings) if results else []
    return _add_list(text, table, "comparison.csv has all jobs", max_length)


def question_about(settings: Mapping[str, Sequence[ParamValue]]) -> str:
    """The question of a sweep over these settings, name -> values."""
    axes = [f"{name} {_list_values(values)}" for name, values in settings.items()]
    return f"Where will a signal survive: {_shorten('; '.join(axes), MAX_TEXT_LENGTH)}?"


def _run_question(result: RunResult) -> str:
    depth = result.profile.depth
    if depth == 0:
        return "Does a network without hidden layers have a finite loss?"
    layers = "1 layer" if depth == 1 else f"{depth} layers"
    question = (
        "Will a signal survive {layers} of {hidden_size} units with {activation} under init {init}?"
    )
    return question.format_map({**result.params, "layers": layers})


def _explanation_list(comparison: Comparison) -> list[str]:
    """Why the first unhealthy lines are unhealthy, and what to try instead."""
    explanations = [
        f"{line.label or 'the network'} is {line.verdict}: {line.explanation}"
        + (f". Try {line.advice}" if line.advice else "")
        for line in unhealthy_lines(comparison)[:MAX_EXPLANATIONS]
    ]
    return [f"- {_escape(text)}" for text in explanations]


def _job_table(results: Sequence[RunResult], settings: Sequence[str]) -> list[str]:
    """The rows of a markdown table, its heading first."""
    headings = [*settings, "verdict", "last std", "std a layer", "gradient a layer"]
    rows = [
        [f"{_escape(heading)}{_CELL_END}" for heading in headings],
        ["---"] * len(headings),
        *(_job_row(result, settings) for result in results),
    ]
    return [f"|{'|'.join(row)}|" for row in rows]


def _job_row(result: RunResult, settings: Sequence[str]) -> list[str]:
    """The cells of a job: its settings, its verdict, its last std, its growth per layer."""
    profile = result.profile
    numbers = [
        profile.ends(STD)[1],
        profile.numbers.get("summary/std_growth", math.nan),
        profile.numbers.get("summary/gradient_growth", math.nan),
    ]
    texts = [*(format_setting(result.params, setting) for setting in settings), result.verdict]
    return [
        *(f"{_escape(text)}{_CELL_END}" for text in texts),
        *(short(number) if math.isfinite(number) else "-" for number in numbers),
    ]


def _list_values(values: Sequence[ParamValue]) -> str:
    texts = [*dict.fromkeys(map(format_value, values))]
    if len(texts) > MAX_VALUES:
        return f"{texts[0]}, {texts[1]}, ... {texts[-1]} ({len(texts)})"
    return ", ".join(texts)


def _shorten(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 3]}..."


def _link_line(links: Mapping[str, str], room: int) -> str:
    """The links side by side, as many as fit into `room` characters."""
    texts = [f"[{_escape(name)}]({address})" for name, address in links.items()]
    totals = accumulate(len(text) + 3 for text in texts)
    return " · ".join(texts[: sum(total <= room for total in totals)])


def _repeat_with(command: str) -> str:
    """The command as a block of code; if it is too long, where to find it."""
    if len(command) > MAX_COMMAND_LENGTH:
        return "To repeat it, see the tag overrides."
    if not command:
        return ""
    return _join_paragraphs(["Repeat it with", f"    {' '.join(command.splitlines())}"])


def _add_list(text: str, rows: Sequence[str], remark: str, max_length: int) -> str:
    """The text with as many of the rows as fit below it, and a remark if not all do."""
    room = max_length - len(text) - len(remark) - 4
    totals = accumulate(len(row) + 1 for row in rows[:MAX_ROWS])
    fitting = rows[: sum(total <= room for total in totals)]
    remarks = [] if len(fitting) == len(rows) else ["", remark]
    return _join_paragraphs([text, "\n".join([*fitting, *remarks])])


def _escape(text: str) -> str:
    """The text in one line, escaped for markdown and HTML."""
    line = " ".join(text.splitlines())
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", html.escape(line, quote=False))


def _join_paragraphs(parts: Sequence[str]) -> str:
    return "\n\n".join(filter(None, parts))
