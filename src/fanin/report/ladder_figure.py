"""The ladder of matrix multiplication as a figure: a bar a rung, on a log scale."""

from pathlib import Path

from matplotlib.figure import Figure

from fanin.report.comparison import Comparison


def draw_ladder(comparison: Comparison, folder: Path) -> list[str]:
    """Milliseconds of the bare product for each job, and how much faster than the first.

    Writes ladder.png, and gives its name; none where a job has not timed its product.
    """
    outcomes = comparison.outcomes
    if not all("summary/product_ms" in outcome.profile.numbers for outcome in outcomes):
        return []
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
    figure.savefig(folder / "ladder.png", dpi=150)
    return ["ladder.png"]
