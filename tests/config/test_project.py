"""Where the project is, and what an installed package without one says."""

import subprocess
import sys

import pytest

MISSING = "has no conf/config.yaml; set FANIN_PROJECT to a clone of the project, or install"


def python(*arguments: str, folder) -> subprocess.CompletedProcess[str]:
    """Run Python as after `pip install .`, where there is no project folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"FANIN_PROJECT": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "line", ["import fanin", "import fanin.nn.network, fanin.measure.profile, fanin.theory.advice"]
)
def test_what_needs_no_project_works_without(tmp_path, line):
    done = python("-c", line, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["advise depth=3", "sync", "compare x"])
def test_what_needs_one_says_so(tmp_path, command):
    done = python("-m", "fanin", *command.split(), folder=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith(f"fanin: FANIN_PROJECT={tmp_path}: {MISSING}")
    assert [*tmp_path.iterdir()] == []


def test_load_says_so_too(tmp_path):
    done = python("-c", "import fanin; fanin.load()", folder=tmp_path)
    assert MISSING in done.stderr.splitlines()[-1]
