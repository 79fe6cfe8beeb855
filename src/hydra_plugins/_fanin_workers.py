"""`hydra/launcher=workers`: parallel jobs on this machine, in processes forked after the imports.

A server imports everything a job needs while the driver does the same, runs nothing, and then
forks workers within milliseconds. A worker runs one job after another and receives the overrides
of each.
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

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus, env_override

from fanin.config.errors import SettingError
from fanin.config.resolvers import cores
from hydra_plugins._fanin_jobs import (
    SECONDS_TO_CLOSE,
    JobRunner,
    ProcessEndedError,
    block_sigint,
    check_positive,
    failed,
    interrupt_on_sigterm,
    job_error,
)
from hydra_plugins.fanin_launchers import FaninLauncher

_FORKSERVER = multiprocessing.get_context("forkserver")
_SAFE_PATH = "PYTHONSAFEPATH"
_PRELOADED = ["hydra_plugins._fanin_workers", "hydra_plugins._fanin_preload"]


@dataclass
class _Worker:
    """A process, the driver's end of the pipe to it, and the index of its current job."""

    process: ForkServerProcess
    pipe: Connection
    job: int = -1

    def start(self, job: int, first: int, jobs: Sequence[Sequence[str]]) -> None:
        self.job = job
        with suppress(BrokenPipeError):  # it died after its last job
            self.pipe.send((first + job, list(jobs[job])))

    def result(self, jobs: Sequence[Sequence[str]]) -> JobReturn:
        """Receive the result of the job, or return a failure if the process died."""
        overrides = jobs[self.job]
        try:
            error = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return failed(overrides, _process_ended(self.process))
        if error:
            name, text = error  # an exception object may not survive pickling
            return failed(overrides, type(name, (Exception,), {})(text))
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)


def check(launcher: FaninLauncher) -> None:
    """Raise SettingError if the number of workers is wrong."""
    n_jobs = launcher.settings["n_jobs"]
    if n_jobs != -1:
        check_positive("n_jobs", n_jobs, note=", or -1 for every core")


def get_ready(launcher: FaninLauncher) -> None:
    """Start the server, so that it begins to import."""
    _FORKSERVER.set_forkserver_preload(_PRELOADED)
    with _server_environment(launcher):
        forkserver.ensure_running()


@contextmanager
def _server_environment(launcher: FaninLauncher) -> Iterator[None]:
    """Set the environment that the server needs from its first import.

    Torch reads its number of threads when it is imported. The standard library must not be
    shadowed by files in the user's current folder. Ctrl-C is for the driver.
    """
    settings = launcher.config.hydra.job.env_set
    variables = {name: str(value) for name, value in settings.items()} | {_SAFE_PATH: "1"}
    resource_tracker.ensure_running()  # started later, it would unblock SIGINT
    with block_sigint(), env_override(variables):
        yield


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs in `n_jobs` other processes, and end the processes before returning."""
    n_jobs = launcher.settings["n_jobs"]
    most = min(cores() if n_jobs == -1 else n_jobs, len(jobs))
    runner = cloudpickle.dumps(launcher.job_runner())
    returns: dict[int, JobReturn] = {}
    waiting = list(reversed(range(len(jobs))))
    free: list[_Worker] = []
    working: list[_Worker] = []
    try:
        while len(returns) < len(jobs):
            while waiting and len(working) < most:
                worker = free.pop() if free else _fork_worker(launcher, runner)
                working.append(worker)
                worker.start(waiting.pop(), first, jobs)
            for pipe in wait([worker.pipe for worker in working]):
                (worker,) = (worker for worker in working if worker.pipe is pipe)
                working.remove(worker)
                returns[worker.job] = worker.result(jobs)
                if worker.process.is_alive():
                    free.append(worker)
    finally:
        for worker in [*free, *working]:
            worker.process.terminate()
        for worker in [*free, *working]:
            worker.process.join(SECONDS_TO_CLOSE)
            worker.process.kill()
    return [returns[job] for job in range(len(jobs))]


def _fork_worker(launcher: FaninLauncher, runner: bytes) -> _Worker:
    driver_end, worker_end = _FORKSERVER.Pipe()
    # Not a daemon, so that it may have children.
    process = _FORKSERVER.Process(target=_work, args=(worker_end, runner))
    try:
        with _server_environment(launcher):  # in case the server died and is started again
            process.start()
    except (EOFError, OSError) as error:
        raise SettingError(
            f"hydra/launcher={launcher.option}: the server that imports for the workers has ended; "
            "see its messages above, or use hydra/launcher=basic, which needs no server"
        ) from error
    worker_end.close()
    return _Worker(process, driver_end)


def _process_ended(process: ForkServerProcess) -> ProcessEndedError:
    code = process.exitcode or 0
    if -code in set(signal.Signals):
        return ProcessEndedError(signal.Signals(-code).name)
    return ProcessEndedError(f"exit status {code}")


def _work(pipe: Connection, pickled_runner: bytes) -> None:
    """In a worker: run jobs until the driver closes its end of the pipe, or dies.

    Ignores Ctrl-C, which the driver handles. Answers each job with the name and text of what it
    raised, or None.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ.pop(_SAFE_PATH, None)
    runner: JobRunner = cloudpickle.loads(pickled_runner)
    runner.set_up_process()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            number, overrides = pipe.recv()
            with interrupt_on_sigterm():
                result = runner.run(runner.compose(overrides, number))
            error = job_error(result)
            pipe.send(error and (type(error).__name__, str(error)))
