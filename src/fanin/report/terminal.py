"""What stands on the screen at the end of a run or a sweep: a table, and where to look."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanin.measure.claims import Finding
from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.measure.verdict import short
from fanin.report.ranking import best, ranked
from fanin.report.comparison import SEEDS, Comparison, Line
from fanin.report.sparkline import sparklines

HEADINGS = (
    "\nruns",
    "std\nfirst",
    "\nlast",
    "\na layer",
    "theory\nlast",
    "\noff by",
    "gradient\nfirst",
    "\nlast",
    "\na layer",
    "time, ms\nforward",
    "\nback",
    "product\nms",
    "times\nfaster",
)
CLAIM_COLOURS = {"kept": "green", "broken": "red", "untested": "yellow"}
_WIDEST = 1000
COLOURS = {  # trouble is bold, too: not every eye tells red from green
    "healthy": "green",
    "vanishing": "bold blue",
    "exploding": "bold red",
    "collapsed": "bold cyan",
    "dead": "bold magenta",
    "saturated": "bold yellow",
    "nonfinite": "bold red reverse",
}
MAX_ROWS, MAX_SEEDS = 40, 8
_REASONS = 8  # of a sweep are told; the others are to be read in the store


@dataclass(frozen=True)
class Failure:
    """A job that has not ended well, why, and the folder where more is to be read."""

    job: int
    settings: str
    error: str
    folder: str | None


@dataclass(frozen=True)
class PlannedJob:
    """A job before it is run: an estimate of its seconds and bytes, and its state."""

    job: int
    params: Mapping[str, str]
    seconds: float
    memory: int
    state: str
    verdict: str
    std: float
    """What theory predicts for it, the std that of the last layer's activations."""


@dataclass(frozen=True)
class RankedInit:
    """An init and what theory predicts for it, at the last layer but for the gradient.

    low, high: the middle two thirds of seeds. gradient: the first layer's norm over the last's.
    """

    settings: str
    sigma_w2: float
    std: float
    low: float
    high: float
    gradient: float
    cosine: float
    phase: str
    verdict: str


def screen(*, stderr: bool = False) -> Console:
    """Where results go, and what went wrong: colours on a terminal, plain text in a file."""
    # As wide as it comes out: a terminal wraps what is too long, and a number cut short is none.
    # Settings are shown as they are: [red] in one is no colour.
    return Console(width=_WIDEST, markup=False, highlight=False, stderr=stderr)


def show(lines: Sequence[Line], settings: Sequence[str], console: Console) -> None:
    """A row a line, with the settings named and what was measured.

    std is that of the activations and gradient the norm of dL/dz; both at the first and at the
    last layer that has a finite value, and as a factor a layer in the direction that they
    travel, forward and back. Columns in which no line has a value are left out. The little curve
    is the std layer by layer, on a log scale that all rows share.
    """
    table = _table()
    for setting in settings:
        table.add_column(f"\n{setting}", no_wrap=True)
    products = [line.number("summary/product_ms") for line in lines]
    slowest = max((time for time in products if time > 0), default=math.nan)
    measured = [_measured(line, slowest) for line in lines]
    filled = [n for n, column in enumerate(zip(*measured, strict=True)) if any(column)]
    for n in filled:
        table.add_column(HEADINGS[n], justify="right", no_wrap=True)
    curves = sparklines([line.profile.curves["activation/std"] for line in lines])
    has_curves = any(len(curve) > 1 for curve in curves) and not console.options.ascii_only
    if has_curves:
        table.add_column("std by\nlayer", no_wrap=True)
    table.add_column("\nverdict", no_wrap=True)
    for line, cells, curve in zip(lines, measured, curves, strict=True):
        table.add_row(
            *(line.outcome.params.get(setting, "-") for setting in settings),
            *(cells[n] or "-" for n in filled),
            *([curve] if has_curves else []),
            _coloured(line.verdict, line.agreement),
        )
    console.print(table)


def show_comparison(comparison: Comparison, settings: Sequence[str], console: Console) -> None:
    """The table of a sweep, the best first; what is the best; and why others fail.

    settings: those in which jobs differ. Of many jobs, and of several with seeds, a row stands for
    those that are one line.
    """
    jobs = comparison.outcomes
    has_seeds = any(axis in SEEDS for axis in settings)
    if len(jobs) > (MAX_SEEDS if has_seeds else MAX_ROWS):
        lines = ranked(comparison.lines)
        shown = [*lines[0].settings] or ["init", "activation", "depth"]
    else:
        lines = ranked([Line({}, [job]) for job in jobs])
        shown = [*settings]
    show(lines[:MAX_ROWS], shown, console)
    if len(lines) > MAX_ROWS:
        console.print(f"and {len(lines) - MAX_ROWS} more: see comparison.csv")
    sentence = best(comparison)
    if sentence:
        console.print(f"\n{sentence}", style="bold")
    troubled = [line for line in ranked(comparison.lines) if line.verdict != "healthy"]
    if troubled:
        print_explanations([(line.label or "it", line.outcome) for line in troubled], console)


def _coloured(verdict: str, text: str | None = None) -> Text:
    """A verdict, with a question mark where it is in question; - where there is none."""
    return Text(text or verdict or "-", style=COLOURS.get(verdict.rstrip("?"), ""))


def _table() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")


def _measured(line: Line, slowest: float) -> list[str]:
    """A row of the table; empty where there is no finite value. slowest: of all products."""
    profile, count = line.profile, len(line.outcomes)
    product = line.number("summary/product_ms")
    values = (
        *profile.ends("activation/std"),
        line.number("summary/std_growth"),
        line.number("summary/theory_std"),
        line.number("summary/theory_z"),
        *profile.ends("gradient/preactivation_norm"),
        line.number("summary/gradient_growth"),
        line.number("summary/forward_ms"),
        line.number("summary/backward_ms"),
        product,
        slowest / product if product < slowest else math.nan,
    )
    return [f"{count}" if count > 1 else "", *map(_number, values)]


def print_explanations(named: Sequence[tuple[str, RunResult]], console: Console) -> None:
    """A line a job: its name, its verdict, and what that rests on."""
    console.print()
    said = None
    for name, outcome in named[:_REASONS]:
        console.print(f"{name} is {outcome.verdict}: {outcome.explanation}")
        if outcome.advice:
            console.print(f"    try {'the same' if outcome.advice == said else outcome.advice}")
        said = outcome.advice
    if len(named) > _REASONS:
        console.print(f"and {len(named) - _REASONS} more: see the tag because")


def print_jacobian(profile: Profile, console: Console) -> None:
    """The singular values of the Jacobian in three numbers, where they were asked for."""
    numbers = {name.removeprefix("summary/jacobian_"): v for name, v in profile.numbers.items()}
    if "spread" in numbers:
        console.print(
            f"\nJacobian: mean square {numbers['mean_square']:.3g} "
            f"({numbers.get('mean_square_theory', math.nan):.3g} by theory), spread "
            f"{numbers['spread']:.3g} ({numbers.get('spread_theory', math.nan):.3g}), largest "
            f"singular value {numbers['largest']:.3g}"
        )


def show_claims(findings: Sequence[Finding], console: Console) -> None:
    """What became of each claim, with the measured value beside the expected one."""
    table = _table()
    for heading in ("claim", "metric", "expected", "measured", ""):
        table.add_column(heading)
    for finding in findings:
        table.add_row(
            finding.says,
            finding.metric,
            finding.expected,
            finding.measured,
            Text(finding.verdict, style=CLAIM_COLOURS[finding.verdict]),
        )
    console.print()
    console.print(table)


def show_failures(failures: Sequence[Failure], console: Console) -> None:
    table = _table()
    for heading in ("job", "failed", "because", "traceback in"):
        table.add_column(heading)
    for failure in failures:
        table.add_row(
            str(failure.job), failure.settings, Text(failure.error, "red"), failure.folder or "-"
        )
    console.print()
    console.print(table)


def show_plan(rows: Sequence[PlannedJob], settings: Sequence[str], console: Console) -> None:
    """A row a job: what would be done with it, what that takes, and what theory predicts."""
    table = _table()
    for heading in ("job", *settings):
        table.add_column(f"\n{heading}", no_wrap=True)
    for heading in ("time", "memory"):
        table.add_column(f"\n{heading}", justify="right", no_wrap=True)
    table.add_column("predicted\nlast std", justify="right", no_wrap=True)
    for heading in ("verdict", "state"):
        table.add_column(f"\n{heading}", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.job),
            *(row.params[setting] for setting in settings),
            duration(row.seconds) if row.seconds else "-",
            f"{row.memory / 2**20:,.0f} MiB" if row.memory else "-",
            _number(row.std) or "-",
            _coloured(row.verdict),
            row.state,
        )
    console.print(table)


def show_ranking(rows: Sequence[RankedInit], console: Console) -> None:
    """A row an init, the best first. A verdict of which not all seeds are sure is in question."""
    table = _table()
    table.add_column("\ninit", no_wrap=True)
    headings = ("\nsigma_w^2", "std\nlast", "\nlow", "\nhigh", "gradient\nfirst / last", "\ncosine")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("\nphase", "\nverdict"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        values = (row.sigma_w2, row.std, row.low, row.high, row.gradient, row.cosine)
        table.add_row(
            row.settings,
            *(_number(value) or "-" for value in values),
            row.phase,
            _coloured(row.verdict),
        )
    console.print(table)


def duration(seconds: float) -> str:
    """Such as 0.4 s, 12 min or 3.5 h."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def print_location(name: str, experiment: str, uri: str, console: Console) -> None:
    """The run's name, its MLflow experiment, and the command that opens the browser on it."""
    here = uri.replace(f"sqlite:///{Path.cwd()}/", "sqlite:///")
    browse = uri if uri.startswith("http") else f"mlflow ui --backend-store-uri {here}"
    tracked = f"\ntracked as {name}, in the MLflow experiment {experiment}; browse with"
    console.print(tracked, soft_wrap=True)
    console.print(f"\n    {browse}\n")


def print_links(links: Mapping[str, str], console: Console) -> None:
    """A line an address, the name of what it shows before it."""
    if links:
        width = max(map(len, links))
        console.print("where the browser shows\n")
        for name, address in links.items():
            console.print(
                f"    {name:{width}}  {address}", soft_wrap=True
            )  # whole, or it leads nowhere
        console.print()


def print_files(folder: Path, names: Sequence[str], console: Console) -> None:
    console.print(f"in {folder}: {', '.join(names)}\n", soft_wrap=True)


def print_waiting(count: int, uri: str, console: Console) -> None:
    """That runs are kept which the store does not have yet, and how they get there."""
    console.print(
        f"{count} {'run waits' if count == 1 else 'runs wait'} in outputs/ for {uri}: delivered "
        "when the next sweep begins, or by\n\n    python -m fanin sync\n\n"
        "which also says what is in the way.\n"
    )


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if 1e3 <= value < 1e6 else short(value)
