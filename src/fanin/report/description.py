"""Descriptions: what MLflow's UI shows above the numbers of a run, a sweep and an experiment.

In markdown. Of a long description the UI shows three lines, and lets only the first two be clicked
on, until it is unfolded: so where to look and what was found come first, and the table last.
"""

import html
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from fanin.measure.claims import Finding
from fanin.measure.result import RunResult
from fanin.measure.verdict import short
from fanin.tracking.store import MAX_TAG_LENGTH, NOTE, without_password
from fanin.tracking.ui import MAX_RUNS, VIEW, charts, curves, runs_table, view

STD, GRADIENT = "activation/std", "gradient/preactivation_norm"
COLUMNS = (
    "params.init",
    "params.activation",
    "params.depth",
    "params.hidden_size",
    "tags.verdict",
    "metrics.activation/std",
    "metrics.summary/std_growth",
    "metrics.summary/gradient_growth",
    "metrics.summary/forward_ms",
    "metrics.summary/backward_ms",
)
SIGNALS = "signals"
"""The name and the key of the runs table with these columns."""
MAX_LINES = 42
"""Of a list: a table's heading and 40 jobs."""
MAX_VALUES = 5
MAX_LINE_LENGTH = 1000
MAX_TEXT_LENGTH = 200
"""Of a value, a question's values, and whatever else may be as long as one likes."""
_SPARE = 400
"""For what sets the parts of a note apart, is escaped in them, or says that there is more."""
SPACE = "&emsp;"
"""After a cell: the UI sets no columns apart."""
_OF_ITS_OWN = (
    "tracking.",
    "hydra.",
    "hydra/",
    "claims.",
    "sweep.resume",
    "sweep.plan",
    "sweep.save",
)
"""How settings begin that say where and how a line is run, and not what."""


def run_note(line: str, outcome: RunResult) -> str:
    """Of a run: its question, what came out, and the command that repeats it, if there is one."""
    depth = int(outcome.params["depth"])
    size = f"{depth} layer{'s' if depth > 1 else ''} of {{hidden_size}} units with {{activation}}"
    asked = f"Will a signal survive {size} under init {{init}}?" if depth else _WITHOUT_LAYERS
    lines = [
        f"**{_plain(asked.format_map(outcome.params))}**",
        f"{outcome.verdict}: {_plain(outcome.explanation)}",
        f"Try {_plain(outcome.advice)}" if outcome.advice else "",
        _repeat(line),
    ]
    return _joined(lines)


_WITHOUT_LAYERS = "Does a network without hidden layers have a finite loss?"


def sweep_note(
    question: str,
    line: str,
    outcomes: Sequence[RunResult],
    settings: Sequence[str],
    best: str = "",
    reasons: Sequence[str] = (),
    findings: Sequence[Finding] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    pictures: Sequence[str] = (),
) -> str:
    """Of a sweep: what it asked and found, where to look, and its jobs as far as there is room.

    question, best, reasons: plain text. line: the command that repeats it. settings: those in
    which the jobs differ. links: a name -> its address. pictures: addresses.
    """
    counts = Counter(outcome.verdict for outcome in outcomes)
    found = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    said = [found or "no job has ended well", _plain(_cut(best, 2 * MAX_TEXT_LENGTH))]
    answer = "; ".join(filter(None, said))
    below = [*(f"![]({address})" for address in pictures), _repeat(line)]
    room = MAX_TAG_LENGTH - len(_joined([question, answer, *below])) - _SPARE
    head = [f"**{_plain(question)}**", _fitting(links, room), answer]
    note = _joined(["  \n".join(filter(None, head)), *below])
    why = [f"- {_plain(reason)}" for reason in reasons]
    note = _with_lines(note, why, "the runs' tags have the reasons", spare=_SPARE // 2)
    claims = [
        f"- {f.verdict}: {_plain(f.says)} ({_plain(f.metric)}: {f.measured})" for f in findings
    ]
    note = _with_lines(note, claims, "claims.json has them all", spare=_SPARE // 3)
    heading = [*settings, "verdict", "last std", "std a layer", "gradient a layer"]
    headings = [f"{_plain(name)}{SPACE}" for name in heading]
    rows = [headings, ["---"] * len(heading), *(_row(o, settings) for o in outcomes)]
    table = [f"|{'|'.join(row)}|" for row in rows]
    return _with_lines(note, table if outcomes else [], "the table of the jobs has them all")


def curve_links(experiment_id: str, run_ids: Sequence[str]) -> dict[str, str]:
    """Where the curves of several runs, at least one, lie over each other: a name -> an address."""
    shown = {
        "std of every layer": [STD, f"{STD}_theory"],
        "gradients": [GRADIENT, f"{GRADIENT}_theory"],
        "times": ["time/forward_ms", "time/backward_ms"],
    }
    some = f" of {MAX_RUNS} of the {len(run_ids)} runs" if len(run_ids) > MAX_RUNS else ""
    return {f"{n}{some}": curves(experiment_id, run_ids, keys) for n, keys in shown.items()}


def view_links(experiment_id: str, parent_id: str) -> dict[str, str]:
    """Where a sweep is seen whose view the experiment has: a name -> an address."""
    return {
        "all curves": charts(experiment_id, parent_id),
        "table of the jobs": runs_table(experiment_id, parent_id),
    }


def sweep_view(name: str, settings: Sequence[str], parent_id: str, made: int) -> tuple[str, str]:
    """The tag of the experiment, and its value, that is a view of a sweep's jobs.

    The weakest signal comes first. settings: those in which the jobs differ.
    """
    columns = [*(f"params.{setting}" for setting in settings), *COLUMNS[4:]]
    return VIEW + parent_id, view(name, columns, made, parent_id, STD)


def experiment_tags() -> dict[str, str]:
    """What an experiment says of itself in the UI."""
    return {
        "mlflow.experimentKind": "custom_model_development",  # 3.17 goes by the address
        NOTE: _EXPERIMENT,
        VIEW + SIGNALS: view(SIGNALS, COLUMNS, made=0),
    }


_EXPERIMENT = """\
Will a signal survive? Choose a sweep in *Views* for its verdicts and numbers, or open its run.

- A sweep is one row, which unfolds into its jobs; its description says what came out.
- A curve's step is the layer, so a table shows its value at the last one.
"""


def question_of(file: str) -> str:
    """The question that the text of an experiment file opens with; empty where it has none."""
    found = re.match(r"# Question: *(.+(?:\n# *\S.*)*)", file)
    text = " ".join(re.sub(r"\n# *", " ", found[1]).split()) if found else ""
    return text[:1].upper() + text[1:]


def question_about(settings: Mapping[str, Sequence[str]]) -> str:
    """The question of a sweep over these settings, a name -> its values."""
    axes = [f"{name} {_few([*dict.fromkeys(values)])}" for name, values in settings.items()]
    return f"Where will a signal survive: {_cut('; '.join(axes), 2 * MAX_TEXT_LENGTH)}?"


def command(overrides: Sequence[str], *, is_sweep: bool = False) -> str:
    """The line that repeats a run or a sweep, fit for a shell; without where it is tracked."""
    kept = [o for o in overrides if not o.lstrip("+~").startswith(_OF_ITS_OWN)]
    is_named = any(o.startswith("experiment=") for o in kept)  # which is a sweep without being told
    words = ["python", "run.py", *(["-m"] if is_sweep and not is_named else []), *kept]
    return without_password(" ".join(map(shlex.quote, words)))


def _few(values: Sequence[str]) -> str:
    if len(values) > MAX_VALUES:
        return f"{values[0]}, {values[1]}, ... {values[-1]} ({len(values)})"
    return ", ".join(values)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _row(outcome: RunResult, settings: Sequence[str]) -> list[str]:
    """Of a job: its settings, its verdict, the last std, the growth a layer."""
    profile = outcome.profile
    numbers = [
        profile.ends(STD)[1],
        *(profile.numbers.get(f"summary/{name}_growth", math.nan) for name in ("std", "gradient")),
    ]
    shown = [short(number) if math.isfinite(number) else "-" for number in numbers]
    texts = [*(outcome.params.get(setting, "-") for setting in settings), outcome.verdict]
    return [*(f"{_plain(text)}{SPACE}" for text in texts), *shown]


def _fitting(links: Mapping[str, str], room: int) -> str:
    """Those of the links, from the first, that there is room for, side by side."""
    texts = [f"[{_plain(name)}]({address})" for name, address in links.items()]
    totals = accumulate(len(text) + 3 for text in texts)
    return " · ".join(texts[: sum(total <= room for total in totals)])


def _repeat(line: str) -> str:
    """The command, as far as there is one and it is not as long as a page."""
    if len(line) > MAX_LINE_LENGTH:
        return "To repeat it, see the tag overrides."
    return _joined(["Repeat it with", f"    {' '.join(line.splitlines())}"]) if line else ""


def _with_lines(note: str, lines: Sequence[str], otherwise: str, spare: int = 0) -> str:
    """The note, and of the lines as many as there is room for beside what is to be spared."""
    room = MAX_TAG_LENGTH - len(note) - len(otherwise) - spare - 4
    totals = accumulate(len(line) + 1 for line in lines[:MAX_LINES])
    fitting = lines[: sum(total <= room for total in totals)]
    cut = [] if len(fitting) == len(lines) else ["", otherwise]
    return _joined([note, "\n".join([*fitting, *cut])])


def _plain(text: str) -> str:
    """A text as it is, whatever of it markdown or HTML would take for its own."""
    line = " ".join(text.splitlines())
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", html.escape(line, quote=False))


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(filter(None, parts))
