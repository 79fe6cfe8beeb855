"""The ladder figure: the time of one matrix product by each method."""

from pathlib import Path

from matplotlib.figure import Figure

from fanin.report.axis import format_setting
from fanin.report.comparison import Comparison


def draw_ladder(comparison: Comparison, folder: Path) -> list[str]:
    """Write ladder.png: a bar for each result, and how much faster it is than the first.

    Returns the name of the file; none if a result has no time of its product.
    """
    results = comparison.results
    if not all("summary/product_ms" in result.profile.numbers for result in results):
        return []
    times = [result.profile.numbers["summary/product_ms"] for result in results]
    figure = Figure(figsize=(8, 0.5 * len(times) + 1.2), layout="constrained")
    axes = figure.subplots()
    rungs = [format_setting(result.params, "matmul") for result in results]
    bars = axes.barh(rungs, times, color="#0072b2")
    faster = [f"{time:.3g} ms, {times[0] / time:,.0f} x faster" for time in times]
    axes.bar_label(bars, [f"{times[0]:.3g} ms", *faster[1:]], padding=4)
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 3, max(times) * 30)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds for one product, log scale")
    axes.set_title("The product of the inputs with one layer of weights, by method", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "ladder.png", dpi=150)
    return ["ladder.png"]
