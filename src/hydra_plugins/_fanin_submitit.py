"""Each job in its own process, started by submitit: on this machine or on a Slurm cluster."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import submitit
from hydra.core.utils import JobReturn
from submitit import AutoExecutor, Job
from submitit.core.utils import FailedJobError

from fanin.config.errors import SettingError
from hydra_plugins._fanin_jobs import (
    SECONDS_TO_CLOSE,
    JobRunner,
    ProcessEndedError,
    block_sigint,
    check_positive,
    failed,
    interrupt_on_sigterm,
)
from hydra_plugins._fanin_slurm import JobStates
from hydra_plugins.fanin_launchers import FaninLauncher

_SECONDS_BETWEEN_CHECKS = 0.5
_SECONDS_FOR_FILES = 15.0  # a network file system may show a result after the job has ended
_SETTINGS_OF_EVERY_CLUSTER = {
    "name", "timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "stderr_to_stdout"
}  # fmt: skip


@dataclass(frozen=True)
class _Work:
    """The callable that submitit pickles and calls in a job's process."""

    runner: JobRunner
    is_local: bool
    gpus: str | None
    """CUDA_VISIBLE_DEVICES of the driver, restored if submitit would hide every GPU."""
    keep_gpus: bool

    def __call__(self, overrides: list[str], number: int) -> JobReturn:
        if self.is_local and self.keep_gpus:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            if self.gpus is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus
        self.runner.set_up_process()
        with interrupt_on_sigterm():
            job_id = submitit.JobEnvironment().job_id
            return self.runner.run(self.runner.compose(overrides, number, job_id))

    def checkpoint(self, *job: Any) -> Any:
        """Start a job that ran out of time from the beginning; submitit calls this."""
        return submitit.helpers.DelayedSubmission(self, *job)


def check(launcher: FaninLauncher) -> None:
    """Raise SettingError if a number is wrong, or Slurm is not installed."""
    for name in ("array_parallelism", "timeout_min", "cpus_per_task"):
        if name in launcher.settings:
            check_positive(name, launcher.settings[name])
    if launcher.option == "submitit_slurm" and not (
        shutil.which("sbatch") and shutil.which("srun")
    ):
        raise SettingError("hydra/launcher=submitit_slurm: no sbatch and srun on this machine")


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs and collect each result separately.

    Ctrl-C ends them, on a cluster too: an interrupted sweep leaves nothing running. (If the driver
    is killed or loses its terminal, the jobs continue.)
    """
    work = _Work(
        launcher.job_runner(),
        is_local=launcher.option == "submitit_local",
        gpus=os.environ.get("CUDA_VISIBLE_DEVICES"),
        keep_gpus=launcher.settings["gpus_per_node"] is None,
    )
    executor = _executor(launcher)
    calls = [(list(job), first + i) for i, job in enumerate(jobs)]
    returns: dict[int, JobReturn] = {}
    running: dict[int, Job[JobReturn]] = {}
    give_up_at: dict[int, float] = {}  # for jobs that ended without a result so far
    ended_state: Callable[[Any], str | None]
    if work.is_local:
        ended_state, patience = _local_ended_state, 0.0
    else:
        ended_state, patience = JobStates().ended_state, _SECONDS_FOR_FILES
    waiting = list(reversed(range(len(jobs)))) if work.is_local else []
    try:
        if not work.is_local:
            running.update(enumerate(_submit_array(executor, work, calls)))
        while waiting or running:
            while waiting and len(running) < launcher.settings["array_parallelism"]:
                job = waiting.pop()
                with block_sigint():
                    running[job] = executor.submit(work, *calls[job])
            for job, submitted in list(running.items()):
                state = ended_state(submitted)
                if submitted.paths.result_pickle.exists():
                    returns[job] = _result(submitted, jobs[job])
                elif state is None:
                    give_up_at.pop(job, None)
                elif time.monotonic() > give_up_at.setdefault(job, time.monotonic() + patience):
                    detail = f"{state}see {submitted.paths.stderr}"
                    returns[job] = failed(jobs[job], ProcessEndedError(detail))
            for job in running.keys() & returns.keys():
                del running[job]
            time.sleep(_SECONDS_BETWEEN_CHECKS)
    finally:
        if running:
            (_end_local if work.is_local else _cancel_arrays)(list(running.values()))
    return [returns[job] for job in range(len(jobs))]


def _executor(launcher: FaninLauncher) -> AutoExecutor:
    cluster = launcher.option.removeprefix("submitit_")
    settings = dict(launcher.settings)
    folder = settings.pop("submitit_folder")
    retries = {f"{cluster}_max_num_timeout": settings.pop("max_num_timeout")}
    executor = AutoExecutor(folder=folder, cluster=cluster, **retries)
    if cluster == "local":
        del settings["array_parallelism"]
    executor.update_parameters(
        **{
            name if name in _SETTINGS_OF_EVERY_CLUSTER else f"{cluster}_{name}": value
            for name, value in settings.items()
        }
    )
    return executor


def _submit_array(executor: AutoExecutor, work: _Work, calls: list[Any]) -> list[Job[JobReturn]]:
    """Submit all jobs as one array. Raises SettingError with sbatch's own message."""
    try:
        jobs: list[Job[JobReturn]] = executor.map_array(work, *zip(*calls, strict=True))
    except FailedJobError as error:
        raise SettingError(f"hydra/launcher=submitit_slurm: {error}") from error
    return jobs


def _result(submitted: Job[JobReturn], overrides: Sequence[str]) -> JobReturn:
    error = submitted.exception()
    if error is None:
        result: JobReturn = submitted.result()
        return result
    row = "-" * 22  # above and below the traceback
    trace = str(error).partition(row)[2].rpartition(row)[0] or str(error)
    return failed(overrides, FailedJobError(trace.strip().splitlines()[-1]))


def _local_ended_state(submitted: Job[JobReturn]) -> str | None:
    return "" if submitted.done() else None


def _end_local(jobs: list[Job[JobReturn]]) -> None:
    """End jobs through their watcher processes, which pass SIGTERM on and wait."""
    for job in jobs:
        with suppress(ProcessLookupError):
            os.kill(int(job.job_id), signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_CLOSE
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(0.05)


def _cancel_arrays(jobs: list[Job[JobReturn]]) -> None:
    arrays = {job.job_id.partition("_")[0] for job in jobs}
    subprocess.run(["scancel", *arrays], check=False)
