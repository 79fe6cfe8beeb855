"""Descriptions for MLflow's UI, as texts. tests/tracking/test_browser.py sees how they look."""

import numpy as np

from fanin.measure.claims import Finding
from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.report.comparison import compare
from fanin.report.description import describe_run, describe_sweep, question_about

MAX_LENGTH = 5000


def result(verdict="healthy", advice=None, depth=3, explanation="the std <halves>", **params):
    named = {"init": "xavier", "activation": "relu", "hidden_size": 100, "replicas": 1}
    curve = 0.5 ** np.arange(depth)
    curves = dict.fromkeys(
        ["activation/std", "activation/mean", "gradient/preactivation_norm"], curve
    )
    curves |= dict.fromkeys(["activation/correlation", "activation/dead_fraction"], 0 * curve)
    profile = Profile(depth, curves, {"summary/std_growth": 0.5, "summary/loss": 1.0})
    return RunResult({**named, "depth": depth, **params}, profile, verdict, explanation, advice)


def sweep(results, settings=("init",), question="Which?", command="python run.py", **others):
    comparison = compare(results, settings, "") if results else None
    return describe_sweep(question, command, comparison, settings, MAX_LENGTH, **others)


def test_a_run_says_what_it_asked_and_found():
    note = describe_run(result("vanishing", "init=kaiming"), "python run.py init=xavier depth=3")
    assert "survive 3 layers of 100 units with relu under init xavier?" in note
    assert "vanishing: the std &lt;halves&gt;\n\nTry init=kaiming" in note
    assert note.endswith("\n    python run.py init=xavier depth=3")
    assert "Try" not in describe_run(result(), "")
    assert "Repeat" not in describe_run(result(), "")
    assert "survive 1 layer of" in describe_run(result(depth=1), "")
    assert "without hidden layers" in describe_run(result(depth=0), "")


def test_a_sweep_says_what_came_out_and_where_to_look():
    results = [result("dead", "init=b", init="a|b_c"), result(init="xavier")]
    claim = Finding("x_1 *holds*", "activation/std", "0 to 1", "0.25", "kept")
    note = sweep(results, findings=[claim], links={"s": "#/x"}, pictures=["p.png"])
    assert note.startswith(
        "**Which?**  \n[s](#/x)  \n1 healthy, 1 dead; best: init=xavier, healthy\n\n![](p.png)"
    )
    assert "\n- init=a\\|b\\_c is dead: the std &lt;halves&gt;. Try init=b\n" in note
    assert "\n- kept: x\\_1 \\*holds\\* (activation/std: 0.25)" in note
    assert note.endswith(
        "|xavier&emsp;|healthy&emsp;|0.25|0.5|-|\n|a\\|b\\_c&emsp;|dead&emsp;|0.25|0.5|-|"
    )


def test_at_most_three_lines_are_explained():
    note = sweep([result("dead", init=init) for init in "abcdef"])
    assert note.count(" is dead: ") == 3


def test_a_sweep_of_which_nothing_ended_well_says_so():
    note = sweep([])
    assert "no job has finished" in note
    assert "|" not in note


def test_a_large_sweep_fits_into_what_every_store_takes():
    results = [result(**{"init.scale": n / 7}) for n in range(300)]
    findings = [Finding("as expected " * 3, "activation/std", "", "1", "kept")] * 15
    links = {f"curves {n}": f"#/metric?{950 * 'f'}" for n in range(3)}  # as of 20 runs
    links |= dict.fromkeys(("charts", "jobs"), f"#/experiments/{100 * 'f'}")
    settings = ["init.scale"]
    note = sweep(results, settings, findings=findings, links=links)
    assert len(note) <= MAX_LENGTH
    assert note.endswith("comparison.csv has all jobs")
    assert all(name in note for name in links)
    command = "python run.py -m init.scale=" + ",".join(["1.123456789"] * 300)
    question = question_about({"init.scale": [str(n) * 200 for n in range(300)]})
    results = [
        result("dead", explanation="why " * 80, **{"init.scale": f"{n} " + "x " * 200})
        for n in range(40)
    ]
    note = sweep(results, settings, question, command, findings=findings, links=links)
    assert len(note) <= MAX_LENGTH
    assert "[curves 1](" in note
    assert "see the tag overrides" in note
    short = sweep([result(seed=seed) for seed in range(300)], ["seed"])
    assert short.count("|healthy") == 40


def test_a_value_of_several_lines_breaks_no_table():
    note = sweep([result(init="a\nb")], command="python run.py a='x\ny'")
    assert "|a b&emsp;|" in note
    assert "\n    python run.py a='x y'\n" in note


def test_a_sweep_without_a_file_asks_about_its_settings():
    few = {"init": ["a", "b", "a"], "depth": [1, 1, 1]}
    assert question_about(few) == "Where will a signal survive: init a, b; depth 1?"
    many = {"seed": [*range(100)]}
    assert question_about(many) == "Where will a signal survive: seed 0, 1, ... 99 (100)?"
