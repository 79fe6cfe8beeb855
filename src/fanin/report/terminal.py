"""The terminal: its console, the style of its tables, and sentences on where results are."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanin.measure.verdict import short

VERDICT_STYLES = {  # also bold, since not everyone can tell red from green
    "healthy": "green",
    "vanishing": "bold blue",
    "exploding": "bold red",
    "collapsed": "bold cyan",
    "dead": "bold magenta",
    "saturated": "bold yellow",
    "nonfinite": "bold red reverse",
}
_WIDTH = 1000


def make_console(*, stderr: bool = False) -> Console:
    """Make a console: colours on a terminal, plain text in a file; brackets are not markup."""
    # Wider than any table: a terminal wraps long lines, and Rich would cut numbers short.
    return Console(width=_WIDTH, markup=False, highlight=False, stderr=stderr)


def make_table() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")


def style_verdict(verdict: str, text: str | None = None) -> Text:
    """A verdict, or another text, in the verdict's style; "-" if there is no verdict.

    An unsure verdict of theory ends with a question mark, and has the style of the sure one.
    """
    return Text(text or verdict or "-", style=VERDICT_STYLES.get(verdict.rstrip("?"), ""))


def format_number(value: float) -> str:
    """Three digits, or a whole number from 1,000 to a million; empty if not finite."""
    if not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if 1e3 <= value < 1e6 else short(value)


def format_duration(seconds: float) -> str:
    """A duration with its unit, such as 0.4 s, 12 min or 3.5 h."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def print_data(lines: Sequence[str], console: Console) -> None:
    """Print how the data was read, one line for each data set."""
    for line in lines:
        console.print(line, soft_wrap=True)
    if lines:
        console.print()


def print_location(name: str, experiment: str, uri: str, console: Console) -> None:
    """Print the run's name, its MLflow experiment, and how to browse the store."""
    local_uri = uri.replace(f"sqlite:///{Path.cwd()}/", "sqlite:///")
    browse = uri if uri.startswith("http") else f"mlflow ui --backend-store-uri {local_uri}"
    location = f"\ntracked as {name} in the MLflow experiment {experiment}; browse it with"
    console.print(location, soft_wrap=True)
    console.print(f"\n    {browse}\n")


def print_links(links: Mapping[str, str], console: Console) -> None:
    """Print a line for each address, after the name of its page."""
    if links:
        width = max(map(len, links))
        console.print("to see in the browser\n")
        for name, address in links.items():
            # Soft wrapping, since a cut address does not work.
            console.print(f"    {name:{width}}  {address}", soft_wrap=True)
        console.print()


def print_files(folder: Path, names: Sequence[str], console: Console) -> None:
    console.print(f"in {folder}: {', '.join(names)}\n", soft_wrap=True)


def print_waiting(count: int, uri: str, console: Console) -> None:
    """Print that the store does not have these runs yet, and how to deliver them."""
    console.print(
        f"{count} {'run waits' if count == 1 else 'runs wait'} in outputs/ for {uri}; the next "
        "sweep delivers them, or now\n\n    python -m fanin sync\n\n"
        "which also reports what prevents it.\n"
    )
