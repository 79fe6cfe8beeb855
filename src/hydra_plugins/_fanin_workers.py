"""What the launchers share: a job whose process ended, how jobs are ended, a check of settings."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from fanin.config.errors import SettingError
from fanin.config.resolvers import cores
from hydra_plugins.fanin_launchers import FaninLauncher

SECONDS_TO_CLOSE = 5.0
"""What an interrupted job has to close its run."""


class ProcessEndedError(Exception):
    """The process that ran a job ended before the job did."""

    def __init__(self, how: str) -> None:
        known = f" ({how})" if how else ""
        super().__init__(f"its process ended: killed, out of memory, or exit{known}")


def failed(overrides: Sequence[str], error: BaseException) -> JobReturn:
    """What stands for a job that gave nothing back."""
    if isinstance(error, SystemExit):
        error = ProcessEndedError(f"exit status {error.code}")
    return JobReturn(overrides=list(overrides), status=JobStatus.FAILED, _return_value=error)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """In a worker: SIGTERM interrupts the job, which then closes its run as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_whole(name: str, value: Any, note: str = "") -> None:
    """Refuse all but whole numbers from 1 on. Raises SettingError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingError(f"hydra.launcher.{name}={value}: use a whole number, 1 or more{note}")


def check_n_jobs(launcher: FaninLauncher) -> None:
    """Refuse a wrong number of workers. Raises SettingError."""
    n_jobs = launcher.settings["n_jobs"]
    if n_jobs != -1:
        check_whole("n_jobs", n_jobs, note=", or -1 for every core")


def side_by_side(launcher: FaninLauncher, jobs: Sequence[Sequence[str]]) -> int:
    """How many of the jobs run at a time."""
    n_jobs = launcher.settings["n_jobs"]
    return min(cores() if n_jobs == -1 else n_jobs, len(jobs))
