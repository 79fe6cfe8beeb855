"""Lines that people type: read in any order, and printed so that they can be pasted."""

import shlex

import pytest

from fanin.config.command_line import flags_first, format_overrides, repeat_command


def test_flags_may_stand_anywhere():
    typed = ["init=xavier,kaiming", "-m", "depth=10,50", "--cfg", "job", "~claims"]
    first = ["-m", "--cfg", "job"]
    assert flags_first(typed) == [*first, "init=xavier,kaiming", "depth=10,50", "~claims"]
    assert flags_first(["-m"]) == ["-m"]
    assert flags_first([]) == []


def test_what_a_sweep_gives_its_jobs_is_not_shown():
    assert format_overrides(["tracking.parent=abc", "depth=1", "tracking.job=3"]) == "depth=1"


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
    command = repeat_command(overrides, is_sweep=is_sweep)
    assert command == f"python run.py {line}"
    assert all(word in ["python", "run.py", "-m", *overrides] for word in shlex.split(command))
