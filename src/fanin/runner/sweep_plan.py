"""A sweep's plan: its jobs, each checked and prepared before anything runs or is tracked."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import yaml

from fanin.config.command_line import repeat_command
from fanin.config.errors import SettingError
from fanin.config.experiment_file import experiment_path, question_of, read_experiment
from fanin.config.saved_sweep import experiment_content
from fanin.config.settings import GroupChoices, Settings
from fanin.config.sweep_spec import ComposedJob, SweepSpec
from fanin.measure.claims import Claim
from fanin.measure.params import GROUPS, format_value
from fanin.measure.statistics import CURVES
from fanin.report.description import question_about
from fanin.report.results_table import MAIN_SETTINGS
from fanin.runner.catalogue import describe_network
from fanin.runner.compute import Ingredients
from fanin.runner.exclude import apply_exclude
from fanin.runner.fingerprint import code_version, config_hash
from fanin.runner.ingredients import prepare
from fanin.runner.jobs import Estimate, Job, match_runs
from fanin.runner.new_run import experiment_name
from fanin.runner.preflight import estimate, size_of
from fanin.runner.run_params import params_of
from fanin.runner.varying import swept_params
from fanin.theory.advice import candidate
from fanin.theory.comparison import METRICS, NUMBERS
from fanin.theory.forecast import Forecast
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.store import Store
from fanin.tracking.tags import PARENT
from fanin.tracking.tracked_run import TrackedRun

SWEEP_HASH = "sweep.hash"
MAX_CANDIDATES = 20
"""Sweeps of a line that are looked at, the latest first; others' may be among them."""
_CAUSES = {
    "data": ("data", "batch_size"),
    "loss": ("loss", "data"),
    "device": ("device",),
    "dtype": ("dtype", "device"),
}
"""The setting that an error message begins with -> the only settings that can cause the error."""


class SweepPlan:
    """A sweep with all its jobs checked."""

    def __init__(self, spec: SweepSpec) -> None:
        """Check everything that can be checked without running. Raises SettingError."""
        self.spec = spec
        self.experiment = experiment_name(spec.tracking, spec.choices)
        self.data_lines: dict[str, None] = {}
        """How each data set was read, once each, in the order of the jobs."""
        self.jobs = self._prepare_jobs()
        self.claims = self._check_claims()

    def _prepare_jobs(self) -> list[Job]:
        jobs = [_job(number, composed) for number, composed in enumerate(self.spec.jobs)]
        is_typed = any(setting.name == "sweep.exclude" for setting in self.spec.line)
        apply_exclude(jobs, self.spec.exclude, must_select=is_typed)
        estimates: dict[tuple[str, ...], Estimate | None] = {}
        for job, composed in zip(jobs, self.spec.jobs, strict=True):
            if job.is_excluded or composed.template is None:
                continue
            values = composed.template.complete(composed.values)
            job.config_hash = config_hash(values)
            job.code_version = code_version(values)
            key = _key_but_seed(job, values)
            if key not in estimates:
                with self._hint_to_exclude(job):
                    estimates[key] = self._prepare(values, composed.template.choices)
            job.estimate = estimates[key]
        return jobs

    def _prepare(self, values: dict[str, Any], choices: GroupChoices) -> Estimate | None:
        """Make the objects of a job, to check that this works; for a plan, estimate its cost."""
        settings = Settings.from_values(values)
        ingredients = prepare(settings, choices)
        self.data_lines |= dict.fromkeys(ingredients.data.lines)
        if not self.spec.sweep.plan:
            return None
        size = size_of(settings, ingredients.inputs.shape, ingredients.outputs)
        seconds, memory = estimate(settings, ingredients.device, ingredients.dtype, size)
        return Estimate(seconds, memory, forecast_run(settings, ingredients, choices))

    @contextmanager
    def _hint_to_exclude(self, job: Job) -> Iterator[None]:
        """Add to the error of a job how to exclude it, if other jobs may work."""
        swept = {setting.name for setting in self.spec.line if setting.is_swept}
        own = {name: value for name, value in job.params.items() if name in swept}
        try:
            yield
        except SettingError as error:
            setting = re.match(r"\w+", str(error))
            causes = _CAUSES.get(setting[0], ()) if setting else ()
            if not own or (causes and not any(n.partition(".")[0] in causes for n in own)):
                raise
            clause = ", ".join(f"{name}: {format_value(value)}" for name, value in own.items())
            hint = f"to leave it out, add 'sweep.exclude=[{{{clause}}}]'"
            raise SettingError(f"{error}; {hint}") from error

    def _check_claims(self) -> list[Claim]:
        """The experiment's claims. Raises SettingError if one cannot be judged.

        In the unchanged experiment each claim must select a job; a narrowed sweep may leave some
        untested.
        """
        is_as_written = all(s.name == "experiment" for s in self.spec.line if s.is_typed)
        for claim in self.spec.claims.made:
            problem = claim.problem()
            if claim.metric not in METRICS:
                problem = f"metric={claim.metric}; use one of {', '.join([*CURVES, *NUMBERS])}"
            if is_as_written and not any(claim.selects(job.params) for job in self.jobs):
                problem = f"where={claim.where} matches no job in this sweep"
            if problem:
                raise SettingError(f"claim {claim.says!r}: {problem}")
        return self.spec.claims.made

    @cached_property
    def varying(self) -> list[str]:
        """The settings in which the jobs differ; the main ones if they do not."""
        overrides = [job.overrides for job in self.jobs]
        return swept_params(overrides, self.jobs[0].params) or [*MAIN_SETTINGS]

    @property
    def name(self) -> str:
        """The typed settings that define the sweep, in one line."""
        settings = [s.override for s in self.spec.line if s.is_typed and s.defines_sweep]
        return mask_passwords(" ".join(settings))

    @property
    def title(self) -> str:
        return self.name or "sweep of one"

    @property
    def sweep_hash(self) -> str:
        """Equal for command lines that mean the same sweep, in any order and with any launcher."""
        settings = [s for s in self.spec.line if s.is_typed and s.defines_sweep]
        texts = sorted(setting.override for setting in settings)
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

    @property
    def question(self) -> str:
        """The experiment file's, or one about the settings that vary."""
        name = self.spec.choices["experiment"]
        question = question_of(experiment_path(name).read_text()) if name else ""
        if question:
            return question
        return question_about(
            {n: [job.params[n] for job in self.jobs if n in job.params] for n in self.varying}
        )

    @property
    def command(self) -> str:
        """The shell command that repeats the sweep."""
        overrides = [*self.spec.overrides]
        if any(
            setting.name == "from_run" for setting in self.spec.line
        ):  # the run may be in one store only
            overrides = [
                s.override for s in self.spec.line if s.defines_sweep and s.name != "from_run"
            ]
        return mask_passwords(repeat_command(overrides, is_sweep=True))

    def as_file(self) -> str | None:
        """The text of an experiment file for this sweep; None if no file can express it."""
        if any(setting.is_deleted for setting in self.spec.line):
            return None
        name = self.spec.choices["experiment"]
        base = read_experiment(name) if name else {}
        content = experiment_content(base, self.spec.line, self.spec.exclude)
        text: str = yaml.safe_dump(content, sort_keys=False)
        return text

    def match_latest(self, store: Store) -> TrackedRun | None:
        """Find the latest sweep of this line in a store, and match its runs with the jobs."""
        runs = store.runs_with_tag(SWEEP_HASH, self.sweep_hash, most=MAX_CANDIDATES)
        latest = next((run for run in runs if run.record_id), None)
        if latest:
            match_runs(self.jobs, store.runs_with_tag(PARENT, latest.id))
        return latest


def forecast_run(
    settings: Settings, ingredients: Ingredients, choices: GroupChoices
) -> Forecast | None:
    """The verdict by theory, before running; None if there is none. No network is built."""
    if settings.depth == 0:
        return None
    try:
        network = describe_network(settings, ingredients, choices)
        return candidate((), ingredients.init, network).forecast
    except Exception:  # a job may run even if theory fails for it
        return None


def _job(number: int, composed: ComposedJob) -> Job:
    if composed.template is None:
        return Job(number, composed.overrides, dict(composed.values))  # type: ignore[arg-type]
    values = composed.template.complete(composed.values)
    return Job(number, composed.overrides, params_of(values, composed.template.choices))


def _key_but_seed(job: Job, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Equal for jobs that differ only in their seed."""
    classes = (str(values[group].get("_target_")) for group in GROUPS)
    return (*classes, *(repr(value) for name, value in job.params.items() if name != "seed"))
