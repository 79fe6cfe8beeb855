"""Jobs that raise, exit, or are killed by the system: each costs itself, and says why."""

import pytest
from workplace import Workplace

LINE = ["-m", "--config-dir=options", "activation=trouble", "depth=2", "hidden_size=4"]
WHY = {
    "raise": "RuntimeError: not today",
    "exit": "RuntimeError: exit(3) was called",
    "kill": "its process was ended from outside",
    "die": "its process was ended from outside",
}


@pytest.fixture
def workplace(tmp_path):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.extend()
    return workplace


def by_trouble(workplace) -> dict[str, list]:
    runs: dict[str, list] = {}
    for run in workplace.children():
        runs.setdefault(run.data.params["activation.how"], []).append(run)
    return runs


def artifacts(workplace, run) -> set[str]:
    return {file.path for file in workplace.client().list_artifacts(run.info.run_id)}


def test_under_basic_a_job_that_raises_or_exits_fails_alone(workplace):
    done = workplace.run(*LINE, "activation.how=raise,none,exit,picky", status=1)
    runs = by_trouble(workplace)
    assert {how: run.info.status for how, (run,) in runs.items()} == {
        "raise": "FAILED",
        "none": "FINISHED",
        "exit": "FAILED",
        "picky": "FINISHED",
    }
    (picky,) = runs["picky"]  # measured, though theory cannot be asked
    assert picky.data.tags["theory.error"] == "AssertionError: no matrices"
    assert "activation/std" in picky.data.metrics
    assert "activation/std_theory" not in picky.data.metrics
    for how in ("raise", "exit"):
        (run,) = runs[how]
        assert run.data.tags["error"] == WHY[how]
        assert "traceback.txt" in artifacts(workplace, run)
        assert run.data.params["depth"] == "2"
        assert WHY[how] in done.stderr
    (parent,) = workplace.parents()
    assert parent.info.status == "FAILED"
    assert parent.data.tags["sweep.finished"] == "2 of 4 jobs"
    assert "2 jobs failed, 2 of 4 jobs finished" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_under_basic_a_job_that_takes_the_sweep_with_it_is_passed_by_a_resume(workplace):
    how = "kill"
    line = [*LINE, f"activation.how={how},none,sleep"]
    workplace.run(*line, status=-9)
    assert [run.info.status for run in workplace.runs()] == ["RUNNING", "RUNNING"]
    # It comes last now, and takes the sweep with it again, but the others are done.
    workplace.run(*line, "sweep.resume=true", status=-9)
    runs = by_trouble(workplace)
    assert [run.info.status for run in runs["none"] + runs["sleep"]] == ["FINISHED"] * 2
    exclude = f"sweep.exclude=[{{activation.how: {how}}}]"
    workplace.run(*line, "sweep.resume=true", exclude)
    runs = by_trouble(workplace)
    assert [run.info.status for run in runs[how]] == ["KILLED"] * 2
    assert all(WHY[how] in run.data.tags["error"] for run in runs[how])
    (parent,) = workplace.parents()
    assert parent.info.status == "FINISHED"


def test_a_single_run_that_fails_is_kept_as_failed(workplace):
    workplace.run(*LINE[1:], "activation.how=raise", status=1)
    (run,) = workplace.runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == WHY["raise"]


def test_divergence_is_a_result(workplace):
    workplace.run("-m", "init=normal", "activation=identity", "depth=50,100")
    assert [run.info.status for run in workplace.runs()] == ["FINISHED"] * 3
