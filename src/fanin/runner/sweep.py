"""A sweep in the store: started or resumed, launched, closed and concluded."""

import gc
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

from fanin.config.errors import SettingError
from fanin.report.figures import MAX_BYTES
from fanin.report.progress import show_progress, show_status
from fanin.report.terminal import make_console, print_data, print_files
from fanin.runner import cost, sweep_dir
from fanin.runner.jobs import jobs_to_run, match_runs
from fanin.runner.new_run import common_tags
from fanin.runner.preflight import check_disk
from fanin.runner.storage import (
    JOURNAL,
    announce,
    flush_pending,
    open_run_store,
    store_errors_as_settings,
)
from fanin.runner.sweep_conclusion import (
    Conclusion,
    conclude,
    save_figures,
    save_tables,
    show_conclusion,
    write_description,
)
from fanin.runner.sweep_plan import SWEEP_HASH, SweepPlan
from fanin.tracking.errors import StoreError
from fanin.tracking.journal import ENDED_FROM_OUTSIDE, StillRunningError
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunRecord, RunStatus
from fanin.tracking.store import Store
from fanin.tracking.tags import ERROR, OUTPUT_DIR, PARENT
from fanin.tracking.tracked_run import TrackedRun

SWEEP_FILE = "sweep.yaml"
SEEN = "seen"
SECONDS_BETWEEN_HEARTBEATS = 60
SECONDS_BETWEEN_CHECKS = 0.5
SHUTDOWN_SECONDS = 5  # for workers that were told to stop
RESUME = "the same line with sweep.resume=true runs the rest"

Launch = Callable[[Sequence[tuple[int, list[str]]], str], dict[int, str]]
"""(numbers and overrides of jobs, the parent's id) -> the errors of failed jobs, by number."""


def run_sweep(plan: SweepPlan, launch: Launch) -> None:
    """Run the jobs and conclude the sweep. Exits with status 1 if a job failed."""
    SweepRun(plan, launch).run()


class SweepRun:
    """One run of a sweep. `conclusion` is set once its jobs have ended, however they ended."""

    def __init__(self, plan: SweepPlan, launch: Launch) -> None:
        self.plan = plan
        self.launch = launch
        self.folder = plan.spec.folder
        self.tracking = plan.spec.tracking
        self.console = make_console()
        self.conclusion: Conclusion | None = None

    def run(self) -> None:
        """Run the jobs and conclude the sweep. Exits with status 1 if a job failed."""
        depths = [int(str(job.params["depth"])) for job in jobs_to_run(self.plan.jobs)]
        needed = sum(map(cost.disk, depths)) + 2 * MAX_BYTES  # in its folder and in the store
        check_disk(f"hydra.sweep.dir={self.folder}", self.folder, needed)
        print_data([*self.plan.data_lines], self.console)
        try:
            with store_errors_as_settings(self.tracking):
                self._begin_or_resume()
        except KeyboardInterrupt:
            done = f"after {self.conclusion.progress}" if self.conclusion else "before any job ran"
            raise KeyboardInterrupt(f"{done}; {RESUME}") from None
        self._exit_if_failed()

    def _begin_or_resume(self) -> None:
        with show_status("opening the store ..."):
            self.folder.mkdir(parents=True, exist_ok=True)
            store = open_run_store(self.tracking, self.plan.experiment)
            flush_pending(self.tracking)
            before = self._sweep_to_resume(store) if self.plan.spec.sweep.resume else None
        is_finished = before is not None and before.status == RunStatus.FINISHED
        if before and is_finished and not jobs_to_run(self.plan.jobs):
            self.conclusion = self._conclude(before.id, {}, store)
            self._announce(before.name)
        else:
            self._run_parent(store, before)

    def _sweep_to_resume(self, store: Store) -> TrackedRun | None:
        """The latest sweep of this line, its runs matched with the jobs.

        Raises SettingError if it was running a moment ago. (A sweep whose process is gone has just
        been closed by flush_pending, so it does not count.)
        """
        latest = self.plan.match_latest(store)
        if latest is None:
            self.console.print(
                f"Nothing to resume in {self.plan.experiment}; starting a new sweep."
            )
        elif latest.status == RunStatus.RUNNING:
            silent = time.time() - _seconds(latest.tags.get(SEEN, ""))
            if silent < 3 * SECONDS_BETWEEN_HEARTBEATS:
                raise SettingError(
                    f"sweep.resume=true: the sweep in {latest.output_dir} is still running "
                    f"(last seen {silent:.0f} s ago)"
                )
        return latest

    def _run_parent(self, store: Store, before: TrackedRun | None) -> None:
        """Open the parent run, or continue the one before, and run the jobs in it."""
        parent = self._parent_record(before)
        begun = JOURNAL.run(parent, lambda _: store, before.id if before else None, must_open=True)
        try:
            with begun as parent_id:
                assert parent_id is not None  # must_open
                sweep_dir.begin(self.folder, parent.id)
                (self.folder / "multirun.yaml").write_text(self.plan.spec.config_yaml)
                self._attach_file(parent)
                if before:
                    self._take_over(store, before, parent.id)
                with _heartbeat(store, parent_id):
                    self._run_jobs(store, parent, parent_id)
        except StillRunningError as error:
            place = before.output_dir if before else error
            raise SettingError(
                f"sweep.resume=true: the sweep in {place} is still running"
            ) from error
        finally:
            if self.conclusion:
                self._announce(parent.name, parent.files)

    def _parent_record(self, before: TrackedRun | None) -> RunRecord:
        """The record of the sweep's own run; `before` is the run to continue, if any."""
        left_out = [f"{job.number} ({job.settings})" for job in self.plan.jobs if job.is_excluded]
        record = RunRecord(
            uri=mask_passwords(self.tracking.uri),
            experiment=self.plan.experiment,
            name=self.plan.title,
            folder=str(self.folder),
            tags=common_tags(self.plan.spec.overrides)
            | {
                OUTPUT_DIR: str(self.folder),
                SWEEP_HASH: self.plan.sweep_hash,
                "sweep.jobs": str(len(self.plan.jobs)),
                "sweep.left_out": "; ".join(left_out) or "none",
            },
        )
        if before:
            assert before.record_id  # match_latest looks for it
            record.id = before.record_id
        return record

    def _attach_file(self, parent: RunRecord) -> None:
        text = self.plan.as_file()
        if text:
            (self.folder / SWEEP_FILE).write_text(text)
            parent.files.append(SWEEP_FILE)

    def _take_over(self, store: Store, before: TrackedRun, record_id: str) -> None:
        """Wait for jobs of the earlier sweep that still run in its workers."""
        sweep_dir.supersede(before.output_dir, self.folder, record_id)
        if self._count_running(before.id):
            with show_status("waiting for jobs that are still running ..."):
                while self._count_running(before.id):
                    time.sleep(SECONDS_BETWEEN_CHECKS)
        flush_pending(self.tracking)
        match_runs(self.plan.jobs, store.runs_with_tag(PARENT, before.id))  # now complete

    def _run_jobs(self, store: Store, parent: RunRecord, parent_id: str) -> None:
        todo = jobs_to_run(self.plan.jobs)
        errors: dict[int, str] = {}
        gc.freeze()  # or each collection visits every object of torch and MLflow
        try:
            with show_progress("jobs", len(todo), lambda: sweep_dir.count_finished(self.folder)):
                if todo:
                    errors |= self.launch([(job.number, job.overrides) for job in todo], parent_id)
            for job in todo:  # for jobs without a record, whatever the launcher reports
                errors.setdefault(job.number, ENDED_FROM_OUTSIDE)
        finally:  # even if interrupted, show and keep what finished
            self._close_jobs(parent_id)
            self.conclusion = self._conclude(parent_id, errors, store)
            save_tables(self.conclusion, parent)
            try:
                with show_status("drawing ..."):
                    save_figures(self.conclusion, parent)
            finally:
                write_description(self.plan, self.conclusion, parent, parent_id, store)
        if self.conclusion.failures:
            parent.status = RunStatus.FAILED
            parent.tags[ERROR] = f"{len(self.conclusion.failures)} of its jobs failed"

    def _close_jobs(self, parent_id: str) -> None:
        """Deliver pending runs, and close those of jobs whose process is gone."""
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while time.monotonic() < deadline and self._count_running(parent_id):
            time.sleep(SECONDS_BETWEEN_CHECKS)
        flush_pending(self.tracking)

    def _count_running(self, parent_id: str) -> int:
        return JOURNAL.running_count(lambda record: record.parent == parent_id)

    def _conclude(self, parent_id: str, errors: Mapping[int, str], store: Store) -> Conclusion:
        def read_record(job: int) -> RunRecord | None:
            return sweep_dir.read_record(job, self.folder, parent_id)

        conclusion = conclude(self.plan, read_record, errors, store, parent_id)
        show_conclusion(conclusion, self.console)
        return conclusion

    def _announce(self, name: str, files: Sequence[str] = ()) -> None:
        assert self.conclusion is not None
        links = self.conclusion.links
        announce(name, self.plan.experiment, self.tracking, self.console, links)
        if files:
            print_files(self.folder, files, self.console)

    def _exit_if_failed(self) -> None:
        conclusion = self.conclusion
        assert conclusion is not None
        failed = len(conclusion.failures)
        if failed:
            jobs = "1 job" if failed == 1 else f"{failed} jobs"
            sys.exit(f"fanin: {jobs} failed, {conclusion.progress} finished; {RESUME}")
        if conclusion.broken and self.plan.spec.claims.strict:
            claims = len(conclusion.findings)
            sys.exit(f"fanin: claims.strict: {conclusion.broken} of {claims} claims are broken")


@contextmanager
def _heartbeat(store: Store, run_id: str) -> Iterator[None]:
    """Write the time to the store every minute, for machines that cannot see our locks."""
    is_over = Event()

    def beat() -> None:
        while True:
            with suppress(StoreError):  # the next one may arrive
                store.set_tag(run_id, SEEN, f"{time.time():.0f}")
            if is_over.wait(SECONDS_BETWEEN_HEARTBEATS):
                return

    Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _seconds(tag: str) -> float:
    """Seconds since 1970; 0 if the tag is not a number."""
    return float(tag) if re.fullmatch(r"\d{1,12}", tag) else 0.0
