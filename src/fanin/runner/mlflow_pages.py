"""Pages and views of MLflow's UI that show runs and sweeps."""

from collections.abc import Sequence

from fanin.measure.statistics import GRADIENT, STD
from fanin.report.description import EXPERIMENT_NOTE, RESULT_COLUMNS, RUN_COLUMNS
from fanin.tracking.tags import NOTE
from fanin.tracking.ui import MAX_RUNS, Pages, format_view

SIGNALS = "signals"
"""The name and the key of the view that shows every run's signal."""
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # 3.17 uses the address instead
    NOTE: EXPERIMENT_NOTE,
}


def experiment_views() -> dict[str, str]:
    """The views of the runs table that every experiment offers, by key."""
    return {SIGNALS: format_view(SIGNALS, RUN_COLUMNS, made=0)}


def sweep_view(name: str, settings: Sequence[str], parent_id: str, made: int) -> str:
    """The view of the runs table that shows a sweep's jobs, the weakest signal first.

    settings: those in which the jobs differ. made: milliseconds since 1970.
    """
    columns = [*(f"params.{setting}" for setting in settings), *RESULT_COLUMNS]
    return format_view(name, columns, made, parent_id, STD)


def curve_links(pages: Pages, run_ids: Sequence[str]) -> dict[str, str]:
    """Pages that overlay the curves of one or more runs, name -> address."""
    metrics = {
        "std of every layer": [STD, f"{STD}_theory"],
        "gradients": [GRADIENT, f"{GRADIENT}_theory"],
        "times": ["time/forward_ms", "time/backward_ms"],
    }
    is_cut = len(run_ids) > MAX_RUNS
    suffix = f" of {MAX_RUNS} of the {len(run_ids)} runs" if is_cut else ""
    return {f"{name}{suffix}": pages.curves(run_ids, keys) for name, keys in metrics.items()}


def view_links(pages: Pages, parent_id: str) -> dict[str, str]:
    """Pages that show a sweep through its view of the runs table, name -> address."""
    return {"all curves": pages.charts(parent_id), "table of the jobs": pages.runs_table(parent_id)}
