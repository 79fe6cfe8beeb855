"""`hydra/launcher=ray`: jobs as tasks of a Ray cluster, or of one started on this machine."""

import os
import signal
from collections.abc import Sequence
from typing import Any

import ray
from hydra.core.utils import JobReturn
from omegaconf import DictConfig
from ray.exceptions import RayError, RayTaskError, WorkerCrashedError

from fanin.config.errors import SettingError
from hydra_plugins._fanin_jobs import JobRunner, ProcessEndedError, check_positive, failed
from hydra_plugins.fanin_launchers import FaninLauncher

_INHERITED_VARIABLES = ("FANIN_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
"""Variables to copy to a cluster's nodes, which have their own environment."""


def check(launcher: FaninLauncher) -> None:
    """Raise SettingError if the number of cores is wrong."""
    check_positive("ray.remote.num_cpus", launcher.settings["ray"]["remote"]["num_cpus"])


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs and collect each result separately. Ctrl-C ends them. Raises SettingError."""
    settings = launcher.settings["ray"]
    arguments = {name: value for name, value in settings["init"].items() if value is not None}
    inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    arguments["runtime_env"] = {"env_vars": inherited}
    try:
        ray.init(**arguments)
    except (ConnectionError, ValueError) as error:
        raise SettingError(f"hydra.launcher.ray.init: {error}") from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray has set a handler of its own
    try:
        runner = launcher.job_runner()
        task = ray.remote(**settings["remote"])(_work)
        tasks = [
            task.remote(runner, runner.compose(overrides, first + i))
            for i, overrides in enumerate(jobs)
        ]
        return [_result(task, overrides) for task, overrides in zip(tasks, jobs, strict=True)]
    finally:
        ray.shutdown()


def _work(runner: JobRunner, job: DictConfig) -> JobReturn:
    runner.set_up_process()
    return runner.run(job)


def _result(task: Any, overrides: Sequence[str]) -> JobReturn:
    try:
        result: JobReturn = ray.get(task)
    except RayTaskError as error:
        return failed(overrides, error.cause)
    except WorkerCrashedError:  # its text describes where Ray keeps its logs
        return failed(overrides, ProcessEndedError(""))
    except RayError as error:
        return failed(overrides, ProcessEndedError(str(error).partition("\n")[0]))
    return result
