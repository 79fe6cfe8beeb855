"""Addresses of pages in MLflow's own UI, and views of its runs table.

An address begins with `#` or with the name of a page, and is the same for every server: a run's
description uses it as a link, and the terminal prints it after `base_address`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from fanin.tracking.passwords import mask_passwords
from fanin.tracking.tags import PARENT

MAX_RUNS = 20
"""The most runs in one address: a run takes 40 characters, and more curves look alike."""
LOCAL = "http://127.0.0.1:5000"
"""The default address of `mlflow ui`."""
VIEW = "mlflow.sharedViewState."
"""An experiment's tag with this prefix is a view of its runs table; the view's key follows."""
COLUMN_WIDTH = 175
"""Pixels of a column of numbers. In a narrower one the UI cuts off the e-9 of a number."""
_TRAINING = {"workflowType": "machine_learning"}  # else the UI shows chats and agents


def base_address(uri: str) -> str:
    """Return the address of a store's UI: the server, or `mlflow ui` for a database."""
    if not uri.startswith(("http://", "https://")):
        return LOCAL
    address = urlsplit(mask_passwords(uri))
    host = address.netloc.rpartition("@")[2]
    return f"{address.scheme}://{host}{address.path}".rstrip("/")


@dataclass(frozen=True)
class Pages:
    """The pages of one experiment.

    is_tested: whether this version of the UI is tested. If not, an address leads to the plain page
    of the run or of the experiment.
    """

    experiment_id: str
    is_tested: bool

    def curves(self, run_ids: Sequence[str], metrics: Sequence[str]) -> str:
        """Metrics of several runs over their steps, on a log scale.

        The first metric is drawn solid, the second dashed. If there are more than MAX_RUNS runs,
        it shows that many, evenly spaced.
        """
        if not self.is_tested:
            return self._experiment
        return "#/metric?" + _query(
            runs=_json(_spread(run_ids)),
            experiments=_json([self.experiment_id]),
            metric=_json(metrics[0]),
            plot_metric_keys=_json(metrics),
            plot_layout=_json({"yaxis": {"type": "log"}}),  # the switch next to the chart follows
            y_axis_scale="log",
            x_axis="step",
        )

    def runs_table(self, key: str) -> str:
        """The runs table, in the view with this key."""
        if not self.is_tested:
            return self._experiment
        return f"{self._experiment}/runs?" + _query(viewStateShareKey=key)

    def charts(self, key: str) -> str:
        """A chart for each metric, with the curves of the runs in the view with this key."""
        if not self.is_tested:
            return self._experiment
        return f"{self._experiment}/runs?" + _query(viewStateShareKey=key, compareRunsMode="CHART")

    def run(self, run_id: str, artifact: str = "") -> str:
        """The page of a run, open at its overview or at an artifact."""
        page = f"{self._experiment}/runs/{quote(run_id)}"
        if not self.is_tested:
            return page
        return page + (f"/artifacts/{quote(artifact)}" if artifact else "") + "?" + _query()

    @property
    def _experiment(self) -> str:
        return f"#/experiments/{quote(self.experiment_id)}"


def picture_address(run_id: str, artifact: str) -> str:
    """Return the address of an artifact itself, for a description that shows it."""
    return "get-artifact?" + urlencode({"path": artifact, "run_uuid": run_id}, quote_via=quote)


def format_view(
    name: str, columns: Sequence[str], made: int, parent_id: str = "", metric: str = ""
) -> str:
    """Return a view of the runs table as the UI keeps it in a tag and offers it in its menu.

    columns: such as params.depth, tags.verdict and metrics.loss. made: milliseconds since 1970.
    parent_id: show only the children of this run. metric: order the runs by it; ordered by time,
    children would stay folded below their parent.
    """
    shown = [_format_column(column) for column in columns]
    wide = {column: COLUMN_WIDTH for column in shown if column.startswith("metrics.")}
    state: dict[str, object] = {
        "selectedColumns": shown,
        "columnOrder": shown,
        "columnWidths": wide,
    }
    if parent_id:
        state |= {"searchFilter": f"tags.{PARENT} = '{parent_id}'"}
    if metric:
        state |= {"orderByKey": _format_column(f"metrics.{metric}"), "orderByAsc": True}
    view = {"name": name, "createdAt": made, "updatedAt": made, "state": json.dumps(state)}
    return json.dumps(view)


def _spread(run_ids: Sequence[str]) -> list[str]:
    """Return at most MAX_RUNS of the ids, evenly spaced, the first and the last included."""
    last = len(run_ids) - 1
    if last < MAX_RUNS:
        return [*run_ids]
    return [run_ids[round(n * last / (MAX_RUNS - 1))] for n in range(MAX_RUNS)]


def _format_column(name: str) -> str:
    kind, _, key = name.partition(".")
    return f"{kind}.`{key}`"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _query(**values: str) -> str:
    """Return a query without brackets, quotes and spaces, which would end a link in markdown."""
    return urlencode({**values, **_TRAINING}, safe="/,:", quote_via=quote)
