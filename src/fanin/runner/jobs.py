"""The jobs of a sweep: what each of them is, which are left out, and which are done already."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanin.config.schema import SettingError
from fanin.config.spelling import did_you_mean
from fanin.measure.claims import agree
from fanin.runner.results import typed
from fanin.theory.forecast import Forecast
from fanin.tracking.store import Tracked

FINISHED = "FINISHED"


@dataclass
class Job:
    """One combination of a sweep's settings.

    number: its place in the sweep, whatever is left out. config_hash, code_version: what makes
    two runs the same. done: the run that holds its result, where there is one. before: the state
    of the last run that should have been it and holds none. seconds, memory (bytes), forecast: in
    a plan.
    """

    number: int
    overrides: list[str]
    params: Mapping[str, str]
    is_left_out: bool = False
    config_hash: str = ""
    code_version: str = ""
    done: Tracked | None = None
    before: str | None = None
    seconds: float = 0
    memory: int = 0
    forecast: Forecast | None = None

    @property
    def settings(self) -> str:
        return typed(self.overrides)

    @property
    def plan(self) -> str:
        """What would be done with it."""
        if self.is_left_out:
            return "left out"
        if self.done:
            return "done already"
        if self.before == "RUNNING":
            return "running, or cut off"
        why = "done by other code" if self.before == FINISHED else f"{self.before} before".lower()
        return f"to run again ({why})" if self.before else "to run"

    @property
    def is_to_run(self) -> bool:
        return not self.is_left_out and self.done is None


def leave_out(
    jobs: Sequence[Job], clauses: Sequence[Mapping[str, Any]], *, must_select: bool
) -> None:
    """Leave out each job that has all settings of one of the clauses. Raises SettingError."""
    if isinstance(clauses, str) or not all(isinstance(c, Mapping) and c for c in clauses):
        raise SettingError(
            f"sweep.exclude={clauses}: use a list of settings, '[{{init: xavier, depth: 50}}]'"
        )
    for clause in clauses:
        shown = "{" + ", ".join(f"{name}: {value}" for name, value in clause.items()) + "}"
        for name in clause:
            if name not in jobs[0].params:
                hint = did_you_mean(str(name), jobs[0].params)
                raise SettingError(f"sweep.exclude={shown}: {name} is no setting of a job{hint}")
        selected = [job for job in jobs if agree(job.params, clause)]
        if must_select and not selected:
            raise SettingError(f"sweep.exclude={shown}: selects no job of the sweep")
        for job in selected:
            job.is_left_out = True
    if all(job.is_left_out for job in jobs):
        raise SettingError(f"sweep.exclude: leaves out all {len(jobs)} jobs")


def match(jobs: Sequence[Job], runs: Sequence[Tracked]) -> None:
    """Tell each job which of the runs, the latest first, has done it; no run does two jobs."""
    finished: dict[tuple[str, str], list[Tracked]] = defaultdict(list)
    before: dict[str, str] = {}
    for run in runs:
        config_hash = run.tags.get("config.hash", "")
        if run.status == FINISHED:
            finished[config_hash, run.tags.get("code.version", "")].append(run)
        before.setdefault(config_hash, run.status)
    for job in jobs:
        candidates = finished[job.config_hash, job.code_version]
        job.done = candidates.pop(0) if candidates else None
        job.before = before.get(job.config_hash)


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """Those to run. One that took its process with it comes last, or no resume got past it."""
    return sorted(filter(lambda job: job.is_to_run, jobs), key=lambda job: job.before == "KILLED")
