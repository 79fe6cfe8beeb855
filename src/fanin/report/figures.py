"""All that is drawn of a comparison."""

from pathlib import Path

from fanin.report.comparison import Comparison
from fanin.report.page import write_page


def draw(comparison: Comparison, folder: Path) -> list[str]:
    """Draw what the jobs have something for; the names of the files."""
    return write_page(comparison, folder)
