"""The results of a sweep: collected from its jobs, shown, and saved to the parent run."""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path

from rich.console import Console

from fanin.measure.claims import Finding
from fanin.measure.result import RunResult
from fanin.report.comparison import Comparison, compare
from fanin.report.description import describe_sweep
from fanin.report.figures import DRAWINGS, Drawing
from fanin.report.results_table import print_comparison
from fanin.report.sweep_tables import Failure, print_claims, print_failures
from fanin.report.terminal import make_console
from fanin.runner.jobs import Job
from fanin.runner.mlflow_pages import curve_links, sweep_view, view_links
from fanin.runner.results import read_result, read_tracked, write_claims
from fanin.runner.sweep_plan import SweepPlan
from fanin.tracking.errors import StoreError
from fanin.tracking.journal import TRACEBACK
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.store import Store
from fanin.tracking.tags import ERROR, MAX_TAG_LENGTH, NOTE, PARENT
from fanin.tracking.ui import picture_address

PICTURES = ("comparison.svg", "heatmap.svg")
"""The figures shown in the sweep's description."""


class JobState(str, Enum):
    """How a job ended, in the words of jobs.csv."""

    FINISHED = "finished"
    FINISHED_BEFORE = "finished before"
    UNREADABLE = "finished before, but its numbers cannot be read now"
    EXCLUDED = "left out"
    FAILED = "failed"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    NOT_FINISHED = "not finished"


_COUNTED_AS = {
    JobState.FINISHED: "done now",
    JobState.FINISHED_BEFORE: "already done",
    JobState.UNREADABLE: "already done, but not readable now",
    JobState.NOT_FINISHED: "remaining",
}


@dataclass(frozen=True)
class Conclusion:
    """The results of a sweep.

    varying: the settings in which the jobs differ. results: of the finished jobs, in the sweep's
    order. states: of every job. links: name of a page of MLflow -> its address.
    """

    name: str
    jobs: Sequence[Job]
    varying: Sequence[str]
    results: Sequence[RunResult]
    failures: Sequence[Failure]
    findings: Sequence[Finding]
    states: Mapping[int, JobState]
    links: Mapping[str, str]

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison of the results, of which there must be at least one."""
        return compare(self.results, self.varying, self.name)

    @property
    def broken(self) -> int:
        return sum(finding.verdict == "broken" for finding in self.findings)

    @property
    def progress(self) -> str:
        """The number of finished jobs, such as "35 of 40 jobs"."""
        total = sum(not job.is_excluded for job in self.jobs)
        finished = (JobState.FINISHED, JobState.FINISHED_BEFORE, JobState.UNREADABLE)
        return f"{sum(state in finished for state in self.states.values())} of {total} jobs"


def conclude(
    plan: SweepPlan,
    read_record: Callable[[int], RunRecord | None],
    errors: Mapping[int, str],
    store: Store,
    parent_id: str,
) -> Conclusion:
    """Collect the results from the records of this sweep's jobs and from earlier runs.

    read_record: job number -> record; reads one at a time, since thousands would fill the memory.
    errors: job number -> error, as the launcher reported it.
    """
    results: list[RunResult] = []
    failures: list[Failure] = []
    states: dict[int, JobState] = {}
    run_ids: dict[str, str] | None = None
    for job in plan.jobs:
        record = read_record(job.number)
        if job.is_excluded:
            states[job.number] = JobState.EXCLUDED
        elif job.done:
            try:
                results.append(replace(read_tracked(store, job.done), job=job.number))
                states[job.number] = JobState.FINISHED_BEFORE
            except StoreError:
                states[job.number] = JobState.UNREADABLE
        elif record and record.status == RunStatus.FINISHED:
            states[job.number] = JobState.FINISHED
            if record.run_id is None and run_ids is None:  # delivered after the job ended
                run_ids = _run_ids(store, parent_id)
            run_id = record.run_id or (run_ids or {}).get(record.id)
            results.append(replace(read_result(record), job=job.number, run_id=run_id))
        elif record and record.status == RunStatus.KILLED and job.number not in errors:
            states[job.number] = JobState.INTERRUPTED  # together with the sweep
        elif record:
            is_killed = record.status == RunStatus.KILLED
            states[job.number] = JobState.KILLED if is_killed else JobState.FAILED
            folder = record.folder if TRACEBACK in record.files else None
            failures.append(Failure(job.number, job.settings, record.tags[ERROR], folder))
        elif job.number in errors:
            states[job.number] = JobState.FAILED
            error = mask_passwords(errors[job.number])
            failures.append(Failure(job.number, job.settings, error, None))
        else:
            states[job.number] = JobState.NOT_FINISHED
    findings = [claim.judge(results, plan.varying) for claim in plan.claims] if results else []
    links = {"the sweep": store.pages.run(parent_id)}
    shown = [result.run_id for result in results if result.run_id]
    if shown:
        links |= curve_links(store.pages, shown)
    return Conclusion(
        plan.title, plan.jobs, plan.varying, results, failures, findings, states, links
    )


def _run_ids(store: Store, parent_id: str) -> dict[str, str]:
    """record id -> run id, of the parent's runs; empty if the store is unreachable."""
    with suppress(StoreError):
        runs = store.runs_with_tag(PARENT, parent_id)
        return {run.record_id: run.id for run in runs if run.record_id}
    return {}


def show_conclusion(conclusion: Conclusion, console: Console) -> None:
    """Print the tables of results, claims and failures."""
    if conclusion.results:
        print_comparison(conclusion.comparison, conclusion.varying, console)
    counts = Counter(conclusion.states.values())
    if set(counts) != {JobState.FINISHED}:
        texts = [f"{n:,} {_COUNTED_AS.get(state, state.value)}" for state, n in counts.items()]
        console.print(f"\n{', '.join(texts)}")
    if conclusion.findings:
        print_claims(conclusion.findings, console)
    if conclusion.failures:
        print_failures(conclusion.failures, make_console(stderr=True))


def save_tables(conclusion: Conclusion, parent: RunRecord) -> None:
    """Save the list of jobs and the verdicts on the claims to the parent run."""
    folder = Path(parent.folder)
    with (folder / "jobs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["job", "settings", "state"])
        for job in conclusion.jobs:
            writer.writerow([job.number, job.settings, conclusion.states[job.number].value])
    parent.files.append("jobs.csv")
    parent.tags["sweep.finished"] = conclusion.progress
    if conclusion.findings:
        write_claims(parent, conclusion.findings)


def save_figures(conclusion: Conclusion, parent: RunRecord) -> None:
    """Save the tables and figures that compare the jobs to the parent run, if there are results.

    If a figure fails, its error is printed on standard error, and the others are still drawn.
    """
    if conclusion.results:
        for drawing in DRAWINGS:
            _save_figure(drawing, conclusion.comparison, parent)


def _save_figure(drawing: Drawing, comparison: Comparison, parent: RunRecord) -> None:
    try:
        parent.files += drawing(comparison, Path(parent.folder))
    except Exception as error:
        text = f"{drawing.__name__}: {type(error).__name__}: {error}"
        parent.tags["figures.error"] = text
        make_console(stderr=True).print(f"not drawn: {text}", soft_wrap=True)


def write_description(
    plan: SweepPlan, conclusion: Conclusion, parent: RunRecord, parent_id: str, store: Store
) -> None:
    """Write the sweep's description in MLflow: its question, its results, its links."""
    settings = conclusion.varying
    links = {name: link for name, link in conclusion.links.items() if name != "the sweep"}
    with suppress(StoreError):  # unreachable, or refuses views: the other links remain
        store.set_view(parent_id, sweep_view(parent.name, settings, parent_id, parent.started))
        links |= view_links(store.pages, parent_id)
    if "comparison.html" in parent.files:
        links["page"] = store.pages.run(parent_id, "comparison.html")
    parent.tags[NOTE] = describe_sweep(
        plan.question,
        plan.command,
        conclusion.comparison if conclusion.results else None,
        settings,
        MAX_TAG_LENGTH,
        findings=conclusion.findings,
        links=links,
        pictures=[picture_address(parent_id, name) for name in PICTURES if name in parent.files],
    )
