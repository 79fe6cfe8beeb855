"""The jobs of a sweep: what each of them is, which are left out, and which are done already."""

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
    """What a job takes, in seconds and bytes, and what theory predicts for it."""

    seconds: float
    memory: int
    forecast: Forecast | None


@dataclass
class Job:
    """One combination of a sweep's settings.

    number: its place in the sweep, whatever is left out. config_hash, code_version: what makes two
    runs the same. done: the run that holds its result, where there is one. last_status: of the last
    run that should have held it and does not. estimate: in a plan.
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
        """Its overrides in one line, fit to be shown to others."""
        return mask_passwords(format_overrides(self.overrides))

    @property
    def is_to_run(self) -> bool:
        return not self.is_excluded and self.done is None

    @property
    def plan(self) -> str:
        """What a run of the sweep would do with it."""
        if self.is_excluded:
            return "left out"
        if self.done:
            return "done already"
        if self.last_status is None:
            return "to run"
        if self.last_status == RunStatus.RUNNING:
            return "running, or cut off"
        was_finished = self.last_status == RunStatus.FINISHED
        reason = "done by other code" if was_finished else f"{self.last_status.lower()} before"
        return f"to run again ({reason})"


def match_runs(jobs: Sequence[Job], runs: Sequence[TrackedRun]) -> None:
    """Tell each job which of the runs, the latest first, has done it. No run does two jobs."""
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
    """Those to run. One that took its process with it comes last, or no resume got past it."""
    return sorted(
        (job for job in jobs if job.is_to_run), key=lambda job: job.last_status == RunStatus.KILLED
    )
