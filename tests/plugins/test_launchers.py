"""Sweeps through every launcher, with jobs that die in each way a job can."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workplace import Workplace

from fanin.config.resolvers import cores
from hydra_plugins._fanin_workers import SECONDS_TO_CLOSE

ACTIVATION = """
import multiprocessing, os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path
import torch
from fanin.nn.activations import Identity

@dataclass(frozen=True)
class Fate(Identity):
    mode: str = "live"

    def forward(self, z):
        threads = torch.get_num_threads()
        asked = os.environ["OMP_NUM_THREADS"]
        Path(f"{self.mode}.{os.getpid()}").write_text(f"{asked} {threads}")
        match self.mode:
            case "raise":
                raise RuntimeError("not today")
            case "leave":
                sys.exit(4)
            case "exit":
                os._exit(3)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "sleep":
                time.sleep(100)
            case "children":
                with multiprocessing.get_context("fork").Pool(1) as pool:
                    pool.map(abs, [1])
        return z
"""

CLUSTER = {
    "sbatch": """#!PYTHON
import os, re, subprocess, sys
last = int(re.search("--array=0-([0-9]+)", open(sys.argv[1]).read())[1])
for task in range(last + 1):
    names = dict(JOB_ID=7 + task, ARRAY_JOB_ID=7, ARRAY_TASK_ID=task, NTASKS=1, JOB_NUM_NODES=1,
                 NODEID=0, PROCID=0, LOCALID=0)
    job = subprocess.Popen(
        ["bash", sys.argv[1]],
        env=os.environ | {f"SLURM_{name}": str(value) for name, value in names.items()},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    open(f"FOLDER/job.{task}", "w").write(str(job.pid))
print("Submitted batch job 7")
""",
    "srun": """#!/bin/bash
while [[ $1 == --* ]]; do [[ $1 == --unbuffered ]] && shift 1 || shift 2; done
exec "$@"
""",
    "squeue": """#!/bin/bash
for file in FOLDER/job.*; do
    kill -0 $(cat $file) 2> /dev/null && state=RUNNING || state=OUT_OF_MEMORY
    echo 7_${file##*.} $state
done
""",
    "scancel": """#!/bin/bash
for file in FOLDER/job.*; do kill -TERM -- -$(cat $file); done
""",
}
"""Just enough of Slurm, for one array whose tasks run here."""


def needs(launcher: str, *others):
    if launcher in ("basic", "workers"):
        return pytest.param(launcher, *others)
    plugin = {"joblib": "joblib", "ray": "ray"}.get(launcher, "submitit")
    missing = importlib.util.find_spec(f"hydra_plugins.hydra_{plugin}_launcher") is None
    skip = pytest.mark.skipif(missing, reason="is not installed")
    return pytest.param(launcher, *others, marks=skip)


@pytest.fixture
def workplace(workplace: Workplace, monkeypatch) -> Workplace:
    """With an activation that dies as it is told, and the commands of a cluster."""
    folder = workplace.folder
    (folder / "mine.py").write_text(ACTIVATION)
    (folder / "options" / "activation").mkdir(parents=True)
    (folder / "options" / "activation" / "fate.yaml").write_text("_target_: mine.Fate\nmode: live")
    (folder / "bin").mkdir()
    for name, text in CLUSTER.items():
        script = folder / "bin" / name
        script.write_text(text.replace("PYTHON", sys.executable).replace("FOLDER", str(folder)))
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return workplace


def sweep(launcher: str, *modes: str) -> list[str]:
    return [
        "-m", "--config-dir=options", "activation=fate", f"activation.mode={','.join(modes)}",
        f"hydra/launcher={launcher}", "depth=1", "timing.repeats=1",
    ]  # fmt: skip


def traces(folder: Path, mode: str) -> list[tuple[int, int, int]]:
    """(process, threads set, torch's threads) of each process that ran a job of this mode."""
    found = [(path.suffix[1:], *path.read_text().split()) for path in folder.glob(f"{mode}.*")]
    return [tuple(int(number) for number in numbers) for numbers in found]


def finished_modes(workplace: Workplace) -> list[str]:
    runs = [run for run in workplace.runs() if run.info.status == "FINISHED"]
    return sorted(run.data.params["activation.mode"] for run in runs if run.data.params)


@pytest.mark.parametrize(
    "launcher",
    [
        needs("workers"),
        needs("joblib"),
        needs("submitit_local"),
        needs("submitit_slurm"),
        needs("ray"),
    ],
)
def test_a_worker_that_dies_costs_its_own_job(workplace, launcher):
    done = workplace.run(*sweep(launcher, "one", "kill", "two"), status=1)
    assert finished_modes(workplace) == ["one", "two"]
    assert "1 job failed, 2 of 3 jobs finished" in done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "activation.mode=kill" in line]
    assert line.startswith("1 ")
    assert "its process ended: killed, out of memory, or exit" in line
    if launcher == "submitit_slurm":
        assert "(OUT_OF_MEMORY; see " in line
    for mode in ("one", "kill", "two"):
        ((_, asked, threads),) = traces(workplace.folder, mode)
        assert asked == threads == 1


@pytest.mark.parametrize("launcher", [needs("workers"), needs("joblib"), needs("submitit_local")])
def test_a_worker_alone_has_every_core_and_is_not_the_driver(workplace, launcher):
    number = "array_parallelism" if launcher == "submitit_local" else "n_jobs"
    driver = subprocess.Popen(
        workplace.command(*sweep(launcher, "one"), f"hydra.launcher.{number}=1"),
        cwd=workplace.folder,
        env={k: v for k, v in workplace.environment().items() if k != "OMP_NUM_THREADS"},
    )
    assert driver.wait(timeout=60) == 0
    ((process, asked, threads),) = traces(workplace.folder, "one")
    assert process != driver.pid
    assert asked == cores()
    assert threads > 1 or cores() == 1  # fewer than were asked for where cores are hyperthreads


@pytest.mark.parametrize(
    ("launcher", "how"),
    [
        needs("workers", signal.SIGINT),
        needs("joblib", signal.SIGINT),
        needs("submitit_local", signal.SIGINT),
        needs("submitit_slurm", signal.SIGTERM),
    ],
)
def test_an_interrupted_sweep_leaves_no_worker(workplace, launcher, how):
    driver = subprocess.Popen(
        workplace.command(*sweep(launcher, "sleep"), "seed=0,1,2"),
        cwd=workplace.folder,
        env=workplace.environment(),
        stderr=subprocess.PIPE,
        # Where the tests themselves run in the background, SIGINT is ignored, and inherited so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        deadline = time.monotonic() + 60
        while not traces(workplace.folder, "sleep"):
            assert time.monotonic() < deadline
            assert driver.poll() is None
            time.sleep(0.1)
        driver.send_signal(how)
        _, errors = driver.communicate(timeout=60)
    finally:
        driver.kill()
    assert driver.returncode == 130
    assert b"Traceback" not in errors
    deadline = time.monotonic() + SECONDS_TO_CLOSE
    while any(is_running(process) for process, _, _ in traces(workplace.folder, "sleep")):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("seconds", [0.8, 1.6, 2.4])
def test_ctrl_c_while_everything_is_imported_is_one_line(workplace, seconds):
    driver = workplace.start("-m", "hydra/launcher=workers", "seed=0,1,2")
    time.sleep(seconds)
    os.killpg(driver.pid, signal.SIGINT)
    _, errors = driver.communicate(timeout=60)  # the processes that share its output go too
    assert driver.returncode == 130, errors
    assert "Traceback" not in errors


def test_a_wrong_value_starts_no_process(workplace):
    start = time.monotonic()
    with workplace.start("-m", "hydra/launcher=workers", "depth=10,ten") as driver:
        _, errors = driver.communicate(timeout=60)
    assert "depth=ten: use a whole number" in errors
    assert driver.returncode == 1
    refused = time.monotonic() - start
    with workplace.start("-m", "hydra/launcher=workers", "sweep.plan=true", "seed=0,1") as driver:
        driver.communicate(timeout=60)
    assert refused < (time.monotonic() - start) / 3  # or else it has waited for torch


def test_jobs_may_have_processes_of_their_own_and_a_folder_with_any_names(workplace):
    for name in ("queue.py", "torch.py"):
        (workplace.folder / "elsewhere" / name).parent.mkdir(exist_ok=True)
        (workplace.folder / "elsewhere" / name).write_text("raise SystemExit('not this one')")
    command = workplace.command(*sweep("workers", "children", "live"))
    command = [a.replace("--config-dir=options", "--config-dir=../options") for a in command]
    done = subprocess.run(
        command,
        cwd=workplace.folder / "elsewhere",
        env=workplace.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert finished_modes(workplace) == ["children", "live"]


@pytest.mark.parametrize("launcher", [needs("basic"), needs("workers"), needs("joblib")])
def test_all_jobs_are_in_the_folder_of_their_sweep(tmp_path, launcher):
    workplace = Workplace.with_own_project(tmp_path)
    line = ["-m", "init=xavier,kaiming", "depth=1,2", f"hydra/launcher={launcher}"]
    command = [sys.executable, str(workplace.project / "run.py"), *line]  # wherever that is
    done = workplace._run(command, 0)
    (sweep,) = (workplace.project / "outputs" / "sweeps").iterdir()
    assert {path.name for path in sweep.iterdir()} >= {"0", "1", "2", "3", "comparison.png"}
    assert str(sweep) in done.stdout


def is_running(process: int) -> bool:
    asked = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return not asked.stdout.startswith("Z") and asked.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=two"], "hydra.launcher.n_jobs=two: use "),
        (["hydra/launcher=workers", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0: use "),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0: use "),
        (["hydra/launcher=joblib", "hydra.launcher.jobs=2"], "hydra.launcher.jobs: no such "),
        (
            ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=0"],
            "hydra.launcher.timeout_min=0: use a whole number, 1 or more",
        ),
        (["hydra/launcher=nope"], "hydra/launcher=nope: no such option (basic, joblib, ray, "),
    ],
)
def test_a_wrong_setting_is_one_line(workplace, arguments, line):
    done = workplace.run("-m", *arguments, "seed=0,1", status=1)
    assert done.stderr.startswith(f"fanin: {line}")
    assert done.stderr.count("\n") == 1
    assert not (workplace.folder / "sweep").exists()


def test_a_launcher_that_is_not_installed_says_how_to(workplace):
    (workplace.folder / "submitit.py").write_text("raise ModuleNotFoundError('no submitit')")
    done = workplace.run("-m", "hydra/launcher=submitit_slurm", "seed=0,1", status=1)
    assert done.stderr == (
        "fanin: hydra/launcher=submitit_slurm: is not installed; pip install -e '.[slurm]'\n"
    )


def test_a_driver_without_the_commands_of_a_cluster(workplace, monkeypatch):
    (workplace.folder / "bin" / "sbatch").unlink()
    monkeypatch.setenv("PATH", str(workplace.folder / "bin"))
    done = workplace.run("-m", "hydra/launcher=submitit_slurm", "seed=0,1", status=1)
    assert "fanin: hydra/launcher=submitit_slurm: no sbatch" in done.stderr
