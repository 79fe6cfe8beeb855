"""A sweep that is killed or interrupted: what was done is kept, and the rest resumed."""

import os
import random
import signal
import time
from collections import Counter

import pytest
from workplace import Workplace

JOBS = 8
LINE = ["-m", "--config-dir=options", f"seed=range(0,{JOBS})", "depth=3", "hidden_size=10"]
SLOW = ["activation=trouble", "activation.how=sleep", "timing.warmup=0", "timing.repeats=4"]
WAIT = ["activation=trouble", "activation.how=wait", "timing.warmup=0", "timing.repeats=1"]
WORKERS = ["hydra/launcher=workers", "hydra.launcher.n_jobs=2"]
BY_SEED = ("activation/std", "gradient/preactivation_norm")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """seed -> its curves, from a sweep that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    workplace = Workplace(folder)
    workplace.extend()
    workplace.run(*LINE, "activation=trouble")
    return numbers(workplace)


def numbers(workplace) -> dict[str, list]:
    finished = [run for run in workplace.children() if run.info.status == "FINISHED"]
    return {
        run.data.params["seed"]: [workplace.curve(run, name) for name in BY_SEED]
        for run in finished
    }


def wait_until(condition, process) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def shown(output: str) -> int:
    """How many jobs the table at the end tells of: a row each, or their number where few differ."""
    table = output.split("\n\n", maxsplit=1)[0].splitlines()
    (at,) = [n for n, line in enumerate(table) if line.endswith("verdict")]
    names, rows = table[at].split(), table[at + 1 :]
    return sum(int(row.split()[names.index("runs")]) if "runs" in names else 1 for row in rows)


def statuses(runs) -> Counter:
    return Counter(run.info.status for run in runs)


def test_killed_three_times_and_resumed(tmp_path, undisturbed):
    """At any moment of a job's life."""
    workplace = Workplace.with_own_project(tmp_path)
    workplace.extend()
    line = [*LINE, *SLOW, "sweep.resume=true"]
    moment = random.Random(4)
    for attempt in range(3):
        sweep = f"sweep{attempt}"
        process = workplace.start(*line, f"hydra.sweep.dir={workplace.folder}/{sweep}")
        some = moment.randint(1, 2)
        wait_until(lambda sweep=sweep, some=some: workplace.ended(sweep) >= some, process)
        time.sleep(moment.uniform(0, 0.3))
        process.kill()
        process.communicate(timeout=60)
    done = workplace.run(*line)
    check_complete(workplace, done, undisturbed)


def test_killed_with_workers_and_resumed(tmp_path, undisturbed):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.extend()
    line = [*LINE, *WAIT, "sweep.resume=true"]
    for attempt in range(2):
        sweep = f"sweep{attempt}"
        folder = f"hydra.sweep.dir={workplace.folder}/{sweep}"
        process = workplace.start(*line, *WORKERS, folder)
        workplace.admit(2)
        wait_until(lambda sweep=sweep: workplace.ended(sweep) >= 2, process)
        wait_until(lambda: statuses(workplace.children())["RUNNING"] == 2, process)
        process.kill()
        process.wait()
        workplace.admit(2)  # its workers finish their jobs, and are gone
        process.communicate(timeout=60)
    workplace.admit(JOBS)
    done = workplace.run(*line)
    check_complete(workplace, done, undisturbed)


def check_complete(workplace, done, undisturbed) -> None:
    (parent,) = workplace.parents()
    assert parent.info.status == "FINISHED"
    assert "error" not in parent.data.tags
    children = workplace.children()
    assert set(statuses(children)) <= {"FINISHED", "KILLED"}
    assert statuses(children)["FINISHED"] == JOBS
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert numbers(workplace) == undisturbed
    assert shown(done.stdout) == JOBS
    assert not list((workplace.project / "outputs" / "journal").iterdir())


@pytest.mark.parametrize(
    ("launcher", "how"),
    [([], signal.SIGINT), ([], signal.SIGHUP), (WORKERS, signal.SIGTERM)],
    ids=["SIGINT", "SIGHUP", "workers SIGTERM"],
)
def test_interrupted_and_resumed(tmp_path, launcher, how, undisturbed):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.extend()
    line = [*LINE, *WAIT]
    process = workplace.start(*line, *launcher)
    workplace.admit(2)
    wait_until(lambda: workplace.ended() >= 2, process)
    wait_until(lambda: "RUNNING" in statuses(workplace.children()), process)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does it
    else:
        os.kill(process.pid, how)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    (last,) = [line for line in errors.splitlines() if line.startswith("fanin: ")]
    before = statuses(workplace.children())
    assert f"fanin: interrupted after {before['FINISHED']} of {JOBS} jobs" in last
    assert "sweep.resume=true" in last
    assert shown(output) == before["FINISHED"]
    assert set(before) == {"FINISHED", "KILLED"}
    (parent,) = workplace.parents()
    assert parent.info.status == "KILLED"

    workplace.admit(JOBS)
    workplace.run(*line, "sweep.resume=true")
    (parent,) = workplace.parents()
    assert parent.info.status == "FINISHED"
    assert statuses(workplace.children())["FINISHED"] == JOBS
    assert numbers(workplace) == undisturbed


def test_a_complete_sweep_is_only_shown_again(tmp_path):
    workplace = Workplace(tmp_path)
    line = ["-m", "init=xavier,kaiming", "depth=2,3", "hidden_size=4"]
    first = workplace.run(*line)
    (before,) = workplace.parents()
    # In another order, through another launcher, into other folders: the same sweep.
    same = ["-m", "depth=2,3", "init=xavier,kaiming", "hidden_size=4", "sweep.resume=true"]
    again = workplace.run(*same, f"hydra.sweep.dir={tmp_path}/elsewhere")
    assert sorted(first.stdout.split("\n\n")[0].split()) == sorted(
        again.stdout.split("\n\n")[0].split()
    )
    (after,) = workplace.parents()
    assert after.info.end_time == before.info.end_time
    assert len(workplace.children()) == 4
    assert "2/2" not in again.stderr


def test_what_was_measured_elsewhere_is_read_from_the_store(tmp_path):
    workplace = Workplace(tmp_path)
    line = ["-m", "init=normal,kaiming", "depth=50", "replicas=2"]
    first = workplace.run(*line)
    (tmp_path / "sweep").rename(tmp_path / "gone")
    again = workplace.run(*line, "sweep.resume=true")
    assert again.stdout.split("\n\n")[0] == first.stdout.split("\n\n")[0]
    assert "2 already done" in again.stdout


def test_a_sweep_that_goes_on_is_not_resumed(tmp_path):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.extend()
    line = [*LINE, *WAIT, "sweep.resume=true"]
    process = workplace.start(*line)
    workplace.admit(1)
    wait_until(lambda: workplace.ended() >= 1, process)
    second = workplace.run(*line, status=1)
    workplace.admit(JOBS)
    output, errors = process.communicate(timeout=120)
    where = workplace.folder / "sweep"
    assert f"fanin: sweep.resume=true: the sweep in {where} is still running" in second.stderr
    assert process.returncode == 0, errors
    assert shown(output) == JOBS
    assert statuses(workplace.runs()) == {"FINISHED": JOBS + 1}


def test_ctrl_c_while_a_resume_waits_for_a_job_that_is_still_running(tmp_path):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.extend()
    line = [*LINE, *WAIT, "sweep.resume=true"]
    process = workplace.start(*line, *WORKERS)
    wait_until((workplace.folder / "sweep" / "0").exists, process)  # the store is there now
    wait_until(lambda: "RUNNING" in statuses(workplace.children()), process)
    process.kill()
    process.wait()
    second = workplace.start(*line, f"hydra.sweep.dir={tmp_path}/second")
    wait_until((tmp_path / "here" / "sweep" / ".taken_over").exists, second)
    second.terminate()
    _, errors = second.communicate(timeout=60)
    workplace.admit(JOBS)
    process.communicate(timeout=60)
    assert second.returncode == 130
    assert errors.splitlines()[-1].startswith(
        "fanin: interrupted before any job ran; the same line with sweep.resume"
    )
    assert workplace.parents()[0].info.status == "KILLED"


def test_places_are_those_of_the_line_wherever_jobs_run(tmp_path):
    """Relative addresses, and jobs that change to their own folders."""
    (tmp_path / "here").mkdir()
    workplace = Workplace(tmp_path / "here", address="sqlite:///here.db")
    places = ["hydra.sweep.dir=there", "hydra.job.chdir=true"]
    line = ["-m", "seed=0,1", "depth=1", *places]
    workplace.run(*line)
    found = Workplace(tmp_path / "here", address=f"sqlite:///{tmp_path}/here/here.db")
    assert statuses(found.runs()) == {"FINISHED": 3}
    workplace.run(*line, "sweep.resume=true")
    assert len(found.runs()) == 3


def test_other_code_or_other_data_is_run_again(tmp_path):
    workplace = Workplace(tmp_path)
    workplace.extend()
    table = workplace.folder / "my.csv"
    table.write_text("a,b,y\n1,2,0\n3,4,1\n5,6,2\n")
    data = ["data=file", "data.path=my.csv", "batch_size=3", "depth=1"]
    line = ["-m", "--config-dir=options", "seed=0,1", "activation=trouble,relu", *data]
    workplace.run(*line)
    mine = workplace.folder / "mine.py"
    mine.write_text(mine.read_text() + "# another version\n")
    workplace.run(*line, "sweep.resume=true")
    again = [run.data.params["activation"] for run in workplace.children()[4:]]
    assert again == ["trouble", "trouble"]
    table.write_text("a,b,y\n1,2,0\n3,4,1\n5,6,3\n")
    workplace.run(*line, "sweep.resume=true")
    assert len(workplace.children()) == 4 + 2 + 4
    assert len(workplace.parents()) == 1


def test_nothing_to_resume_is_a_beginning(tmp_path):
    workplace = Workplace(tmp_path)
    workplace.run("-m", "seed=0,1", "depth=1", "sweep.resume=true")
    assert statuses(workplace.runs()) == {"FINISHED": 3}
