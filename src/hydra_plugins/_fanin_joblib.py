"""Jobs side by side on this machine, in the worker processes of joblib.

joblib keeps its workers in one pool, which breaks as a whole when one of them dies and takes the
jobs of the others with it. Here each worker is a pool of its own, one process wide: when it
dies, one job is lost, and none has to be run again to find out which.
"""

import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra_plugins.hydra_joblib_launcher._core import execute_job
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from hydra_plugins._fanin_workers import (
    SECONDS_TO_CLOSE,
    ProcessEndedError,
    check_n_jobs,
    ended_by_sigterm,
    failed,
    side_by_side,
)
from hydra_plugins.fanin_launchers import FaninLauncher

_SECONDS_BETWEEN_LOOKS = 0.5
_at_work = threading.Lock()
"""In a worker: held while a job runs."""


def check(launcher: FaninLauncher) -> None:
    """Refuse a wrong number of workers. Raises SettingError."""
    check_n_jobs(launcher)


def launch(launcher: FaninLauncher, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run the jobs in `n_jobs` processes, none of them this one; none is left at the end."""
    pools = [_pool() for _ in range(side_by_side(launcher, jobs))]
    state = Singleton.get_state()

    def start(job: int, slot: int) -> Future[JobReturn]:
        context, config = launcher.hydra_context, launcher.config
        given = (first + job, jobs[job], context, config, launcher.task_function, state)
        future: Future[JobReturn]
        try:
            future = pools[slot].submit(_work, *given)
        except BrokenProcessPool:  # its process died with its last job, or since
            pools[slot] = _pool()
            future = pools[slot].submit(_work, *given)
        return future

    returns: dict[int, JobReturn] = {}
    running: dict[Future[JobReturn], tuple[int, int]] = {}
    waiting = list(reversed(range(len(jobs))))
    free = list(range(len(pools)))
    try:
        while waiting or running:
            while waiting and free:
                job, slot = waiting.pop(), free.pop()
                running[start(job, slot)] = job, slot
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, slot = running.pop(future)
                free.append(slot)
                error = future.exception()
                returns[job] = failed(jobs[job], _plain(error)) if error else future.result()
    finally:
        if running:
            for process in multiprocessing.active_children():
                process.terminate()
            wait(running, timeout=SECONDS_TO_CLOSE)
        for pool in pools:
            pool.shutdown(kill_workers=True)
    return [returns[job] for job in range(len(jobs))]


def _work(*job: Any) -> JobReturn:
    with _at_work, ended_by_sigterm():
        result: JobReturn = execute_job(*job)
    return result


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=1, initializer=_begin, initargs=(os.getpid(),))


def _begin(driver: int) -> None:
    """In a worker: be deaf to Ctrl-C, which the driver hears; do not outlive the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_after, args=(driver,), daemon=True).start()


def _leave_after(driver: int) -> None:
    """Where the driver was killed, go once the job at hand is done.

    A worker would notice only if its end of the pipe were the only one, and it holds both.
    """
    while os.getppid() == driver:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    with _at_work:
        os._exit(1)


def _plain(error: BaseException) -> BaseException:
    """A dead worker in one line; its exit code stands at the end of loky's paragraph."""
    if not isinstance(error, TerminatedWorkerError):
        return error
    code = re.search(r"(\w+)\((-?\d+)\)", str(error))
    if not code:
        return ProcessEndedError("")
    return ProcessEndedError(f"exit status {code[2]}" if code[1] == "EXIT" else code[1])
