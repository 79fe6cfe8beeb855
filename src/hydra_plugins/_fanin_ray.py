"""Jobs as tasks of a Ray cluster, or of one that is started on this machine."""

import os
import signal
from collections.abc import Sequence
from typing import Any

import ray
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra_plugins.hydra_ray_launcher._launcher_util import _run_job
from omegaconf import open_dict
from ray.exceptions import RayError, RayTaskError, WorkerCrashedError

from fanin.config.errors import SettingError
from fanin.config.schema import register
from hydra_plugins._fanin_workers import ProcessEndedError, check_whole, failed
from hydra_plugins.fanin_launchers import FaninLauncher


def check(launcher: FaninLauncher) -> None:
    """Refuse a wrong number of cores. Raises SettingError."""
    check_whole("ray.remote.num_cpus", launcher.settings["ray"]["remote"]["num_cpus"])


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs, and gather each one's result by itself; Ctrl-C ends them."""
    settings = launcher.settings["ray"]
    given = {name: value for name, value in settings["init"].items() if value is not None}
    told = {n: os.environ[n] for n in ("FANIN_PROJECT", "MLFLOW_TRACKING_URI") if n in os.environ}
    given["runtime_env"] = {"env_vars": told}  # a cluster's nodes have an environment of their own
    try:
        ray.init(**given)
    except (ConnectionError, ValueError) as error:
        raise SettingError(f"hydra.launcher.ray.init: {error}") from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray takes it for itself
    try:
        work = ray.remote(**settings["remote"])(_work)
        tasks = [_start(work, launcher, job, first + i) for i, job in enumerate(jobs)]
        return [_result(task, job) for task, job in zip(tasks, jobs, strict=True)]
    finally:
        ray.shutdown()


def _start(work: Any, launcher: FaninLauncher, overrides: Sequence[str], number: int) -> Any:
    config = launcher.hydra_context.config_loader.load_sweep_config(
        launcher.config, list(overrides)
    )
    with open_dict(config):
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
        config.hydra.job.num = number
    state = Singleton.get_state()
    return work.remote(launcher.hydra_context, config, launcher.task_function, state)


def _work(*job: Any) -> JobReturn:
    register()  # the resolvers: no run.py has been imported here
    result: JobReturn = _run_job(*job)
    return result


def _result(task: Any, overrides: Sequence[str]) -> JobReturn:
    try:
        result: JobReturn = ray.get(task)
    except RayTaskError as error:
        return failed(overrides, error.cause)
    except WorkerCrashedError:  # its text is of the places of Ray's logs
        return failed(overrides, ProcessEndedError(""))
    except RayError as error:
        return failed(overrides, ProcessEndedError(str(error).partition("\n")[0]))
    return result
