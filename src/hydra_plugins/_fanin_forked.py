"""Jobs side by side on this machine, in processes that are forked with everything imported.

A server that has imported what a job needs, and has run nothing, forks a worker in milliseconds.
It imports while the driver does. Each worker then runs one job after the other, and is told of each
by its overrides alone.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, env_override, run_job, setup_globals
from omegaconf import open_dict

from fanin.config.errors import SettingError
from hydra_plugins._fanin_workers import (
    SECONDS_TO_CLOSE,
    ProcessEndedError,
    check_n_jobs,
    ended_by_sigterm,
    failed,
    side_by_side,
)
from hydra_plugins.fanin_launchers import FaninLauncher

_FORKS = multiprocessing.get_context("forkserver")
_SAFE = "PYTHONSAFEPATH"
_IMPORTED = ["hydra_plugins._fanin_forked", "hydra_plugins._fanin_imported"]


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
            name, text = error  # an exception itself may not survive the way here
            return failed(overrides, type(name, (Exception,), {})(text))
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)


def check(launcher: FaninLauncher) -> None:
    """Refuse a wrong number of workers. Raises SettingError."""
    check_n_jobs(launcher)


def get_ready(launcher: FaninLauncher) -> None:
    """Start the server, which begins to import."""
    _FORKS.set_forkserver_preload(_IMPORTED)
    with _for_the_server(launcher):
        forkserver.ensure_running()


@contextmanager
def _for_the_server(launcher: FaninLauncher) -> Iterator[None]:
    """What a server that is started here is to have from its first import on.

    Torch reads then how many threads it has. Python's own modules are not to be looked for in the
    folder where the user stands. Ctrl-C is for the driver.
    """
    settings = launcher.config.hydra.job.env_set
    own = {name: str(value) for name, value in settings.items()} | {_SAFE: "1"}
    resource_tracker.ensure_running()  # which would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with env_override(own):
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs in `n_jobs` processes, none of them this one; none is left at the end."""
    most = side_by_side(launcher, jobs)
    told = (launcher.hydra_context, launcher.config, launcher.task_function, Singleton.get_state())
    work = cloudpickle.dumps(told)
    returns: dict[int, JobReturn] = {}
    waiting = list(reversed(range(len(jobs))))
    free: list[_Worker] = []
    working: list[_Worker] = []
    try:
        while len(returns) < len(jobs):
            while waiting and len(working) < most:
                worker = free.pop() if free else _forked(launcher, work)
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


def _forked(launcher: FaninLauncher, work: bytes) -> _Worker:
    here, there = _FORKS.Pipe()
    process = _FORKS.Process(target=_work, args=(there, work))  # no daemon: it may have children
    try:
        with _for_the_server(launcher):  # it may have died, and is started again
            process.start()
    except (EOFError, OSError) as error:
        raise SettingError(
            f"hydra/launcher={launcher.option}: the process that imports has ended; "
            "what it said stands above, and hydra/launcher=basic needs none"
        ) from error
    there.close()
    return _Worker(process, here)


def _end_of(process: ForkServerProcess) -> ProcessEndedError:
    code = process.exitcode or 0
    if -code in set(signal.Signals):
        return ProcessEndedError(signal.Signals(-code).name)
    return ProcessEndedError(f"exit status {code}")


def _work(pipe: Connection, work: bytes) -> None:
    """In a worker: run jobs until the driver closes its end, or is gone.

    Deaf to Ctrl-C, which the driver hears. Answers each job with what it raised, or nothing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ.pop(_SAFE, None)
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
            pipe.send((type(error).__name__, str(error)) if is_failed else None)
