"""The jobs of a sweep: their settings, which are excluded, and which are done already."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fanin.config.command_line import format_overrides
from fanin.measure.params import Params
from fanin.runner.fingerprint import equal_versions
from fanin.theory.forecast import Forecast
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunStatus
from fanin.tracking.tracked_run import TrackedRun


@dataclass(frozen=True)
class Estimate:
    """The cost of a job, in seconds and bytes, and its forecast by theory."""

    seconds: float
    memory: int
    forecast: Forecast | None


@dataclass
class Job:
    """One combination of a sweep's settings.

    number: its place in the sweep, excluded jobs included. config_hash, code_version: equal for
    equal runs. done: the run that holds the job's result, if there is one. last_status: the status
    of the last run with this config_hash. estimate: only in a plan.
    """

    number: int
    overrides: list[str]
    params: Params
    is_excluded: bool = False
    config_hash: str = ""
    code_version: str = ""
    done: TrackedRun | None = None
    last_status: str | None = None
    estimate: Estimate | None = None

    @property
    def settings(self) -> str:
        """The overrides in one line, with passwords masked."""
        return mask_passwords(format_overrides(self.overrides))

    @property
    def is_to_run(self) -> bool:
        return not self.is_excluded and self.done is None

    @property
    def plan(self) -> str:
        """What the sweep would do with the job."""
        if self.is_excluded:
            return "left out"
        if self.done:
            return "done already"
        if self.last_status is None:
            return "to run"
        if self.last_status == RunStatus.RUNNING:
            return "running or interrupted"
        was_finished = self.last_status == RunStatus.FINISHED
        reason = (
            "finished with different code" if was_finished else f"{self.last_status.lower()} before"
        )
        return f"to run again ({reason})"


def match_runs(jobs: Sequence[Job], runs: Sequence[TrackedRun]) -> None:
    """Set `done` of each job to the latest run that has its result. A run serves one job only."""
    finished: dict[tuple[str, str], list[TrackedRun]] = defaultdict(list)
    last_status: dict[str, str] = {}
    for run in runs:
        config_hash = run.tags.get("config.hash", "")
        if run.status == RunStatus.FINISHED:
            finished[config_hash, run.tags.get("code.version", "")].append(run)
        last_status.setdefault(config_hash, run.status)
    for job in jobs:
        candidates = [
            runs
            for version in equal_versions(job.code_version)
            if (runs := finished[job.config_hash, version])
        ]
        job.done = candidates[0].pop(0) if candidates else None
        job.last_status = last_status.get(job.config_hash)


def jobs_to_run(jobs: Sequence[Job]) -> list[Job]:
    """The jobs to run.

    Jobs whose process was killed come last, so that a resume does not die on them first.
    """
    return sorted(
        (job for job in jobs if job.is_to_run), key=lambda job: job.last_status == RunStatus.KILLED
    )
