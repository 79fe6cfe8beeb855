"""Addresses in MLflow's UI. test_browser.py looks whether they open what they say."""

import json
from itertools import pairwise
from urllib.parse import parse_qs

import pytest

from fanin.tracking.ui import LOCAL, MAX_RUNS, Pages, base_address, format_view, picture_address

PAGES = Pages("1", is_tested=True)
PLAIN = Pages("1", is_tested=False)


def query(address: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(address.partition("?")[2]).items()}


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sqlite:////a/b.db", LOCAL),
        ("postgresql+psycopg://me:secret@host/mlflow", LOCAL),
        ("http://host:5000", "http://host:5000"),
        ("https://host/mlflow/", "https://host/mlflow"),
        ("https://me:p@ss/word@host:80/", "https://host:80"),
        ("https://***@host", "https://host"),
        ("https://host/?token=x", "https://host"),
    ],
)
def test_a_server_is_its_own_base_and_no_password_is_in_it(uri, address):
    assert base_address(uri) == address


def test_curves_lie_over_each_other_on_a_log_scale():
    address = Pages("7", is_tested=True).curves(["a" * 32, "b" * 32], ["x/std", "x/std_theory"])
    assert address.startswith("#/metric?")
    values = query(address)
    assert json.loads(values["runs"]) == ["a" * 32, "b" * 32]
    assert json.loads(values["experiments"]) == ["7"]
    assert json.loads(values["plot_metric_keys"]) == ["x/std", "x/std_theory"]
    assert (values["x_axis"], values["y_axis_scale"]) == ("step", "log")


@pytest.mark.parametrize("count", [1, MAX_RUNS, MAX_RUNS + 1, 1000])
def test_of_many_runs_some_spread_evenly_are_in_the_address(count):
    ids = [f"{n:032x}" for n in range(count)]
    address = PAGES.curves(ids, ["x"])
    shown = [int(run, 16) for run in json.loads(query(address)["runs"])]
    assert len(shown) == min(count, MAX_RUNS)
    assert (shown[0], shown[-1]) == (0, count - 1)
    gaps = [after - before for before, after in pairwise(shown)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert len(address) < 1200


@pytest.mark.parametrize(
    "address",
    [
        PAGES.curves(["a"], ["x/std", "x/a b"]),
        PAGES.charts("key"),
        PAGES.runs_table("key"),
        PAGES.run("a", "a (b) [c].png"),
        picture_address("a", "a (b) [c].png"),
    ],
)
def test_neither_markdown_nor_a_terminal_ends_an_address_early(address):
    assert not set(address) & set(" \"'`<>[]{}()|\\^")


def test_a_ui_that_no_test_has_seen_is_entered_at_its_plain_pages():
    assert (
        PLAIN.run("a" * 32)
        == PLAIN.run("a" * 32, "page.html")
        == f"#/experiments/1/runs/{'a' * 32}"
    )
    for address in (PLAIN.curves(["a"], ["x"]), PLAIN.charts("key"), PLAIN.runs_table("key")):
        assert address == "#/experiments/1"


@pytest.mark.parametrize("pages", [PAGES, PLAIN])
def test_an_id_ends_no_address(pages):
    assert " " not in pages.run("a) [b](c d")
    assert ")" not in pages.run("a) [b](c d")


def test_a_view_shows_its_columns_and_its_sweep_in_order():
    view = json.loads(format_view("mine", ["params.depth", "metrics.x/std"], 5, "p", "x/std"))
    assert (view["name"], view["createdAt"]) == ("mine", 5)
    state = json.loads(view["state"])
    assert state["selectedColumns"] == ["params.`depth`", "metrics.`x/std`"]
    assert state["searchFilter"] == "tags.mlflow.parentRunId = 'p'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`x/std`", True)
