"""A sweep's jobs on the screen: the plan before they run, then failures and claims."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from fanin.measure.claims import Finding
from fanin.measure.params import Params
from fanin.report.axis import format_setting
from fanin.report.terminal import format_duration, format_number, make_table, style_verdict

CLAIM_STYLES = {"kept": "green", "broken": "red", "untested": "yellow"}


@dataclass(frozen=True)
class PlannedJob:
    """A job before it runs.

    job: its number. seconds, memory: an estimate, in seconds and bytes; 0 if there is none. state:
    what the sweep would do with it. verdict, std: the prediction of theory; std at the last layer.
    """

    job: int
    params: Params
    seconds: float
    memory: int
    state: str
    verdict: str
    std: float


@dataclass(frozen=True)
class Failure:
    """A job that failed.

    job: its number. settings: its overrides. folder: where its traceback is, if it has one.
    """

    job: int
    settings: str
    error: str
    folder: str | None


def print_plan(jobs: Sequence[PlannedJob], settings: Sequence[str], console: Console) -> None:
    """Print a row for each job: the settings named, its cost, its prediction, and its state."""
    table = make_table()
    for heading in ("job", *settings):
        table.add_column(f"\n{heading}", no_wrap=True)
    for heading in ("time", "memory"):
        table.add_column(f"\n{heading}", justify="right", no_wrap=True)
    table.add_column("predicted\nlast std", justify="right", no_wrap=True)
    for heading in ("verdict", "state"):
        table.add_column(f"\n{heading}", no_wrap=True)
    for job in jobs:
        table.add_row(
            str(job.job),
            *(format_setting(job.params, setting) for setting in settings),
            format_duration(job.seconds) if job.seconds else "-",
            f"{job.memory / 2**20:,.0f} MiB" if job.memory else "-",
            format_number(job.std) or "-",
            style_verdict(job.verdict),
            job.state,
        )
    console.print(table)


def print_failures(failures: Sequence[Failure], console: Console) -> None:
    """Print a row for each failed job: its settings, its error, and where its traceback is."""
    table = make_table()
    for heading in ("failed job", "settings", "error", "traceback in"):
        table.add_column(heading)
    for failure in failures:
        error = Text(failure.error, "red")
        table.add_row(str(failure.job), failure.settings, error, failure.folder or "-")
    console.print()
    console.print(table)


def print_claims(findings: Sequence[Finding], console: Console) -> None:
    """Print a row for each claim: the measured and the expected value, and the verdict."""
    table = make_table()
    for heading in ("claim", "metric", "expected", "measured", ""):
        table.add_column(heading)
    for finding in findings:
        verdict = Text(finding.verdict, CLAIM_STYLES[finding.verdict])
        table.add_row(finding.says, finding.metric, finding.expected, finding.measured, verdict)
    console.print()
    console.print(table)
