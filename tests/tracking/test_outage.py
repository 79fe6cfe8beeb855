"""A server that is away in the middle of a sweep: nothing is lost, and nothing waits for it."""

import signal
import time

import pytest
from server import Server, free_port
from workplace import Workplace

JOBS = 6
TIMEOUT = 5
LINE = ["-m", f"seed=range(0,{JOBS})", "depth=3", "hidden_size=10", f"tracking.timeout={TIMEOUT}"]
SLOW = ["--config-dir=options", "activation=trouble", "activation.how=sleep", "timing.repeats=3"]
RUNS_METRICS = 36  # eleven curves and eleven of theory, fourteen numbers


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.send(signal.SIGCONT)
    server.stop()


@pytest.fixture
def workplace(server, tmp_path):
    workplace = Workplace.with_own_project(tmp_path, server.address)
    workplace.extend()
    return workplace


def wait_for(workplace, jobs: int, process) -> None:
    deadline = time.monotonic() + 120
    while workplace.ended() < jobs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def go_away(server, how: str) -> None:
    server.send(signal.SIGSTOP) if how == "hung" else server.stop()


def come_back(server, how: str) -> None:
    server.send(signal.SIGCONT) if how == "hung" else server.start()


@pytest.mark.parametrize("how", ["stopped", "hung"])
def test_a_server_that_is_away_for_the_middle_third(workplace, server, how):
    experiment = f"tracking.experiment={how}"
    process = workplace.start(*LINE, *SLOW, experiment)
    wait_for(workplace, JOBS // 3, process)
    go_away(server, how)
    wait_for(workplace, 2 * JOBS // 3, process)
    come_back(server, how)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    workplace.fanin("sync")

    runs = workplace.runs(how)
    assert [run.info.status for run in runs] == ["FINISHED"] * (1 + JOBS)
    children = workplace.children(how)
    assert [run.data.params["seed"] for run in children] == [str(n) for n in range(JOBS)]
    for run in children:
        assert len(run.data.metrics) == RUNS_METRICS
        assert sorted(workplace.curve(run, "activation/std")) == [1, 2, 3]
        names = {file.path for file in workplace.client().list_artifacts(run.info.run_id)}
        assert names == {"config.yaml", "profile.csv"}
    # At most one job met the silence, and waited for one time-out.
    took = sorted((run.info.end_time - run.info.start_time) / 1000 for run in children)
    assert took[-2] < took[0] + TIMEOUT
    assert took[-1] < took[0] + 2 * TIMEOUT


def test_a_server_that_stays_away_is_said_and_gets_everything_later(workplace, server):
    process = workplace.start(*LINE, *SLOW, "tracking.experiment=later")
    wait_for(workplace, 3, process)
    server.stop()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert "runs wait in outputs/ for" in output
    assert "python -m fanin sync" in output
    assert f"{JOBS}/{JOBS}" in errors

    nobody = workplace.fanin("sync", status=1)
    assert "still waiting" in nobody.stdout
    assert nobody.stderr.startswith(f"fanin: {server.address}: ")
    assert len(nobody.stderr.splitlines()) == 1

    server.start()
    # The start of the next sweep delivers them too.
    workplace.run("-m", "seed=1,2", "depth=1")
    runs = workplace.runs("later")
    assert [run.info.status for run in runs] == ["FINISHED"] * (1 + JOBS)
    starts = [run.info.start_time for run in workplace.children("later")]
    assert starts == sorted(starts)
    assert starts[-1] > runs[0].info.start_time
    assert starts[-1] < runs[0].info.end_time  # its own time, not that of the delivery
    assert workplace.fanin("sync").stdout == "delivered 0, still waiting 0\n"


def test_a_password_is_in_no_file_and_in_no_row(server, tmp_path):
    address = server.address.replace("//", "//me:s3cr3t@")
    workplace = Workplace.with_own_project(tmp_path, address)
    workplace.extend()
    line = ["-m", "--config-dir=options", "activation=trouble", "depth=1"]
    done = workplace.run(*line, "activation.how=none,raise,kill", status=-9)
    resumed = workplace.run(
        *line, "activation.how=none,raise,kill", "sweep.resume=true",
        "sweep.exclude=[{activation.how: kill}]", status=1,
    )  # fmt: skip
    assert "s3cr3t" not in done.stdout + done.stderr + resumed.stdout + resumed.stderr
    for folder in (workplace.folder, workplace.project, server.folder):
        for path in folder.rglob("*"):
            assert path.is_dir() or b"s3cr3t" not in path.read_bytes(), path


def test_a_server_that_is_not_there_at_the_start_is_answered_at_once(tmp_path):
    address = f"http://127.0.0.1:{free_port()}"
    workplace = Workplace.with_own_project(tmp_path, address)
    done = workplace.run(*LINE, status=1)
    assert done.stderr.startswith(f"fanin: tracking.uri={address}: ")
    assert len(done.stderr.splitlines()) == 1
