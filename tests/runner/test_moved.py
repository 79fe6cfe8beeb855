"""A project folder that was moved or renamed: its runs are found where they are now."""

import os
import shutil

import pytest
from workplace import Workplace

LINE = ["-m", "init=xavier,kaiming", "depth=2", "hidden_size=4", "replicas=2"]


@pytest.fixture(params=["with its folders", "with its artifacts", "with its store alone"])
def moved(request, tmp_path) -> tuple[Workplace, str]:
    """A project that ran a sweep and was moved, and the table that the sweep ended with."""
    old = tmp_path / "old"
    old.mkdir()
    workplace = project_at(old)
    table = run(workplace, *LINE)
    old.rename(tmp_path / "new")
    new = project_at(tmp_path / "new")
    outputs = new.project / "outputs"
    if request.param != "with its folders":
        shutil.rmtree(outputs / "sweeps")
    if request.param == "with its store alone":
        shutil.rmtree(outputs / "artifacts")
    return new, table


def project_at(folder) -> Workplace:
    project = folder / "project"
    if not project.exists():
        workplace = Workplace.with_own_project(folder)
        return Workplace(folder / "here", workplace.project, default_uri(project))
    return Workplace(folder / "here", project, default_uri(project))


def default_uri(project) -> str:
    return f"sqlite:///{project}/outputs/mlflow.db"


def run(workplace: Workplace, *line: str) -> str:
    """The table at the end of a sweep in its usual folder."""
    place = f"hydra.sweep.dir={workplace.project}/outputs/sweeps/mine"
    return workplace.run(*line, place).stdout.split("\n\n")[0]


def test_it_is_resumed_with_all_its_numbers(moved):
    workplace, table = moved
    again = workplace.run(*LINE, "sweep.resume=true")
    assert again.stdout.split("\n\n")[0] == table
    assert "2 already done" in again.stdout
    assert len(workplace.runs()) == 3


def test_it_is_compared_and_loaded(moved, monkeypatch):
    workplace, table = moved
    (parent,) = workplace.parents()
    done = workplace.fanin("compare", parent.info.run_id)
    assert done.stdout.split("\n\n")[0] == table
    assert not os.path.exists(workplace.project.parents[1] / "old")


def test_its_sweep_is_repeated(moved, request):
    workplace, _ = moved
    (parent,) = workplace.parents()
    if "alone" in request.node.name:
        done = workplace.run("-m", f"from_run={parent.info.run_id}", status=1)
        assert "sweep.yaml" in done.stderr
        return
    workplace.run("-m", f"from_run={parent.info.run_id}", "seed=5")
    assert len(workplace.children()) == 4
