"""Addresses in MLflow's UI. Whether they open what they say, tests/test_ui.py looks."""

import json
from itertools import pairwise
from urllib.parse import parse_qs

import pytest

from fanin.tracking import ui as links


def query(address: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(address.partition("?")[2]).items()}


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("sqlite:////a/b.db", links.LOCAL),
        ("postgresql+psycopg://me:secret@host/mlflow", links.LOCAL),
        ("http://host:5000", "http://host:5000"),
        ("https://host/mlflow/", "https://host/mlflow"),
        ("https://me:p@ss/word@host:80/", "https://host:80"),
        ("https://***@host", "https://host"),
        ("https://host/?token=x", "https://host"),
    ],
)
def test_a_server_is_its_own_base_and_no_password_is_in_it(uri, base):
    assert links.base(uri) == base


def test_curves_lie_over_each_other_on_a_log_scale():
    address = links.curves("7", ["a" * 32, "b" * 32], ["x/std", "x/std_theory"])
    assert address.startswith("#/metric?")
    said = query(address)
    assert json.loads(said["runs"]) == ["a" * 32, "b" * 32]
    assert json.loads(said["experiments"]) == ["7"]
    assert json.loads(said["plot_metric_keys"]) == ["x/std", "x/std_theory"]
    assert (said["x_axis"], said["y_axis_scale"]) == ("step", "log")


@pytest.mark.parametrize("count", [1, links.MAX_RUNS, links.MAX_RUNS + 1, 1000])
def test_of_many_runs_some_spread_evenly_are_in_the_address(count):
    ids = [f"{n:032x}" for n in range(count)]
    address = links.curves("1", ids, ["x"])
    shown = [int(run, 16) for run in json.loads(query(address)["runs"])]
    assert len(shown) == min(count, links.MAX_RUNS)
    assert (shown[0], shown[-1]) == (0, count - 1)
    gaps = [after - before for before, after in pairwise(shown)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert len(address) < 1200


@pytest.mark.parametrize(
    "address",
    [
        links.curves("1", ["a"], ["x/std", "x/a b"]),
        links.charts("1", "key"),
        links.runs_table("1", "key"),
        links.run_page("1", "a", "a (b) [c].png"),
        links.picture("a", "a (b) [c].png"),
    ],
)
def test_neither_markdown_nor_a_terminal_ends_an_address_early(address):
    assert not set(address) & set(" \"'`<>[]{}()|\\^")


def test_a_view_shows_its_columns_and_its_sweep_in_order():
    kept = json.loads(links.view("mine", ["params.depth", "metrics.x/std"], 5, "p", "x/std"))
    assert (kept["name"], kept["createdAt"]) == ("mine", 5)
    state = json.loads(kept["state"])
    assert state["selectedColumns"] == ["params.`depth`", "metrics.`x/std`"]
    assert state["searchFilter"] == "tags.mlflow.parentRunId = 'p'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`x/std`", True)
