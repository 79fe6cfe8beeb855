"""What becomes of a job under each launcher: it raises, exits, dies, is killed, is interrupted."""

import signal
import subprocess
import time

import pytest

from hydra_plugins._fanin_jobs import SECONDS_TO_CLOSE

WHY = {
    "raise": "RuntimeError: not today",
    "exit": "RuntimeError: exit(4) was called",
    "die": "its process was ended from outside",
    "kill": "its process was ended from outside",
}
"""The tag `error` of a run whose job ended so."""
ENDED = "its process ended: killed, out of memory, or exit"
DETAILS = {
    "workers": {"kill": "(SIGKILL)", "die": "(exit status 3)"},
    "submitit_slurm": {"kill": "(OUT_OF_MEMORY; see ", "die": "(OUT_OF_MEMORY; see "},
}
FAILING = {
    "basic": ["raise", "exit"],  # its jobs run in the driver, which a signal or _exit would end
    "workers": ["raise", "exit", "die", "kill"],
    "submitit_local": ["kill"],  # each of these jobs takes seconds to import
    "submitit_slurm": ["raise", "die"],
    "ray": ["raise", "exit", "die", "kill"],
}
FEWER = {  # processes: each takes seconds to import
    "submitit_local": ["seed=0,1,2", "hydra.launcher.array_parallelism=1"],
    "submitit_slurm": ["seed=0,1"],
}
INTERRUPTED_BY = {"submitit_slurm": signal.SIGTERM}


@pytest.mark.parametrize("launcher", FAILING)
def test_a_job_that_fails_costs_only_itself(workplace, sweep, traces, require, launcher):
    require(launcher)
    failing = FAILING[launcher]
    done = workplace.run(*sweep(launcher, *failing, "live"), status=1)
    runs = {run.data.params["activation.mode"]: run for run in workplace.children()}
    assert {mode: run.info.status for mode, run in runs.items()} == {
        **{mode: "FAILED" if mode in ("raise", "exit") else "KILLED" for mode in failing},
        "live": "FINISHED",
    }
    for mode in failing:
        assert WHY[mode] in runs[mode].data.tags["error"]
        (line,) = [line for line in done.stderr.splitlines() if f"activation.mode={mode}" in line]
        assert line.startswith(f"{failing.index(mode)} ")
        if mode in ("raise", "exit"):
            assert WHY[mode] in line
            artifacts = workplace.client().list_artifacts(runs[mode].info.run_id)
            assert "traceback.txt" in {file.path for file in artifacts}
        else:
            assert ENDED in line
            assert DETAILS.get(launcher, {}).get(mode, "") in line
    (parent,) = workplace.parents()
    assert parent.info.status == "FAILED"
    n, total = len(failing), len(failing) + 1
    assert parent.data.tags["sweep.finished"] == f"1 of {total} jobs"
    last = done.stderr.splitlines()[-1]
    assert f"{n} job{'s' * (n > 1)} failed, 1 of {total} jobs finished" in last
    assert "Traceback" not in done.stderr
    for mode in runs:
        ((_, asked, threads),) = traces(mode)
        assert asked == threads == 1


@pytest.mark.parametrize("launcher", FAILING)
def test_an_interrupted_sweep_leaves_no_process(workplace, sweep, traces, require, launcher):
    require(launcher)
    driver = workplace.start(*sweep(launcher, "sleep"), *FEWER.get(launcher, ["seed=0,1,2"]))
    try:
        deadline = time.monotonic() + 60
        while not traces("sleep"):
            assert time.monotonic() < deadline
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.05)
        driver.send_signal(INTERRUPTED_BY.get(launcher, signal.SIGINT))
        _, errors = driver.communicate(timeout=60)
    finally:
        driver.kill()
    assert driver.returncode == 130
    assert "Traceback" not in errors
    deadline = time.monotonic() + SECONDS_TO_CLOSE
    while any(is_running(process) for process, *_ in traces("sleep")):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_running(process: int) -> bool:
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return not answer.stdout.startswith("Z") and answer.returncode == 0
