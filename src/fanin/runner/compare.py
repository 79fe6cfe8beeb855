"""`python -m fanin compare`: compares tracked runs, from their store alone."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fanin.config.project import PROJECT
from fanin.report.comparison import compare
from fanin.report.figures import DRAWINGS
from fanin.report.progress import show_status
from fanin.report.results_table import MAIN_SETTINGS, print_comparison
from fanin.report.terminal import make_console, print_files
from fanin.runner.load import load_results
from fanin.runner.varying import varying_params


def compare_runs(references: Sequence[str], uri: str | None, folder: Path | None) -> None:
    """Print the table of the referenced runs, and draw their figures into a folder.

    references, uri: as in `load`. folder: by default a new one in outputs/comparisons. Raises
    SettingError.
    """
    folder = folder or PROJECT / "outputs" / "comparisons" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    with show_status("reading the store ..."):
        results = load_results(references, uri)
    varying = varying_params([result.params for result in results])
    comparison = compare(results, varying, ", ".join(references))
    console = make_console()
    print_comparison(comparison, varying or [*MAIN_SETTINGS], console)
    with show_status("drawing ..."):
        folder.mkdir(parents=True, exist_ok=True)
        names = [name for drawing in DRAWINGS for name in drawing(comparison, folder)]
    console.print()
    print_files(folder, names, console)
