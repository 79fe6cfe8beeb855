"""All figures of a comparison."""

from pathlib import Path

from fanin.report.comparison import Comparison


def draw(comparison: Comparison, folder: Path) -> list[str]:
    """Draw those that the jobs have something for; the names of the files."""
    return []
