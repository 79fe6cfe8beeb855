"""The final table, as text."""

import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from fanin.measure import verdict as verdict_module
from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.report.comparison import Line, compare
from fanin.report.progress import progress
from fanin.report.terminal import (
    print_explanations,
    print_links,
    print_location,
    show,
    show_comparison,
)

VERDICTS = re.findall(r"^    ([a-z]+) {3,}", verdict_module.__doc__, re.MULTILINE)


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
    params = {"init": init, "depth": str(len(std))}
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
    lines = printed(lambda console: show(rows, ["init", "depth"], console))
    kaiming, normal = (line.split() for line in lines[-2:])
    assert kaiming[:5] == ["kaiming", "2", "0.8", "0.5", "0.707"]
    # No job has a growth of its gradients here: the column is left out.
    assert kaiming[5:] == ["0.5", "0.8", "1.5", "12", "▁▁", "healthy"]
    assert normal[2:4] == ["10", "1e+36"]
    assert normal[-2:] == ["▂█x", "exploding"]


def test_small_numbers_are_written_short():
    lines = printed(lambda c: show([line("xavier", [1, 2.98e-8], "vanishing")], ["init"], c))
    assert lines[-1].split()[2] == "2.98e-8"


def test_settings_are_shown_as_they_are():
    rows = [line("[red]x[/y]", [1], "healthy")]
    assert printed(lambda console: show(rows, ["init"], console))[-1].startswith("[red]x[/y]")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_has_its_colour_on_a_terminal_and_none_elsewhere(verdict):
    row = line("xavier", [1], verdict)
    assert printed(lambda c: show([row], ["init"], c))[-1].split()[-1] == verdict
    text = io.StringIO()
    terminal = Console(file=text, width=120, force_terminal=True, color_system="standard")
    show([row], ["init"], terminal)
    assert re.search(rf"\x1b\[[\d;]+m{verdict}", text.getvalue())


def test_rows_whose_settings_are_not_all_there():
    plain = line("b", [1], "healthy").outcome
    scaled = replace(plain, params=plain.params | {"init": "a", "init.scale": "2"})
    shown = compare([plain, scaled], ["init", "init.scale"], "")
    lines = printed(lambda c: show_comparison(shown, ["init", "init.scale"], c))
    assert [row.split()[:2] for row in lines[2:4]] == [["b", "-"], ["a", "2"]]


def test_an_address_is_one_line_however_long():
    address = "http://host/#/metric?" + 3000 * "x"
    lines = printed(lambda console: print_links({"std": address}, console))
    assert f"    std  {address}" in lines


@pytest.mark.parametrize(
    ("jobs", "more"), [(1, []), (8, []), (9, ["and 1 more"]), (40, ["and 32 more"])]
)
def test_a_line_a_job_says_why_up_to_eight(jobs, more):
    named = [(f"seed={n}", line("x", [1], "dead").outcome) for n in range(jobs)]
    blank, *lines = printed(lambda console: print_explanations(named, console))
    assert blank == ""
    assert lines[: min(jobs, 8)] == [f"seed={n} is dead: it is dead" for n in range(min(jobs, 8))]
    assert [line.split(":")[0] for line in lines[8:]] == more


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
    with progress("jobs", 3, lambda: done):
        done = 3
    assert "3/3" in capsys.readouterr().err
