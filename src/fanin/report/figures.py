"""All that is drawn and written of a comparison."""

from pathlib import Path
from typing import Protocol

from fanin.report.comparison import Comparison
from fanin.report.curve_figure import draw_curves
from fanin.report.ladder_figure import draw_ladder
from fanin.report.interactive_page import write_page
from fanin.report.heatmap_figure import draw_planes
from fanin.report.tables import write_tables
from fanin.report.timing_figure import draw_times


class Drawing(Protocol):
    """Writes files into a folder, where the jobs have something for them, and gives their names."""

    __name__: str

    def __call__(self, comparison: Comparison, folder: Path) -> list[str]: ...


DRAWINGS: tuple[Drawing, ...] = (
    write_tables,
    draw_curves,
    draw_planes,
    draw_times,
    draw_ladder,
    write_page,
)
BYTES = 10 * 2**20
"""Of all of them, at most, as long as lines are tens: most of it is the page."""
