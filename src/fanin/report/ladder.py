"""The ladder of matrix multiplication as a figure: a bar a rung, on a log scale."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from fanin.report.outcome import Outcome


def draw_ladder(outcomes: Sequence[Outcome], path: Path) -> None:
    """Milliseconds of the bare product for each job, and how much faster than the first."""
    times = [outcome.profile.numbers["summary/product_ms"] for outcome in outcomes]
    figure = Figure(figsize=(8, 0.5 * len(times) + 1.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([outcome.params["matmul"] for outcome in outcomes], times, color="#0072b2")
    faster = [f"{time:.3g} ms, {times[0] / time:,.0f} x faster" for time in times]
    axes.bar_label(bars, [f"{times[0]:.3g} ms", *faster[1:]], padding=4)
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 3, max(times) * 30)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds for one product, log scale")
    axes.set_title("The bare product of the inputs with one layer of weights, by rung", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
