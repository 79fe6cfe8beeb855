"""The pages of MLflow's UI that show runs and sweeps, and what those pages say of themselves."""

from collections.abc import Sequence

from fanin.report.description import EXPERIMENT_NOTE
from fanin.tracking import ui
from fanin.tracking.store import NOTE

STD, GRADIENT = "activation/std", "gradient/preactivation_norm"
RESULT_COLUMNS = (
    "tags.verdict",
    "metrics.activation/std",
    "metrics.summary/std_growth",
    "metrics.summary/gradient_growth",
    "metrics.summary/forward_ms",
    "metrics.summary/backward_ms",
)
COLUMNS = (
    "params.init",
    "params.activation",
    "params.depth",
    "params.hidden_size",
    *RESULT_COLUMNS,
)
SIGNALS = "signals"
"""The name and the key of the runs table with these columns."""


def curve_links(experiment_id: str, run_ids: Sequence[str]) -> dict[str, str]:
    """Where the curves of several runs, at least one, lie over each other: a name -> an address."""
    metrics = {
        "std of every layer": [STD, f"{STD}_theory"],
        "gradients": [GRADIENT, f"{GRADIENT}_theory"],
        "times": ["time/forward_ms", "time/backward_ms"],
    }
    is_cut = len(run_ids) > ui.MAX_RUNS
    suffix = f" of {ui.MAX_RUNS} of the {len(run_ids)} runs" if is_cut else ""
    return {
        f"{name}{suffix}": ui.curves(experiment_id, run_ids, keys) for name, keys in metrics.items()
    }


def view_links(experiment_id: str, parent_id: str) -> dict[str, str]:
    """Where a sweep is shown by its view in the experiment: a name -> an address."""
    return {
        "all curves": ui.charts(experiment_id, parent_id),
        "table of the jobs": ui.runs_table(experiment_id, parent_id),
    }


def sweep_view(name: str, settings: Sequence[str], parent_id: str, made: int) -> tuple[str, str]:
    """The tag of the experiment, and its value, that is a view of a sweep's jobs.

    The weakest signal comes first. settings: those in which the jobs differ.
    """
    columns = [*(f"params.{setting}" for setting in settings), *RESULT_COLUMNS]
    return ui.VIEW + parent_id, ui.view(name, columns, made, parent_id, STD)


def experiment_tags() -> dict[str, str]:
    """What an experiment says of itself in the UI."""
    return {
        "mlflow.experimentKind": "custom_model_development",  # 3.17 goes by the address
        NOTE: EXPERIMENT_NOTE,
        ui.VIEW + SIGNALS: ui.view(SIGNALS, COLUMNS, made=0),
    }
