"""Addresses in MLflow's own UI, and the views of its runs table.

An address begins with `#` or with the name of a page, and holds for whatever server one is on: in
a run's description it is a link as it stands, and on a screen it follows `base`.
"""

import json
from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from fanin.tracking.store import without_password

MAX_RUNS = 20
"""In one address, of 40 characters a run; and more curves than that no eye holds apart."""
LOCAL = "http://127.0.0.1:5000"
"""Where `mlflow ui` answers, unless it is told otherwise."""
VIEW = "mlflow.sharedViewState."
"""An experiment's tag that begins so is a view of its runs table; its key follows."""
WIDTH = 175
"""Of a column of numbers, in pixels. In a narrower one the UI cuts off the e-9 of a number."""
_TRAINING = {"workflowType": "machine_learning"}  # or the UI is that of chats and agents


def base(uri: str) -> str:
    """Where the UI of a store is: at a server itself, at `mlflow ui` for a database."""
    if not uri.startswith(("http://", "https://")):
        return LOCAL
    address = urlsplit(without_password(uri))
    host = address.netloc.rpartition("@")[2]
    return f"{address.scheme}://{host}{address.path}".rstrip("/")


def curves(experiment_id: str, run_ids: Sequence[str], metrics: Sequence[str]) -> str:
    """These metrics of several runs over their steps, on a log scale.

    The first is drawn solid, the second dashed. Of more runs than MOST_RUNS every so-manieth.
    """
    return "#/metric?" + _query(
        runs=_json(_some(run_ids)),
        experiments=_json([experiment_id]),
        metric=_json(metrics[0]),
        plot_metric_keys=_json(metrics),
        plot_layout=_json({"yaxis": {"type": "log"}}),  # what the switch beside the chart shows
        y_axis_scale="log",
        x_axis="step",
    )


def runs_table(experiment_id: str, key: str) -> str:
    """The runs table, as the view with this key has it."""
    return f"#/experiments/{experiment_id}/runs?" + _query(viewStateShareKey=key)


def charts(experiment_id: str, key: str) -> str:
    """The curves of the runs in that view, a chart for each metric."""
    where = f"#/experiments/{experiment_id}/runs?"
    return where + _query(viewStateShareKey=key, compareRunsMode="CHART")


def run_page(experiment_id: str, run_id: str, artifact: str = "") -> str:
    """The page of a run, open at its overview or at an artifact."""
    place = f"/artifacts/{quote(artifact)}" if artifact else ""
    return f"#/experiments/{experiment_id}/runs/{run_id}{place}?" + _query()


def picture(run_id: str, artifact: str) -> str:
    """An artifact itself, for a description that shows it."""
    return "get-artifact?" + urlencode({"path": artifact, "run_uuid": run_id}, quote_via=quote)


def view(
    name: str, columns: Sequence[str], made: int, parent_id: str = "", metric: str = ""
) -> str:
    """A view as the UI keeps it in a tag, and offers it by name in its menu.

    columns: such as params.depth, tags.verdict and metrics.loss. made: milliseconds since 1970.
    parent_id: that only its children are shown. metric: that they are in the order of it; in that
    of time they would wait, folded, below their parent.
    """
    shown = [_column(column) for column in columns]
    wide = {column: WIDTH for column in shown if column.startswith("metrics.")}
    state: dict[str, object] = {
        "selectedColumns": shown,
        "columnOrder": shown,
        "columnWidths": wide,
    }
    if parent_id:
        state |= {"searchFilter": f"tags.{MLFLOW_PARENT_RUN_ID} = '{parent_id}'"}
    if metric:
        state |= {"orderByKey": _column(f"metrics.{metric}"), "orderByAsc": True}
    kept = {"name": name, "createdAt": made, "updatedAt": made, "state": json.dumps(state)}
    return json.dumps(kept)


def _some(run_ids: Sequence[str]) -> list[str]:
    """At most MOST_RUNS of them, the first and the last among them, spread evenly."""
    last = len(run_ids) - 1
    if last < MAX_RUNS:
        return [*run_ids]
    return [run_ids[round(n * last / (MAX_RUNS - 1))] for n in range(MAX_RUNS)]


def _column(name: str) -> str:
    kind, _, key = name.partition(".")
    return f"{kind}.`{key}`"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _query(**values: str) -> str:
    """Neither brackets nor quotes nor spaces: markdown and terminals end an address at them."""
    return urlencode({**values, **_TRAINING}, safe="/,:", quote_via=quote)
