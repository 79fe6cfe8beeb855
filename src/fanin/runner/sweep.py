"""A sweep's life in the store: planned, begun or resumed, launched, concluded."""

import gc
import hashlib
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf

from fanin.config.compose import ConfigTemplate, Values
from fanin.config.experiment_file import (
    Setting,
    experiment_file,
    overrides_of_run,
    overrides_of_sweep,
)
from fanin.config.schema import (
    GROUPS,
    PROJECT,
    Choices,
    Claims,
    SettingError,
    absolute_uri,
    check_disk,
    chosen,
    cores,
)
from fanin.measure.claims import Claim
from fanin.measure.profile import CURVES, NUMBERS
from fanin.report.description import command, question_about, question_of
from fanin.report.figures import BYTES
from fanin.report.progress import progress, status
from fanin.report.terminal import PlannedJob, duration, print_files, screen, show_plan
from fanin.runner import cost
from fanin.runner import results as record
from fanin.runner import sweep_dir as sweep_folder
from fanin.runner.conclusion import (
    Conclusion,
    conclude,
    describe,
    keep,
    save_figures,
    show_conclusion,
    varying_settings,
)
from fanin.runner.jobs import FINISHED, Job, in_order, leave_out, match
from fanin.runner.run import (
    JOURNAL,
    announce,
    estimate,
    foresee,
    naming_the_store,
    open_existing_store,
    open_store,
    prepare,
    settle,
)
from fanin.theory.comparison import METRICS
from fanin.theory.forecast import Forecast
from fanin.tracking.journal import ENDED_FROM_OUTSIDE, StillRunningError
from fanin.tracking.run_record import Record
from fanin.tracking.store import (
    ERROR,
    OUTPUT_DIR,
    PARENT,
    Store,
    StoreError,
    Tracked,
    run_of,
    without_password,
)

SWEEP_HASH = "sweep.hash"
SWEEP_FILE = "sweep.yaml"
SEEN = "seen"
SECONDS_BETWEEN_SIGNS = 60
SECONDS_BETWEEN = 0.5
SECONDS_TO_DIE = 5  # for workers that were told to end
RESUME = "the same line with sweep.resume=true runs the rest"
HEADER = """\
# Question: what comes of {line}?
#
#     python run.py experiment={name}
#
# Expect: to be filled in, with claims below where it can be stated in numbers.
# Cost: {jobs} runs.

"""

Launch = Callable[[Sequence[Job], str], dict[int, str]]
"""(jobs, the parent's id) -> what the launcher says of those that did not end well."""
Composed = tuple[list[str], ConfigTemplate, Values]
"""A job's overrides, those that are like it, and its own values."""


class TrackedSweep:
    """A sweep of which every job has been checked."""

    def __init__(
        self, config: DictConfig, line: Sequence[Setting], composed: Sequence[Composed]
    ) -> None:
        """Checks all that can be known without running it. Raises SettingError."""
        self.config = config
        if config.tracking.uri.startswith("sqlite:"):  # others stay unresolved: multirun.yaml
            self.config.tracking.uri = absolute_uri(config.tracking.uri)
        self.line = line
        self.choices = chosen(config.hydra)
        self.folder = Path(config.hydra.sweep.dir).absolute()
        self.address = without_password(config.tracking.uri)
        self.experiment = record.experiment_of(config, self.choices)
        self.jobs = self._jobs(composed)
        self.claims = self._claims()
        self.console = screen()
        self.conclusion: Conclusion | None = None

    def _jobs(self, composed: Sequence[Composed]) -> list[Job]:
        jobs = [
            Job(number, overrides, record.params(like.completed(values), like.choices))
            for number, (overrides, like, values) in enumerate(composed)
        ]
        is_typed = any(setting.name == "sweep.exclude" for setting in self.line)
        leave_out(jobs, self._clauses(), must_select=is_typed)
        planned: dict[tuple[object, ...], tuple[float, int, Forecast | None]] = {}
        for job, (_, like, values) in zip(jobs, composed, strict=True):
            if not job.is_left_out:
                made = like.completed(values)
                job.config_hash = record.config_hash(made)
                job.code_version = record.code_version(made)
                classes = (made[group].get("_target_") for group in GROUPS)
                settings = (v for name, v in job.params.items() if name != "seed")
                but_seed = (*classes, *settings)
                if but_seed not in planned:
                    planned[but_seed] = self._prepared(OmegaConf.create(made), like.choices, job)
                job.seconds, job.memory, job.forecast = planned[but_seed]
        return jobs

    def _prepared(
        self, config: DictConfig, choices: Choices, job: Job
    ) -> tuple[float, int, Forecast | None]:
        """Make what the job names, to see that it can be made; what it takes, for a plan."""
        with self._naming(job):
            parts = prepare(config, choices)
        if not self.config.sweep.plan:
            return 0, 0, None
        return *estimate(config, parts), foresee(config, parts, job.params)

    @contextmanager
    def _naming(self, job: Job) -> Iterator[None]:
        """What makes a job impossible is said with how to leave it out, where others may work."""
        swept = {setting.name for setting in self.line if setting.is_swept}
        mine = {name: value for name, value in job.params.items() if name in swept}
        try:
            yield
        except SettingError as error:
            if not mine:
                raise
            clause = ", ".join(f"{name}: {value}" for name, value in mine.items())
            hint = f"to leave it out, add 'sweep.exclude=[{{{clause}}}]'"
            raise SettingError(f"{error}; {hint}") from error

    def _claims(self) -> list[Claim]:
        """The experiment's claims, each of which could be judged.

        As the file is written each must select a job; a sweep that was narrowed may leave some
        untested.
        """
        claims = cast(Claims, OmegaConf.to_object(self.config.claims)).made
        as_written = all(s.name == "experiment" for s in self.line if s.is_typed)
        for claim in claims:
            wrong = claim.wrong()
            if claim.metric not in METRICS:
                wrong = f"metric={claim.metric}; use one of {', '.join(CURVES + NUMBERS)}"
            if as_written and not any(claim.selects(job.params) for job in self.jobs):
                wrong = f"where={claim.where} selects no job of the sweep"
            if wrong:
                raise SettingError(f"claim {claim.says!r}: {wrong}")
        return claims

    def save(self, name: str) -> None:
        """Write experiments/NAME.yaml, which is this sweep. Raises SettingError."""
        shown = f"sweep.save_as={name}"
        if not re.fullmatch(r"[\w-]+(/[\w-]+)*", name):
            raise SettingError(f"{shown}: use letters, digits, - and _, and / for folders")
        text = self._file()
        if text is None:
            raise SettingError(f"{shown}: a file cannot say ~; set the values instead")
        path = PROJECT / "experiments" / f"{name}.yaml"
        text = HEADER.format(name=name, line=self._name, jobs=len(self._wanted)) + text
        if path.exists() and path.read_text() != text:
            raise SettingError(f"{shown}: {path} is there already; use another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.console.print(f"wrote {path}; repeat this sweep with\n")
        self.console.print(f"    python run.py experiment={name}\n")

    @property
    def _wanted(self) -> list[Job]:
        return [job for job in self.jobs if not job.is_left_out]

    def _file(self) -> str | None:
        """The experiment file that is this sweep; None where no file can say it."""
        if any(setting.is_deleted for setting in self.line):
            return None
        base: dict[str, Any] = {}
        if self.choices["experiment"]:
            file = OmegaConf.load(self._experiment_path)
            base = cast(dict[str, Any], OmegaConf.to_container(file))
        content = experiment_file(base, self.line, self._clauses())
        text: str = yaml.safe_dump(content, sort_keys=False)
        return text

    def _clauses(self) -> Sequence[Mapping[str, Any]]:
        """What is left out: as the line says, or else the experiment file."""
        said = [setting.value for setting in self.line if setting.name == "sweep.exclude"]
        return cast(
            Sequence[Mapping[str, Any]],
            said[-1] if said else OmegaConf.to_container(self.config.sweep.exclude),
        )

    def plan(self) -> None:
        """Say what would be run, what is done already, and what the rest takes."""
        store = open_existing_store(self.config, self.choices)
        if store:
            self._before(store)
        rows = [
            PlannedJob(
                job.number,
                job.params,
                job.seconds,
                job.memory,
                job.plan,
                job.forecast.said if job.forecast else "",
                job.forecast.std if job.forecast else math.nan,
            )
            for job in self.jobs
        ]
        show_plan(rows, varying_settings(self.jobs), self.console)
        todo = in_order(self.jobs)
        counts = Counter(job.plan for job in self.jobs)
        self.console.print(f"\n{', '.join(f'{n} {state}' for state, n in counts.items())}")
        if todo:
            seconds = duration(sum(job.seconds for job in todo))
            memory = max(job.memory for job in todo) / 2**20
            self.console.print(
                f"about {seconds} one after the other, as busy as this machine is now, "
                f"and at most {memory:,.0f} MiB at a time"
            )
            is_basic = self.config.hydra.runtime.choices["hydra/launcher"] == "basic"
            if is_basic and len(todo) > 1 and cores() > 1:
                self.console.print(f"hydra/launcher=workers runs {cores()} at once")

    def run(self, launch: Launch) -> None:
        """Run what is to be run, and conclude. Ends the process with status 1 if a job failed."""
        needed = sum(cost.disk(int(job.params["depth"])) for job in in_order(self.jobs))
        needed += 2 * BYTES  # in its folder and in the store
        check_disk(f"hydra.sweep.dir={self.folder}", self.folder, needed)
        try:
            with naming_the_store(self.config):
                self._open_and_run(launch)
        except KeyboardInterrupt:
            done = f"after {self.conclusion.progress}" if self.conclusion else "before any job ran"
            raise KeyboardInterrupt(f"{done}; {RESUME}") from None
        self._end()

    def _open_and_run(self, launch: Launch) -> None:
        with status("opening the store ..."):
            self.folder.mkdir(parents=True, exist_ok=True)
            store = open_store(self.config, self.choices)
            settle(self.config)
            before = self._resumed(store) if self.config.sweep.resume else None
        if before and before.status == FINISHED and not in_order(self.jobs):
            self.conclusion = self._conclude(before.id, {}, store)
            self._announce(before.name)
        else:
            self._run_parent(launch, store, before)

    def _run_parent(self, launch: Launch, store: Store, before: Tracked | None) -> None:
        """Open the parent, or take over the one before, and run the jobs in it."""
        parent = self._parent(before)
        begun = JOURNAL.run(parent, lambda _: store, before.id if before else None, must_open=True)
        try:
            with begun as parent_id:
                assert parent_id is not None
                sweep_folder.clear(self.folder, parent.id)
                OmegaConf.save(self.config, self.folder / "multirun.yaml")
                self._attach_file(parent)
                if before:
                    self._take_over(store, before)
                with _seen(store, parent_id):
                    self._run_jobs(launch, store, parent, parent_id)
        except StillRunningError as error:
            place = before.output_dir if before else error
            raise SettingError(f"sweep.resume=true: it is still running, in {place}") from error
        finally:
            if self.conclusion:
                self._announce(parent.name, parent.files)

    def _run_jobs(self, launch: Launch, store: Store, parent: Record, parent_id: str) -> None:
        todo = in_order(self.jobs)
        errors: dict[int, str] = {}
        gc.freeze()  # or each collection goes through all that torch and MLflow consist of
        try:
            with progress("jobs", len(todo), lambda: sweep_folder.count_ended(self.folder)):
                errors |= launch(todo, parent_id) if todo else {}
            for job in todo:  # one that left no record, whatever its launcher says
                errors.setdefault(job.number, ENDED_FROM_OUTSIDE)
        finally:  # whatever has ended it, what finished is shown and kept
            self._close(parent_id)
            self.conclusion = self._conclude(parent_id, errors, store)
            keep(self.conclusion, parent)
            try:
                with status("drawing ..."):
                    save_figures(self.conclusion, parent)
            finally:
                describe(self.conclusion, parent, parent_id, store, self._question(), self._line)
        if self.conclusion.failures:
            parent.status = "FAILED"
            parent.tags[ERROR] = f"{len(self.conclusion.failures)} of its jobs failed"

    def _question(self) -> str:
        """That of the experiment file, or else of the settings."""
        if self.choices["experiment"]:
            said = question_of(self._experiment_path.read_text())
            if said:
                return said
        names = varying_settings(self.jobs)
        return question_about({n: [job.params.get(n, "-") for job in self.jobs] for n in names})

    @property
    def _line(self) -> str:
        typed = self.config.hydra.overrides.task
        if any(setting.name == "from_run" for setting in self.line):  # which one store has
            typed = [s.typed for s in self.line if s.is_of_the_sweep and s.name != "from_run"]
        return command(typed, is_sweep=True)

    @property
    def _experiment_path(self) -> Path:
        return PROJECT / "experiments" / f"{self.choices['experiment']}.yaml"

    def _before(self, store: Store) -> Tracked | None:
        """The latest sweep of this line, if there is one; its runs are matched with the jobs."""
        found = next((r for r in store.runs(SWEEP_HASH, self._hash()) if r.record_id), None)
        if found:
            match(self.jobs, store.runs(PARENT, found.id))
        return found

    def _resumed(self, store: Store) -> Tracked | None:
        """The same, for a sweep that is to go on.

        Raises SettingError where it was running a moment ago: a process of this machine that is
        gone has just been seen to, so that it is not one of those.
        """
        found = self._before(store)
        if found is None:
            self.console.print(f"nothing to resume in {self.experiment}: begun anew")
        elif found.status == "RUNNING":
            silent = time.time() - _seconds(found.tags.get(SEEN, ""))
            if silent < 3 * SECONDS_BETWEEN_SIGNS:
                raise SettingError(
                    f"sweep.resume=true: it is still running, in {found.output_dir} "
                    f"(or was {silent:.0f} seconds ago)"
                )
        return found

    @property
    def _name(self) -> str:
        """The line that was typed, without how it is run."""
        settings = [s.typed for s in self.line if s.is_typed and s.is_of_the_sweep]
        return without_password(" ".join(settings))

    @property
    def _title(self) -> str:
        return self._name or "sweep of one"

    def _hash(self) -> str:
        """Equal for lines that are one sweep, whatever their order and circumstances."""
        settings = [s for s in self.line if s.is_typed and s.is_of_the_sweep]
        texts = sorted(f"{setting.name}={setting.text}" for setting in settings)
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

    def _parent(self, before: Tracked | None) -> Record:
        """The record of the sweep's own run; with `before`, that run goes on."""
        typed = self.config.hydra.overrides.task
        left_out = [f"{job.number} ({job.settings})" for job in self.jobs if job.is_left_out]
        parent = Record(
            uri=self.address,
            experiment=self.experiment,
            name=self._title,
            folder=str(self.folder),
            tags=record.tags(typed)
            | {
                OUTPUT_DIR: str(self.folder),
                SWEEP_HASH: self._hash(),
                "sweep.jobs": str(len(self.jobs)),
                "sweep.left_out": "; ".join(left_out) or "none",
            },
        )
        if before:
            assert before.record_id  # `_before` looks for it
            parent.id = before.record_id
        return parent

    def _attach_file(self, parent: Record) -> None:
        text = self._file()
        if text:
            (self.folder / SWEEP_FILE).write_text(text)
            parent.files.append(SWEEP_FILE)

    def _take_over(self, store: Store, before: Tracked) -> None:
        """Let jobs that have outlived the sweep before, in workers of their own, end first."""
        assert before.record_id
        sweep_folder.supersede(before.output_dir, self.folder, before.record_id)
        if JOURNAL.running_count(lambda run: run.parent == before.id):
            with status("waiting for jobs that are still running ..."):
                while JOURNAL.running_count(lambda run: run.parent == before.id):
                    time.sleep(SECONDS_BETWEEN)
        settle(self.config)
        match(self.jobs, store.runs(PARENT, before.id))  # nobody else adds to them any more

    def _close(self, parent_id: str) -> None:
        """Deliver what waits, and close the runs of jobs whose process is gone."""
        deadline = time.monotonic() + SECONDS_TO_DIE
        while time.monotonic() < deadline and JOURNAL.running_count(
            lambda run: run.parent == parent_id
        ):
            time.sleep(SECONDS_BETWEEN)
        settle(self.config)

    def _conclude(self, parent_id: str, errors: Mapping[int, str], store: Store) -> Conclusion:
        def left_by(job: int) -> Record | None:
            return sweep_folder.left_by(job, self.folder, parent_id)

        conclusion = conclude(
            self._title, self.jobs, left_by, errors, self.claims, store, parent_id
        )
        show_conclusion(conclusion, self.console)
        return conclusion

    def _announce(self, name: str, files: Sequence[str] = ()) -> None:
        assert self.conclusion is not None
        announce(name, self.config, self.choices, self.console, self.conclusion.links)
        if files:
            print_files(self.folder, files, self.console)

    def _end(self) -> None:
        conclusion = self.conclusion
        assert conclusion is not None
        failed = len(conclusion.failures)
        if failed:
            jobs = "1 job" if failed == 1 else f"{failed} jobs"
            sys.exit(f"fanin: {jobs} failed, {conclusion.progress} finished; {RESUME}")
        if conclusion.broken and self.config.claims.strict:
            claims = len(conclusion.findings)
            sys.exit(f"fanin: claims.strict: {conclusion.broken} of {claims} claims are broken")


@contextmanager
def _seen(store: Store, run_id: str) -> Iterator[None]:
    """Leave a sign of life in the store, for those who cannot see this machine's locks."""
    over = Event()

    def sign() -> None:
        while True:
            with suppress(StoreError):  # the next one may get there
                store.tag(run_id, SEEN, f"{time.time():.0f}")
            if over.wait(SECONDS_BETWEEN_SIGNS):
                return

    Thread(target=sign, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _seconds(tag: str) -> float:
    """Since 1970; 0 for a tag that is no number."""
    return float(tag) if re.fullmatch(r"\d{1,12}", tag) else 0.0


def overrides_of(config: DictConfig, run_id: str) -> list[str]:
    """The overrides that stand for a tracked run or sweep. Raises SettingError."""
    try:
        store, run = run_of(config.tracking.uri, run_id, config.tracking.timeout)
        if SWEEP_HASH in run.tags:
            return overrides_of_sweep(store.file(run_id, SWEEP_FILE))
        return overrides_of_run(run.params)
    except (StoreError, ValueError) as error:
        raise SettingError(f"from_run={run_id}: {error}") from error
