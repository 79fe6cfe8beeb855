"""The list of all files that are written for a comparison."""

from pathlib import Path
from typing import Protocol

from fanin.report.comparison import Comparison
from fanin.report.curve_figure import draw_curves
from fanin.report.heatmap_figure import draw_heatmaps
from fanin.report.interactive_page import write_page
from fanin.report.ladder_figure import draw_ladder
from fanin.report.tables import write_tables
from fanin.report.timing_figure import draw_timings


class Drawing(Protocol):
    """Writes files into a folder and returns their names; none if it does not apply."""

    __name__: str

    def __call__(self, comparison: Comparison, folder: Path) -> list[str]: ...


DRAWINGS: tuple[Drawing, ...] = (
    write_tables,
    draw_curves,
    draw_heatmaps,
    draw_timings,
    draw_ladder,
    write_page,
)
MAX_BYTES = 10 * 2**20
"""An upper bound for the size of all files of a comparison; most is the interactive page."""
