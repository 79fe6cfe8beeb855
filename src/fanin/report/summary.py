"""What stands on the screen at the end of a run or a sweep: a table, and where to look."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fanin.signal.claims import Finding
from fanin.signal.profile import Profile

CLAIM_COLOURS = {"kept": "green", "broken": "red", "untested": "yellow"}
_NARROWEST = 120  # a table is not squeezed below this: a number cut short is none
COLOURS = {"healthy": "green", "vanishing": "blue", "exploding": "red", "dead": "magenta"}


@dataclass(frozen=True)
class Outcome:
    """A job that has ended well: its params, what was measured, and what that means."""

    params: Mapping[str, str]
    profile: Profile
    verdict: str


def screen() -> Console:
    """Where results go: colours on a terminal, plain text in a file."""
    return Console(width=max(Console().width, _NARROWEST))


def show(outcomes: Sequence[Outcome], settings: Sequence[str], console: Console) -> None:
    """A row a job, with the settings named and what was measured.

    std is that of the activations and gradient the norm of dL/dz; both at the first and at the
    last layer that has a finite value, and as a factor a layer in the direction that they
    travel, forward and back.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for setting in settings:
        table.add_column(f"\n{setting}", no_wrap=True)
    for over, heading in (
        ("std", "first"),
        ("", "last"),
        ("", "a layer"),
        ("gradient", "first"),
        ("", "last"),
        ("", "a layer"),
        ("time, ms", "forward"),
        ("", "back"),
    ):
        table.add_column(f"{over}\n{heading}", justify="right", no_wrap=True)
    table.add_column("\nverdict", no_wrap=True)
    for outcome in outcomes:
        profile = outcome.profile
        numbers = (
            *profile.ends("activation/std"),
            profile.numbers.get("summary/std_growth", math.nan),
            *profile.ends("gradient/preactivation_norm"),
            profile.numbers.get("summary/gradient_growth", math.nan),
            profile.numbers["summary/forward_ms"],
            profile.numbers["summary/backward_ms"],
        )
        table.add_row(
            *(outcome.params[setting] for setting in settings),
            *(_number(number) for number in numbers),
            f"[{COLOURS[outcome.verdict]}]{outcome.verdict}[/]",
        )
    console.print(table)


def show_claims(findings: Sequence[Finding], console: Console) -> None:
    """What became of each claim, with the measured value beside the expected one."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("claim", "metric", "expected", "measured", ""):
        table.add_column(heading)
    for finding in findings:
        colour = CLAIM_COLOURS[finding.verdict]
        table.add_row(
            finding.says,
            finding.metric,
            finding.expected,
            finding.measured,
            f"[{colour}]{finding.verdict}[/]",
        )
    console.print()
    console.print(table)


def say_where(name: str, uri: str, console: Console) -> None:
    """The run's name, and the command that opens the browser on it."""
    here = uri.replace(f"sqlite:///{Path.cwd()}/", "sqlite:///")
    browse = uri if uri.startswith("http") else f"mlflow ui --backend-store-uri {here}"
    console.print(f"\ntracked as [bold]{name}[/]; browse with\n\n    {browse}\n", soft_wrap=True)


def _number(value: float) -> str:
    return re.sub("e-0", "e-", f"{value:.3g}") if math.isfinite(value) else "-"
