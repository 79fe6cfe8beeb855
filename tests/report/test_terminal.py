"""Tables and sentences on the screen, as text."""

import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.measure.verdict import VERDICTS
from fanin.report.comparison import compare
from fanin.report.line import Line
from fanin.report.progress import show_progress
from fanin.report.results_table import print_comparison, print_explanations, print_results
from fanin.report.sweep_tables import Failure, PlannedJob, print_failures, print_plan
from fanin.report.terminal import print_links, print_location


def line(init: str, std: list[float], verdict: str) -> Line:
    curve = np.array(std)
    profile = Profile(
        depth=len(std),
        curves={
            "activation/std": curve,
            "activation/mean": curve,
            "activation/correlation": 0 * curve,
            "gradient/preactivation_norm": curve[::-1],
        },
        numbers={
            "summary/std_growth": 0.70710678,
            "summary/loss": 1.0,
            "summary/forward_ms": 1.5,
            "summary/backward_ms": 12.0,
        },
    )
    params = {"init": init, "depth": len(std)}
    return Line({}, [RunResult(params, profile, verdict, f"it is {verdict}")])


def printed(show_it) -> list[str]:
    text = io.StringIO()
    show_it(Console(file=text, width=120, markup=False))
    return text.getvalue().splitlines()


def test_a_row_a_job_with_the_first_and_the_last_finite_value():
    rows = [
        line("kaiming", [0.8, 0.5], "healthy"),
        line("normal", [10, 1e36, math.nan], "exploding"),
    ]
    lines = printed(lambda console: print_results(rows, ["init", "depth"], console))
    kaiming, normal = (line.split() for line in lines[-2:])
    assert kaiming[:5] == ["kaiming", "2", "0.8", "0.5", "0.707"]
    # No job has a growth of its gradients here: the column is left out.
    assert kaiming[5:] == ["0.5", "0.8", "1.5", "12", "▁▁", "healthy"]
    assert normal[2:4] == ["10", "1e+36"]
    assert normal[-2:] == ["▂█x", "exploding"]


def test_small_numbers_are_written_short():
    lines = printed(
        lambda c: print_results([line("xavier", [1, 2.98e-8], "vanishing")], ["init"], c)
    )
    assert lines[-1].split()[2] == "2.98e-8"


def test_settings_are_shown_as_they_are():
    rows = [line("[red]x[/y]", [1], "healthy")]
    assert printed(lambda console: print_results(rows, ["init"], console))[-1].startswith(
        "[red]x[/y]"
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_has_its_colour_on_a_terminal_and_none_elsewhere(verdict):
    row = line("xavier", [1], verdict)
    assert printed(lambda c: print_results([row], ["init"], c))[-1].split()[-1] == verdict
    text = io.StringIO()
    terminal = Console(file=text, width=120, force_terminal=True, color_system="standard")
    print_results([row], ["init"], terminal)
    assert re.search(rf"\x1b\[[\d;]+m{verdict}", text.getvalue())


def test_rows_whose_settings_are_not_all_there():
    (plain,) = line("b", [1], "healthy").results
    scaled = replace(plain, params=plain.params | {"init": "a", "init.scale": 2.0})
    shown = compare([plain, scaled], ["init", "init.scale"], "")
    lines = printed(lambda c: print_comparison(shown, ["init", "init.scale"], c))
    assert [row.split()[:2] for row in lines[2:4]] == [["b", "-"], ["a", "2.0"]]


def test_an_address_is_one_line_however_long():
    address = "http://host/#/metric?" + 3000 * "x"
    lines = printed(lambda console: print_links({"std": address}, console))
    assert f"    std  {address}" in lines


@pytest.mark.parametrize(
    ("jobs", "more"), [(1, []), (8, []), (9, ["and 1 more"]), (40, ["and 32 more"])]
)
def test_a_sentence_a_job_explains_it_up_to_eight(jobs, more):
    named = [(f"seed={n}", line("x", [1], "dead")) for n in range(jobs)]
    blank, *lines = printed(lambda console: print_explanations(named, console))
    assert blank == ""
    assert lines[: min(jobs, 8)] == [f"seed={n} is dead: it is dead" for n in range(min(jobs, 8))]
    assert [line.split(":")[0] for line in lines[8:]] == more


def test_the_same_advice_is_not_repeated():
    (dead,) = line("x", [1], "dead").results
    jobs = [Line({}, [replace(dead, advice=f"init={init}")]) for init in "aab"]
    lines = printed(lambda c: print_explanations([("it", job) for job in jobs], c))
    assert [text.strip() for text in lines[2::2]] == [
        "try init=a",
        "same suggestion as above",
        "try init=b",
    ]


def test_an_unknown_verdict_is_shown_without_a_style():
    lines = printed(lambda c: print_results([line("x", [1], "[b]odd")], ["init"], c))
    assert lines[-1].split()[-1] == "[b]odd"


def test_a_plan_shows_settings_that_some_jobs_lack():
    jobs = [
        PlannedJob(0, {"init": "a", "init.scale": 2.0}, 0.4, 2**20, "to run", "healthy?", 0.5),
        PlannedJob(1, {"init": "b"}, 0, 0, "left out", "", math.nan),
    ]
    lines = printed(lambda c: print_plan(jobs, ["init", "init.scale"], c))
    assert [row.split() for row in lines[2:]] == [
        ["0", "a", "2.0", "0.4", "s", "1", "MiB", "0.5", "healthy?", "to", "run"],
        ["1", "b", "-", "-", "-", "-", "-", "left", "out"],
    ]


def test_a_failure_is_shown_as_it_is():
    failure = Failure(3, "init=[red]", "it [bold]broke[/bold]", None)
    assert printed(lambda c: print_failures([failure], c))[-1].split() == [
        *("3", "init=[red]", "it", "[bold]broke[/bold]", "-")
    ]


def test_where_to_look(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    local = printed(
        lambda c: print_location("a run", "lab", f"sqlite:///{tmp_path}/outputs/mlflow.db", c)
    )
    assert "    mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db" in local
    server = printed(lambda c: print_location("a run", "lab", "http://host:5000", c))
    assert "    http://host:5000" in server


def test_the_bar_ends_at_what_was_done(capsys):
    done = 0
    with show_progress("jobs", 3, lambda: done):
        done = 3
    assert "3/3" in capsys.readouterr().err
