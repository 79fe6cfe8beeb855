"""The launchers: processes and threads, settings, and what is missing. (Jobs: test_job_outcomes)"""

import os
import signal
import sys
import time

import hydra
import pytest
import ready
from workplace import Workplace

from fanin.config.resolvers import cores


def finished_modes(workplace: Workplace) -> list[str]:
    finished = [run for run in workplace.children() if run.info.status == "FINISHED"]
    return sorted(run.data.params["activation.mode"] for run in finished)


def test_hydra_is_the_version_the_launchers_were_tried_with():
    assert hydra.__version__.startswith("1.3.")


@pytest.mark.parametrize("launcher", ["workers", "submitit_local"])
def test_a_worker_alone_has_every_core_and_is_not_the_driver(
    workplace, sweep, traces, require, launcher
):
    require(launcher)
    number = "array_parallelism" if launcher == "submitit_local" else "n_jobs"
    command = workplace.command(*sweep(launcher, "one"), f"hydra.launcher.{number}=1")
    environment = {k: v for k, v in workplace.environment().items() if k != "OMP_NUM_THREADS"}
    driver = ready.Process(command, workplace.folder, environment)
    driver.communicate()
    assert driver.returncode == 0
    ((process, asked, threads),) = traces("one")
    assert process != driver.pid
    assert asked == cores()
    assert threads > 1 or cores() == 1  # fewer than were asked for where cores are hyperthreads


@pytest.mark.parametrize("seconds", [0.8, 2.0])
def test_ctrl_c_while_everything_is_imported_is_one_line(workplace, seconds):
    driver = workplace.start_afresh("-m", "hydra/launcher=workers", "seed=0,1,2")
    time.sleep(seconds)
    os.killpg(driver.pid, signal.SIGINT)
    _, errors = driver.communicate(timeout=60)  # the processes that share its output go too
    assert driver.returncode == 130, errors
    assert "Traceback" not in errors


def test_a_wrong_value_starts_no_process(workplace):
    start = time.monotonic()
    with workplace.start_afresh("-m", "hydra/launcher=workers", "depth=10,ten") as driver:
        _, errors = driver.communicate(timeout=60)
    assert "depth=ten: use a whole number" in errors
    assert driver.returncode == 1
    refused = time.monotonic() - start
    line = ["-m", "hydra/launcher=workers", "sweep.plan=true", "seed=0,1"]
    with workplace.start_afresh(*line) as driver:
        driver.communicate(timeout=60)
    assert refused < (time.monotonic() - start) / 3  # or else it has waited for torch


def test_jobs_may_have_processes_of_their_own_and_a_folder_with_any_names(workplace, sweep):
    elsewhere = workplace.folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("queue.py", "torch.py"):
        (elsewhere / name).write_text("raise SystemExit('not this one')")
    command = workplace.command(*sweep("workers", "children", "live"))
    command = [a.replace("--config-dir=options", "--config-dir=../options") for a in command]
    done = ready.run(command, elsewhere, workplace.environment())
    assert done.returncode == 0, done.stderr
    assert finished_modes(workplace) == ["children", "live"]


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_all_jobs_are_in_the_folder_of_their_sweep(tmp_path, launcher):
    workplace = Workplace.with_own_project(tmp_path)
    line = ["-m", "init=xavier,kaiming", "depth=1,2", f"hydra/launcher={launcher}"]
    command = [sys.executable, str(workplace.project / "run.py"), *line]  # wherever that is
    done = workplace._run(command, 0)
    alias = "hydra/launcher=joblib is an alias of hydra/launcher=workers"
    assert done.stderr.splitlines().count(alias) == (launcher == "joblib")
    (sweep,) = (workplace.project / "outputs" / "sweeps").iterdir()
    assert {path.name for path in sweep.iterdir()} >= {"0", "1", "2", "3", "comparison.png"}
    assert str(sweep) in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["hydra/launcher=workers", "hydra.launcher.n_jobs=two"], "hydra.launcher.n_jobs=two: use"),
        (["hydra/launcher=workers", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0: use "),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0: use "),
        (["hydra/launcher=workers", "hydra.launcher.jobs=2"], "hydra.launcher.jobs: no such "),
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


def test_a_launcher_that_is_not_installed_says_how_to_install_it(workplace):
    (workplace.folder / "submitit.py").write_text("raise ModuleNotFoundError('no submitit')")
    done = workplace.run("-m", "hydra/launcher=submitit_slurm", "seed=0,1", status=1)
    assert done.stderr == (
        "fanin: hydra/launcher=submitit_slurm: is not installed; pip install -e '.[slurm]'\n"
    )


def test_a_machine_without_the_commands_of_a_cluster(workplace, monkeypatch):
    (workplace.folder / "bin" / "sbatch").unlink()
    monkeypatch.setenv("PATH", str(workplace.folder / "bin"))
    done = workplace.run("-m", "hydra/launcher=submitit_slurm", "seed=0,1", status=1)
    assert "fanin: hydra/launcher=submitit_slurm: no sbatch" in done.stderr


def test_a_preset_that_another_plugin_stored_is_replaced_by_ours(workplace):
    """As hydra-joblib-launcher and its like do when they are installed."""
    plugins = workplace.folder / "hydra_plugins"
    plugins.mkdir()
    (plugins / "other_launcher.py").write_text(
        "from hydra.core.config_store import ConfigStore\n"
        "ConfigStore.instance().store(group='hydra/launcher', name='workers', node={'n_jobs': 7})\n"
    )
    done = workplace.run("hydra/launcher=workers", "--cfg", "hydra", "--package", "hydra.launcher")
    assert "_target_: hydra_plugins.fanin_launchers.WorkersLauncher" in done.stdout
    assert "n_jobs: 7" not in done.stdout
    assert done.stderr == ""
