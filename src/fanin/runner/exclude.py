"""sweep.exclude: the jobs of a sweep that do not run."""

from collections.abc import Sequence
from typing import Any

from fanin.config.errors import SettingError
from fanin.config.spelling import did_you_mean
from fanin.measure.params import matches
from fanin.runner.jobs import Job


def apply_exclude(jobs: Sequence[Job], clauses: Any, *, must_select: bool) -> None:
    """Exclude each job that has all the settings of a clause. Raises SettingError.

    must_select: whether a clause that matches no job is an error.
    """
    if not isinstance(clauses, list) or not all(isinstance(c, dict) and c for c in clauses):
        raise SettingError(
            f"sweep.exclude={clauses}: use a list of settings, '[{{init: xavier, depth: 50}}]'"
        )
    names = dict.fromkeys(name for job in jobs for name in job.params)
    for clause in clauses:
        shown = "{" + ", ".join(f"{name}: {value}" for name, value in clause.items()) + "}"
        for name in clause:
            if name not in names:
                hint = did_you_mean(str(name), names)
                raise SettingError(
                    f"sweep.exclude={shown}: {name} is not a setting of any job{hint}"
                )
        selected = [job for job in jobs if matches(job.params, clause)]
        if must_select and not selected:
            raise SettingError(f"sweep.exclude={shown}: matches no job in this sweep")
        for job in selected:
            job.is_excluded = True
    if all(job.is_excluded for job in jobs):
        raise SettingError(f"sweep.exclude: excludes all {len(jobs)} jobs")
