"""Descriptions in the UI, as texts. How they look, tests/test_ui.py sees."""

import re
import shlex

import numpy as np
import pytest
from workplace import PROJECT

from fanin.measure.claims import Finding
from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.report.description import (
    command,
    curve_links,
    question_about,
    question_of,
    run_note,
    sweep_note,
    view_links,
)
from fanin.tracking.store import MAX_TAG_LENGTH


def outcome(verdict="healthy", advice=None, **params) -> RunResult:
    named = {"init": "xavier", "activation": "relu", "depth": "3", "hidden_size": "100"}
    curves = {"activation/std": np.array([1.0, 0.5, 0.25])}
    profile = Profile(3, curves, {"summary/std_growth": 0.5})
    return RunResult(named | params, profile, verdict, "the std <halves>", advice)


def test_a_run_says_what_it_asked_and_found():
    note = run_note("python run.py init=xavier depth=3", outcome("vanishing", "init=kaiming"))
    assert "survive 3 layers of 100 units with relu under init xavier?" in note
    assert "vanishing: the std &lt;halves&gt;\n\nTry init=kaiming" in note
    assert note.endswith("\n    python run.py init=xavier depth=3")
    assert "Try" not in run_note("", outcome())
    assert "Repeat" not in run_note("", outcome())
    assert "survive 1 layer of" in run_note("", outcome(depth="1"))
    assert "without hidden layers" in run_note("", outcome(depth="0"))


def test_a_sweep_says_what_came_out_and_where_to_look():
    outcomes = [outcome(init="xavier"), outcome("dead", init="a|b_c")]
    claim = Finding("x_1 *holds*", "activation/std", "0 to 1", "0.25", "kept")
    note = sweep_note(
        "Which?",
        "python run.py",
        outcomes,
        ["init"],
        "a_b",
        ["it is so"],
        [claim],
        {"s": "#/x"},
        ["p.png"],
    )
    assert note.startswith("**Which?**  \n[s](#/x)  \n1 healthy, 1 dead; a\\_b\n\n![](p.png)")
    assert "\n- it is so\n" in note
    assert "- kept: x\\_1 \\*holds\\* (activation/std: 0.25)" in note
    assert note.endswith(
        "|xavier&emsp;|healthy&emsp;|0.25|0.5|-|\n|a\\|b\\_c&emsp;|dead&emsp;|0.25|0.5|-|"
    )


def test_a_sweep_of_which_nothing_ended_well_says_so():
    note = sweep_note("Which?", "python run.py", [], ["init"])
    assert "no job has ended well" in note
    assert "|" not in note


def test_a_large_sweep_fits_into_what_every_store_takes():
    outcomes = [outcome(**{"init.scale": str(n / 7)}) for n in range(300)]
    findings = [Finding("as expected " * 3, "activation/std", "", "1", "kept")] * 15
    links = curve_links("1", [f"{n:032x}" for n in range(300)]) | view_links("1", "p" * 32)
    note = sweep_note("Which?", "python run.py", outcomes, ["init.scale"], "x", [], findings, links)
    assert len(note) <= MAX_TAG_LENGTH
    assert note.endswith("the table of the jobs has them all")
    assert all(name in note for name in links)
    long = "python run.py -m init.scale=" + ",".join(["1.123456789"] * 300)
    asked = question_about({"init.scale": [str(n) * 200 for n in range(300)]})
    best = "best: " + "init=x " * 40
    note = sweep_note(
        asked, long, outcomes, ["init.scale"], best, ["why " * 80] * 3, findings, links
    )
    assert len(note) <= MAX_TAG_LENGTH
    assert "[gradients of 20 of the 300 runs](" in note
    assert "see the tag overrides" in note
    short = sweep_note("Which?", "python run.py", outcomes, ["init.scale"])
    assert short.count("|healthy") == 40


def test_each_experiment_file_asks_a_question():
    for path in (PROJECT / "experiments").rglob("*.yaml"):
        assert re.fullmatch(r"[A-Z].*\?", question_of(path.read_text())), path
    assert question_of("# Question: why\n#   so?\n#\n# because\n") == "Why so?"
    assert question_of("depth: 50\n") == ""


def test_a_value_of_several_lines_breaks_no_table():
    note = sweep_note("Which?", "python run.py a='x\ny'", [outcome(init="a\nb")], ["init"])
    assert "|a b&emsp;|" in note
    assert "\n    python run.py a='x y'\n" in note


def test_a_sweep_without_a_file_asks_about_its_settings():
    few = {"init": ["a", "b", "a"], "depth": ["1", "1", "1"]}
    assert question_about(few) == "Where will a signal survive: init a, b; depth 1?"
    many = {"seed": [str(n) for n in range(100)]}
    assert question_about(many) == "Where will a signal survive: seed 0, 1, ... 99 (100)?"


@pytest.mark.parametrize(
    ("overrides", "is_sweep", "line"),
    [
        (["init=xavier,kaiming", "depth=10"], True, "-m init=xavier,kaiming depth=10"),
        (["experiment=a/b", "depth=10"], True, "experiment=a/b depth=10"),
        (["seed=range(0,4)"], True, "-m 'seed=range(0,4)'"),
        (["data.path=my file.csv"], False, "'data.path=my file.csv'"),
        (
            ["depth=3", "tracking.uri=http://x", "hydra.run.dir=/a", "sweep.resume=true"],
            False,
            "depth=3",
        ),
        (["hydra/launcher=joblib", "+tracking.parent=x", "claims.strict=true"], True, "-m"),
        (["sweep.exclude=[{init: a}]"], True, "-m 'sweep.exclude=[{init: a}]'"),
    ],
)
def test_a_command_repeats_what_was_run_wherever_it_is_tracked(overrides, is_sweep, line):
    said = command(overrides, is_sweep=is_sweep)
    assert said == f"python run.py {line}"
    assert all(word in ["python", "run.py", "-m", *overrides] for word in shlex.split(said))
