"""What the launchers share: running one job in another process, and reporting its failure."""

import io
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from fanin.config.errors import SettingError
from fanin.config.exits import interrupts_kept
from fanin.config.schema import register

SECONDS_TO_CLOSE = 5.0
"""How long an interrupted job may take to close its run."""


class ProcessEndedError(Exception):
    """The process that ran a job ended before the job did."""

    def __init__(self, detail: str) -> None:
        suffix = f" ({detail})" if detail else ""
        super().__init__(f"its process ended: killed, out of memory, or exit{suffix}")


@dataclass(frozen=True)
class JobRunner:
    """Composes and runs the jobs of a sweep. It is pickled and sent to the processes that run them.

    `config` is the sweep's configuration; each job applies its overrides to it.
    """

    hydra_context: HydraContext
    config: DictConfig
    task_function: TaskFunction
    singletons: dict[Any, Any] = field(default_factory=Singleton.get_state)

    def compose(self, overrides: Sequence[str], number: int, job_id: str = "") -> DictConfig:
        """Compose the configuration of job `number`."""
        loader = self.hydra_context.config_loader
        job = loader.load_sweep_config(self.config, list(overrides))
        with open_dict(job):
            job.hydra.job.id = job_id or f"{job.hydra.job.name}_{number}"
            job.hydra.job.num = number
        return job

    def set_up_process(self) -> None:
        """Give this process the driver's Hydra state and fanin's resolvers."""
        setup_globals()
        Singleton.set_state(self.singletons)
        register()  # not every process has imported run.py

    def run(self, job: DictConfig) -> JobReturn:
        """Run a composed job in its own output folder."""
        return run_job(
            hydra_context=self.hydra_context,
            config=job,
            task_function=self.task_function,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


def failed(overrides: Sequence[str], error: BaseException) -> JobReturn:
    """Make the result of a job that returned nothing."""
    if isinstance(error, SystemExit):
        error = ProcessEndedError(f"exit status {error.code}")
    result = JobReturn(overrides=list(overrides), status=JobStatus.FAILED)
    result.return_value = error
    return result


def job_error(result: JobReturn) -> BaseException | None:
    """Return what a failed job raised; None for a completed job."""
    if result.status == JobStatus.COMPLETED:
        return None
    with redirect_stderr(io.StringIO()):  # Hydra's property prints before it raises
        try:
            result.return_value  # noqa: B018
        except BaseException as error:
            return error
    raise AssertionError("a failed job has an error")


@contextmanager
def interrupt_on_sigterm() -> Iterator[None]:
    """In a worker: let SIGTERM interrupt the job, which then closes its run, as after Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with interrupts_kept():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def block_sigint() -> Iterator[None]:
    """Keep Ctrl-C from processes started in the block; the driver gets it and ends its jobs."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_positive(name: str, value: Any, note: str = "") -> None:
    """Raise SettingError unless the value is a whole number, 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingError(f"hydra.launcher.{name}={value}: use a whole number, 1 or more{note}")
