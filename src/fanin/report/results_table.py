"""Results on the screen: a row for each line of a comparison, the best choice, explanations."""

import math
from collections.abc import Sequence

from rich.console import Console

from fanin.measure.profile import Profile
from fanin.measure.statistics import GRADIENT, STD
from fanin.report.comparison import SEEDS, Comparison
from fanin.report.line import Line
from fanin.report.ranking import describe_best, sort_best_first, unhealthy_lines
from fanin.report.sparkline import make_sparklines
from fanin.report.terminal import format_number, make_table, style_verdict

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
MAX_ROWS = 40
MAX_ROWS_WITH_SEEDS = 8
"""With several seeds and more jobs than this, a row is the median of jobs that share a line."""
MAX_EXPLANATIONS = 8
MAIN_SETTINGS = ("init", "activation", "depth")
"""The columns to show if no setting varies."""


def print_results(lines: Sequence[Line], settings: Sequence[str], console: Console) -> None:
    """Print a row for each line: the settings named, and the measurements.

    std is that of the activations, gradient the norm of dL/dz. Both are given at the first and at
    the last layer with a finite value, and as a factor per layer in the direction of the pass,
    forward or back. Empty columns are left out. The sparkline is the std by layer, on a log scale
    that all rows share.
    """
    table = make_table()
    for setting in settings:
        table.add_column(f"\n{setting}", no_wrap=True)
    products = [line.number("summary/product_ms") for line in lines]
    slowest = max((time for time in products if time > 0), default=math.nan)
    numbers = [_format_numbers(line, slowest) for line in lines]
    filled = [n for n, column in enumerate(zip(*numbers, strict=True)) if any(column)]
    for n in filled:
        table.add_column(HEADINGS[n], justify="right", no_wrap=True)
    sparklines = make_sparklines([line.profile.curves[STD] for line in lines])
    has_sparklines = any(len(s) > 1 for s in sparklines) and not console.options.ascii_only
    if has_sparklines:
        table.add_column("std by\nlayer", no_wrap=True)
    table.add_column("\nverdict", no_wrap=True)
    for line, cells, sparkline in zip(lines, numbers, sparklines, strict=True):
        table.add_row(
            *(line.label_of(setting) for setting in settings),
            *(cells[n] or "-" for n in filled),
            *([sparkline] if has_sparklines else []),
            style_verdict(line.verdict, line.verdict_summary),
        )
    console.print(table)


def print_comparison(comparison: Comparison, settings: Sequence[str], console: Console) -> None:
    """Print the table of a sweep, the best choice, and why others are not healthy.

    Healthy jobs come first; ties are ordered by least change in std, gradients and angles. With
    many jobs, or with several seeds, each row is the median of the runs that share a line in the
    figure. settings: those in which jobs differ.
    """
    results = comparison.results
    has_seeds = any(setting in SEEDS for setting in settings)
    if len(results) > (MAX_ROWS_WITH_SEEDS if has_seeds else MAX_ROWS):
        lines = sort_best_first(comparison.lines)
        shown = [*lines[0].settings] or [*MAIN_SETTINGS]
    else:
        lines = sort_best_first([Line({}, [result]) for result in results])
        shown = [*settings]
    print_results(lines[:MAX_ROWS], shown, console)
    if len(lines) > MAX_ROWS:
        console.print(f"and {len(lines) - MAX_ROWS} more: see comparison.csv")
    best = describe_best(comparison)
    if best:
        console.print(f"\n{best}", style="bold")
    unhealthy = unhealthy_lines(comparison)
    if unhealthy:
        named = [(line.label or "the network", line) for line in unhealthy]
        print_explanations(named, console)


def print_explanations(named: Sequence[tuple[str, Line]], console: Console) -> None:
    """Print the verdict of each line, the measurement behind it, and what to try."""
    console.print()
    last_advice = None
    for name, line in named[:MAX_EXPLANATIONS]:
        console.print(f"{name} is {line.verdict}: {line.explanation}")
        if line.advice:
            is_same = line.advice == last_advice
            console.print(f"    {'same suggestion as above' if is_same else f'try {line.advice}'}")
        last_advice = line.advice
    if len(named) > MAX_EXPLANATIONS:
        more = len(named) - MAX_EXPLANATIONS
        console.print(f"and {more} more: see the tag because of each run")


def print_jacobian(profile: Profile, console: Console) -> None:
    """Print the three numbers of the Jacobian's singular values, if they were computed."""
    numbers = {name.removeprefix("summary/jacobian_"): v for name, v in profile.numbers.items()}
    if "spread" in numbers:
        console.print(
            f"\nJacobian: mean square {numbers['mean_square']:.3g} "
            f"({numbers.get('mean_square_theory', math.nan):.3g} by theory), spread "
            f"{numbers['spread']:.3g} ({numbers.get('spread_theory', math.nan):.3g}), largest "
            f"singular value {numbers['largest']:.3g}"
        )


def _format_numbers(line: Line, slowest: float) -> list[str]:
    """A cell for each of HEADINGS, empty without a value. slowest: the longest product time."""
    profile, count = line.profile, len(line.results)
    product = line.number("summary/product_ms")
    values = (
        *profile.ends(STD),
        line.number("summary/std_growth"),
        line.number("summary/theory_std"),
        line.number("summary/theory_z"),
        *profile.ends(GRADIENT),
        line.number("summary/gradient_growth"),
        line.number("summary/forward_ms"),
        line.number("summary/backward_ms"),
        product,
        slowest / product if product < slowest else math.nan,
    )
    return [f"{count}" if count > 1 else "", *map(format_number, values)]
