"""Jobs side by side on this machine, in processes that are forked with everything imported.

A server that has imported what a job needs, and has run nothing, forks a worker in milliseconds.
It does so while the driver composes the jobs and makes the same imports. Each worker then runs
one job after the other, and is told of each by its overrides alone.
"""

import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, env_override, run_job, setup_globals
from omegaconf import open_dict

from fanin.config import cores
from hydra_plugins._fanin_workers import (
    SECONDS_TO_CLOSE,
    ProcessEndedError,
    check_whole,
    ended_by_sigterm,
    failed,
)
from hydra_plugins.fanin_launchers import FaninLauncher

_FORKS = multiprocessing.get_context("forkserver")
_IMPORTED = ["hydra_plugins._fanin_forked", "hydra_plugins._fanin_imported"]


class JobError(Exception):
    """What a job raised, in words: an exception itself may not survive the way here."""


@dataclass
class _Worker:
    """A process, the pipe to it, and the job that it is at."""

    process: ForkServerProcess
    pipe: Connection
    job: int = -1

    def begin(self, job: int, first: int, jobs: Sequence[Sequence[str]]) -> None:
        self.job = job
        with suppress(BrokenPipeError):  # it has died since its last job
            self.pipe.send((first + job, list(jobs[job])))

    def answer(self, jobs: Sequence[Sequence[str]]) -> JobReturn:
        """What has become of its job."""
        overrides = jobs[self.job]
        try:
            error = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return failed(overrides, _end_of(self.process))
        if error:
            return failed(overrides, JobError(error))
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)


def check(launcher: FaninLauncher) -> None:
    """Refuse a wrong number of workers; begin to import. Raises SettingError."""
    n_jobs = launcher.settings["n_jobs"]
    if n_jobs != -1:
        check_whole("n_jobs", n_jobs, note=", or -1 for every core")
    _FORKS.set_forkserver_preload(_IMPORTED)
    settings = launcher.config.hydra.job.env_set
    with env_override({name: str(value) for name, value in settings.items()}):
        forkserver.ensure_running()  # torch reads how many threads it has when it is imported


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs in `n_jobs` processes, none of them this one; none is left at the end."""
    n_jobs = launcher.settings["n_jobs"]
    most = min(cores() if n_jobs == -1 else n_jobs, len(jobs))
    told = (launcher.hydra_context, launcher.config, launcher.task_function, Singleton.get_state())
    work = cloudpickle.dumps(told)
    returns: dict[int, JobReturn] = {}
    waiting = list(reversed(range(len(jobs))))
    free: list[_Worker] = []
    working: list[_Worker] = []
    try:
        while len(returns) < len(jobs):
            while waiting and len(working) < most:
                worker = free.pop() if free else _forked(work)
                working.append(worker)
                worker.begin(waiting.pop(), first, jobs)
            for pipe in wait([worker.pipe for worker in working]):
                (worker,) = (worker for worker in working if worker.pipe is pipe)
                working.remove(worker)
                returns[worker.job] = worker.answer(jobs)
                if worker.process.is_alive():
                    free.append(worker)
    finally:
        for worker in [*free, *working]:
            worker.process.terminate()
        for worker in [*free, *working]:
            worker.process.join(SECONDS_TO_CLOSE)
            worker.process.kill()
    return [returns[job] for job in range(len(jobs))]


def _forked(work: bytes) -> _Worker:
    here, there = _FORKS.Pipe()
    process = _FORKS.Process(target=_work, args=(there, work), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


def _end_of(process: ForkServerProcess) -> ProcessEndedError:
    code = process.exitcode or 0
    return ProcessEndedError(signal.Signals(-code).name if code < 0 else f"exit status {code}")


def _work(pipe: Connection, work: bytes) -> None:
    """In a worker: run jobs until the driver closes its end, or is gone.

    Deaf to Ctrl-C, which the driver hears. Answers each job with what it raised, or nothing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    context, config, task_function, state = cloudpickle.loads(work)
    setup_globals()
    Singleton.set_state(state)
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            number, overrides = pipe.recv()
            with ended_by_sigterm():
                job: Any = context.config_loader.load_sweep_config(config, overrides)
                with open_dict(job):
                    job.hydra.job.id = f"{job.hydra.job.name}_{number}"
                    job.hydra.job.num = number
                done = run_job(
                    hydra_context=context,
                    config=job,
                    task_function=task_function,
                    job_dir_key="hydra.sweep.dir",
                    job_subdir_key="hydra.sweep.subdir",
                )
            error = done._return_value
            is_failed = done.status == JobStatus.FAILED
            pipe.send(f"{type(error).__name__}: {error}" if is_failed else "")
