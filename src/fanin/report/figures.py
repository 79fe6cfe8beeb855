"""All that is drawn of a comparison."""

from pathlib import Path

from fanin.report.comparison import Comparison
from fanin.report.curves import draw_curves
from fanin.report.page import write_page
from fanin.report.planes import draw_planes
from fanin.report.times import draw_times

DRAWINGS = (draw_curves, draw_planes, draw_times, write_page)


def draw(comparison: Comparison, folder: Path) -> list[str]:
    """Draw what the jobs have something for; the names of the files."""
    return [name for drawing in DRAWINGS for name in drawing(comparison, folder)]
