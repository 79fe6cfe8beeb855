"""Jobs in processes of their own, through submitit: on this machine or on a Slurm cluster."""

import getpass
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
from submitit import AutoExecutor, Job
from submitit.core.utils import FailedJobError

from fanin.config.errors import SettingError
from fanin.config.schema import register
from hydra_plugins._fanin_workers import (
    SECONDS_TO_CLOSE,
    ProcessEndedError,
    check_whole,
    ended_by_sigterm,
    failed,
)
from hydra_plugins.fanin_launchers import FaninLauncher

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_QUESTIONS = 5.0
_SECONDS_FOR_FILES = 15.0  # a network's file system may show a result after the job's end
_FINAL = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
)  # fmt: skip
_OF_ANY_CLUSTER = {
    "name", "timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "stderr_to_stdout"
}  # fmt: skip


class _Work(BaseSubmititLauncher):  # type: ignore[misc]
    """The plugin's way of running one job, sent to the process that runs it."""

    def __init__(self, launcher: FaninLauncher) -> None:
        super().__init__()
        self.setup(
            hydra_context=launcher.hydra_context,
            task_function=launcher.task_function,
            config=launcher.config,
        )
        self.here = launcher.option == "submitit_local"
        self.visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        self.all_visible = launcher.settings["gpus_per_node"] is None

    def __call__(self, *job: Any) -> JobReturn:
        register()  # the resolvers: no run.py has been imported here
        if self.here and self.all_visible:  # where submitit hides every GPU
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            if self.visible is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = self.visible
        with ended_by_sigterm():
            result: JobReturn = super().__call__(*job)
        return result


def check(launcher: FaninLauncher) -> None:
    """Refuse wrong numbers, and Slurm where there is none. Raises SettingError."""
    for name in ("array_parallelism", "timeout_min", "cpus_per_task"):
        if name in launcher.settings:
            check_whole(name, launcher.settings[name])
    if launcher.option == "submitit_slurm" and not (
        shutil.which("sbatch") and shutil.which("srun")
    ):
        raise SettingError("hydra/launcher=submitit_slurm: no sbatch and srun on this machine")


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs, and gather each one's result by itself.

    Ctrl-C ends them, a cluster's too: an interrupted sweep leaves nothing running. (A driver
    that is killed or loses its terminal cannot see to that: then the jobs go on.)
    """
    work = _Work(launcher)
    executor = _executor(launcher)
    state = Singleton.get_state()
    calls = [
        (list(job), "hydra.sweep.dir", first + i, f"job_id_for_{first + i}", state)
        for i, job in enumerate(jobs)
    ]
    returns: dict[int, JobReturn] = {}
    running: dict[int, Job[JobReturn]] = {}
    missing: dict[int, float] = {}  # results of jobs that have ended, and until when to wait
    ended, patience = (_ended_here, 0.0) if work.here else (_Queue().ended, _SECONDS_FOR_FILES)
    waiting = list(reversed(range(len(jobs)))) if work.here else []
    try:
        if not work.here:
            running.update(enumerate(_submit(executor, work, calls)))
        while waiting or running:
            while waiting and len(running) < launcher.settings["array_parallelism"]:
                job = waiting.pop()
                with _deaf_to_ctrl_c():
                    running[job] = executor.submit(work, *calls[job])
            for job, sent in list(running.items()):
                state = ended(sent)
                if sent.paths.result_pickle.exists():
                    returns[job] = _result(sent, jobs[job])
                elif state is None:
                    missing.pop(job, None)
                elif time.monotonic() > missing.setdefault(job, time.monotonic() + patience):
                    how = f"{state}see {sent.paths.stderr}"
                    returns[job] = failed(jobs[job], ProcessEndedError(how))
            for job in running.keys() & returns.keys():
                del running[job]
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        if running:
            (_end_here if work.here else _end_on_cluster)(list(running.values()))
    return [returns[job] for job in range(len(jobs))]


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What is started here does not hear Ctrl-C: the driver does, and ends its jobs in order."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _executor(launcher: FaninLauncher) -> AutoExecutor:
    cluster = launcher.option.removeprefix("submitit_")
    settings = dict(launcher.settings)
    folder = settings.pop("submitit_folder")
    retries = {f"{cluster}_max_num_timeout": settings.pop("max_num_timeout")}
    executor = AutoExecutor(folder=folder, cluster=cluster, **retries)
    if cluster == "local":
        del settings["array_parallelism"]
    named = {n if n in _OF_ANY_CLUSTER else f"{cluster}_{n}": v for n, v in settings.items()}
    executor.update_parameters(**named)
    return executor


def _submit(executor: AutoExecutor, work: _Work, calls: list[Any]) -> list[Job[JobReturn]]:
    """All jobs as one array. Raises SettingError with sbatch's own words."""
    try:
        jobs: list[Job[JobReturn]] = executor.map_array(work, *zip(*calls, strict=True))
    except FailedJobError as error:
        raise SettingError(f"hydra/launcher=submitit_slurm: {error}") from error
    return jobs


def _result(sent: Job[JobReturn], overrides: Sequence[str]) -> JobReturn:
    error = sent.exception()
    if error is None:
        result: JobReturn = sent.result()
        return result
    row = "-" * 22  # above and below the traceback
    trace = str(error).partition(row)[2].rpartition(row)[0] or str(error)
    return failed(overrides, FailedJobError(trace.strip().splitlines()[-1]))


def _ended_here(sent: Job[JobReturn]) -> str | None:
    return "" if sent.done() else None


class _Queue:
    """How a cluster's jobs ended, by what squeue says of them every few seconds.

    submitit itself asks sacct, and waits for ever where a cluster keeps no accounts.
    """

    def __init__(self) -> None:
        self._asked = -math.inf
        self._states: dict[str, str] | None = None

    def ended(self, sent: Job[JobReturn]) -> str | None:
        """The state that a job ended in, or None while it may still run."""
        if time.monotonic() - self._asked > _SECONDS_BETWEEN_QUESTIONS:
            self._ask()
        if self._states is None or self._states.get(sent.job_id) not in (None, *_FINAL):
            return None
        with suppress(OSError):  # without this a network's file system may hide a new file
            sent.paths.folder.chmod(sent.paths.folder.stat().st_mode)
        state = self._states.get(sent.job_id)  # none some minutes after its end
        return f"{state}; " if state else ""

    def _ask(self) -> None:
        command = ["squeue", "--user", getpass.getuser(), "--states", "all", "--array"]
        answer = subprocess.run(
            [*command, "--noheader", "--format", "%i %T"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode == 0:  # or else the cluster is away for a while
            self._states = dict(line.split() for line in answer.stdout.splitlines())
        self._asked = time.monotonic()


def _end_here(jobs: list[Job[JobReturn]]) -> None:
    """Through each job's own watcher, which hands SIGTERM on and waits for its job."""
    for job in jobs:
        with suppress(ProcessLookupError):
            os.kill(int(job.job_id), signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_CLOSE
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(0.05)


def _end_on_cluster(jobs: list[Job[JobReturn]]) -> None:
    arrays = {job.job_id.partition("_")[0] for job in jobs}
    subprocess.run(["scancel", *arrays], check=False)
