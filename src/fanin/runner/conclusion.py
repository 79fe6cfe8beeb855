"""What came out of a sweep: gathered from what its jobs left, shown, and kept with the parent."""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console

from fanin.measure.claims import Claim, Finding
from fanin.measure.result import RunResult
from fanin.report.best import best, ranked
from fanin.report.comparison import Comparison, Line, compare
from fanin.report.description import curve_links, sweep_note, sweep_view, view_links
from fanin.report.figures import DRAWINGS, Drawing
from fanin.report.terminal import (
    Failure,
    screen,
    show_claims,
    show_comparison,
    show_failures,
)
from fanin.runner.jobs import FINISHED, Job
from fanin.runner.results import add_claims, outcome, outcome_of
from fanin.tracking.journal import TRACEBACK
from fanin.tracking.run_record import Record
from fanin.tracking.store import ERROR, NOTE, PARENT, Store, StoreError, without_password
from fanin.tracking.ui import picture, run_page

PICTURES = ("comparison.svg", "heatmap.svg")
"""Shown in the sweep's description."""
MAX_REASONS = 3
NOT_FINISHED = "not finished"
UNREADABLE = "finished before, but its numbers cannot be read now"


@dataclass(frozen=True)
class Conclusion:
    """outcomes: of the jobs that have ended well, in the sweep's order. states: of every job.

    links: what is to be seen in MLflow's UI -> its address there.
    """

    name: str
    jobs: Sequence[Job]
    outcomes: Sequence[RunResult]
    failures: Sequence[Failure]
    findings: Sequence[Finding]
    states: Mapping[int, str]
    links: Mapping[str, str]

    @cached_property
    def comparison(self) -> Comparison:
        """Of its outcomes, where there is one or more."""
        return compare(self.outcomes, varying_settings(self.jobs), self.name)

    @property
    def broken(self) -> int:
        return sum(finding.verdict == "broken" for finding in self.findings)

    @property
    def progress(self) -> str:
        """Such as "35 of 40 jobs"."""
        wanted = sum(not job.is_left_out for job in self.jobs)
        finished = sum(state.startswith("finished") for state in self.states.values())
        return f"{finished} of {wanted} jobs"


def conclude(
    name: str,
    jobs: Sequence[Job],
    left_by: Callable[[int], Record | None],
    errors: Mapping[int, str],
    claims: Sequence[Claim],
    store: Store,
    parent_id: str,
) -> Conclusion:
    """From the records that this sweep's jobs left, and the runs that earlier ones did.

    name: the sweep's. left_by: a job's number -> its record, each read when it is its turn, since
    thousands would fill the memory. errors: what the launcher said of a job.
    """
    outcomes, failures, states = [], [], {}
    ids: dict[str, str] | None = None
    for job in jobs:
        record = left_by(job.number)
        if job.is_left_out:
            states[job.number] = "left out"
        elif job.done:
            try:
                outcomes.append(replace(outcome_of(store, job.done), job=job.number))
                states[job.number] = "finished before"
            except StoreError:
                states[job.number] = UNREADABLE
        elif record and record.status == FINISHED:
            states[job.number] = "finished"
            if record.run_id is None and ids is None:  # one that waited is there since
                ids = _run_ids(store, parent_id)
            run_id = record.run_id or (ids or {}).get(record.id)
            outcomes.append(replace(outcome(record), job=job.number, run_id=run_id))
        elif record and record.status == "KILLED" and job.number not in errors:
            states[job.number] = "interrupted"  # with the whole sweep
        elif record:
            states[job.number] = record.status.lower()
            folder = record.folder if TRACEBACK in record.files else None
            failures.append(Failure(job.number, job.settings, record.tags[ERROR], folder))
        elif job.number in errors:
            states[job.number] = "failed"
            error = without_password(errors[job.number])
            failures.append(Failure(job.number, job.settings, error, None))
        else:
            states[job.number] = NOT_FINISHED
    varying = varying_settings(jobs)
    findings = [claim.judge(outcomes, varying) for claim in claims] if outcomes else []
    links = {"the sweep": run_page(store.experiment_id, parent_id)}
    run_ids = [outcome.run_id for outcome in outcomes if outcome.run_id]
    if run_ids:
        links |= curve_links(store.experiment_id, run_ids)
    return Conclusion(name, jobs, outcomes, failures, findings, states, links)


def _run_ids(store: Store, parent_id: str) -> dict[str, str]:
    """The store's id of each record that it has; those of a store that is away are not known."""
    with suppress(StoreError):
        runs = store.runs(PARENT, parent_id)
        return {run.record_id: run.id for run in runs if run.record_id}
    return {}


def show_conclusion(conclusion: Conclusion, console: Console) -> None:
    """The tables: what was measured, what became of the claims, what failed."""
    if conclusion.outcomes:
        show_comparison(conclusion.comparison, varying_settings(conclusion.jobs), console)
    counts = Counter(conclusion.states.values())
    if set(counts) != {"finished"}:
        console.print(f"\n{', '.join(f'{count} {state}' for state, count in counts.items())}")
    if conclusion.findings:
        show_claims(conclusion.findings, console)
    if conclusion.failures:
        show_failures(conclusion.failures, screen(stderr=True))


def keep(conclusion: Conclusion, parent: Record) -> None:
    """Keep with the parent: the list of jobs, and what became of the claims."""
    folder = Path(parent.folder)
    with (folder / "jobs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["job", "settings", "state"])
        for job in conclusion.jobs:
            writer.writerow([job.number, job.settings, conclusion.states[job.number]])
    parent.files.append("jobs.csv")
    parent.tags["sweep.finished"] = conclusion.progress
    if conclusion.findings:
        add_claims(parent, conclusion.findings)


def save_figures(conclusion: Conclusion, parent: Record) -> None:
    """Keep with the parent the tables and figures that compare its jobs, where it has any.

    One that cannot be drawn is said, and takes nothing else with it.
    """
    if conclusion.outcomes:
        for drawing in DRAWINGS:
            _illustrate(drawing, conclusion.comparison, parent)


def _illustrate(drawing: Drawing, comparison: Comparison, parent: Record) -> None:
    try:
        parent.files += drawing(comparison, Path(parent.folder))
    except Exception as error:
        said = f"{drawing.__name__}: {type(error).__name__}: {error}"
        parent.tags["figures.error"] = said
        screen(stderr=True).print(f"not drawn: {said}", soft_wrap=True)


def describe(
    conclusion: Conclusion, parent: Record, parent_id: str, store: Store, question: str, line: str
) -> None:
    """Say in MLflow's UI what the sweep asked and found, and where to look.

    line: the command that repeats it.
    """
    settings = varying_settings(conclusion.jobs)
    lines = ranked([Line({}, [outcome]) for outcome in conclusion.outcomes])
    links = {name: link for name, link in conclusion.links.items() if name != "the sweep"}
    with suppress(StoreError):  # it is away, or takes no view: the links that there are will do
        store.tag_experiment(*sweep_view(parent.name, settings, parent_id, parent.started))
        links |= view_links(store.experiment_id, parent_id)
    if "comparison.html" in parent.files:
        links["page"] = run_page(store.experiment_id, parent_id, "comparison.html")
    parent.tags[NOTE] = sweep_note(
        question,
        line,
        [one.outcome for one in lines],
        settings,
        best=best(conclusion.comparison) if conclusion.outcomes else "",
        reasons=_reasons(conclusion.comparison) if conclusion.outcomes else (),
        findings=conclusion.findings,
        links=links,
        pictures=[picture(parent_id, name) for name in PICTURES if name in parent.files],
    )


def _reasons(comparison: Comparison) -> list[str]:
    """Why the first few that are not healthy are not, and what to try."""
    troubled = [line for line in ranked(comparison.lines) if line.verdict != "healthy"]
    return [
        f"{line.label or 'it'} is {line.verdict}: {line.outcome.explanation}"
        + (f". Try {line.outcome.advice}" if line.outcome.advice else "")
        for line in troubled[:MAX_REASONS]
    ]


def varying_settings(jobs: Sequence[Job]) -> list[str]:
    """The settings in which the jobs differ, or the main ones where they do not."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for override in job.overrides:
            name, _, value = override.partition("=")
            values.setdefault(name.lstrip("+"), set()).add(value)
    shown = [name for name, some in values.items() if len(some) > 1]
    return [name for name in shown if name in jobs[0].params] or ["init", "activation", "depth"]
