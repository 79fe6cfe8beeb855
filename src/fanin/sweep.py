"""A sweep's life, from the parsed overrides to the last result.

Every job is composed and checked before the parent run is opened, so that what a user got
wrong leaves nothing behind. Then the parent is opened, the jobs are launched through whichever
launcher is chosen, each told of its parent by an override, and the parent is closed whatever
happened. Hydra finds this class through hydra_plugins.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from fanin.config import Choices, Claims, SettingError, check, chosen, complete
from fanin.report.progress import progress, status
from fanin.signal.claims import Claim, Finding, Params

if TYPE_CHECKING:
    from rich.console import Console

    from fanin.report.summary import Outcome
    from fanin.tracking.store import Run

Job = list[str]
"""A job: its overrides, such as ["init=xavier", "depth=50"]."""


class JobsFailedError(Exception):
    """Some jobs raised; the others have ended well."""


class Sweep(Sweeper):
    """`params` is what an experiment file sweeps, such as {"depth": "10,50"}."""

    def __init__(self, params: dict[str, Any] | None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from hydra.core.plugins import Plugins  # it imports the plugins, this one among them

        self.config: DictConfig = config
        self.hydra_context: HydraContext = hydra_context
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        jobs = self._jobs(arguments)
        with status(f"checking {len(jobs)} jobs ..."):
            composed = [self._compose(job) for job in jobs]
            # Only now, because torch and mlflow take seconds to import.
            from fanin import record
            from fanin.pipeline import announce, open_store, prepare
            from fanin.report.summary import screen

            composed = [(complete(config), choices) for config, choices in composed]
            for config, choices in composed:
                prepare(config, choices)
            claims = self._claims([record.params(*job) for job in composed], arguments)
            choices = chosen(self.config.hydra)
            store = open_store(self.config, choices)

        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        name = record.typed(arguments) or choices["experiment"] or "sweep of one"
        console = screen()
        try:
            with store.run(name, record.tags(arguments)) as parent:
                with progress("jobs", len(jobs), record.finished(folder)):
                    children = [[*job, f"tracking.parent={parent.id}"] for job in jobs]
                    returns = self.launcher.launch(children, initial_job_idx=0)
                outcomes = [r._return_value for r in returns if r.status == JobStatus.COMPLETED]
                findings = _conclude(jobs, outcomes, claims, parent, folder, console)
                failures = _failures(jobs, returns)
                if failures:
                    raise JobsFailedError("\n".join(failures))
        except JobsFailedError as error:
            last = f"fanin: {len(failures)} of {len(jobs)} jobs failed; see {folder}"
            sys.exit(f"{error}\n{last}")
        finally:
            announce(name, self.config, choices, console)
        broken = sum(finding.verdict == "broken" for finding in findings)
        if broken and self.config.claims.strict:
            sys.exit(f"fanin: claims.strict: {broken} of {len(findings)} claims are broken")

    def _jobs(self, arguments: list[str]) -> list[Job]:
        """The jobs of the line that was typed, on top of the experiment file's own sweep."""
        for name, value in self.params.items():
            if not isinstance(value, str | int | float):
                raise SettingError(
                    f"hydra.sweeper.params.{name}={value}: write a sweep as one text, {name}: 1,2,3"
                )
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        typed = parser.parse_overrides(arguments)
        keys = {override.key_or_group for override in typed}
        params = [f"{name}={value}" for name, value in self.params.items() if name not in keys]
        overrides = [*parser.parse_overrides(params), *typed]
        for override in overrides:
            if not override.is_sweep_override():
                continue
            if override.key_or_group == "experiment":
                raise SettingError(
                    f"{override.input_line}: each has a sweep of its own; run them one at a time"
                )
            if override.key_or_group.startswith("tracking."):
                raise SettingError(f"{override.input_line}: a sweep is tracked in one place")
        (jobs,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
        if not jobs:
            raise SettingError(f"{' '.join(arguments)}: a sweep of no jobs; give it a value")
        return jobs

    def _claims(self, params: list[Params], arguments: list[str]) -> list[Claim]:
        """The experiment's claims, each of which could be judged.

        As the file is written each must select a job; a sweep that was narrowed may leave some
        untested.
        """
        from fanin.signal.profile import CURVES, NUMBERS

        claims = cast(Claims, OmegaConf.to_object(self.config.claims)).made
        as_written = all(argument.startswith("experiment=") for argument in arguments)
        for claim in claims:
            wrong = claim.wrong()
            if claim.metric.removesuffix("_low").removesuffix("_high") not in CURVES + NUMBERS:
                wrong = f"metric={claim.metric}; use one of {', '.join(CURVES + NUMBERS)}"
            if as_written and not any(claim.selects(job) for job in params):
                wrong = f"where={claim.where} selects no job of the sweep"
            if wrong:
                raise SettingError(f"claim {claim.says!r}: {wrong}")
        return claims

    def _compose(self, job: Job) -> tuple[DictConfig, Choices]:
        """The job's configuration, checked as far as names and ranges go, and its choices."""
        config = self.hydra_context.config_loader.load_sweep_config(self.config, job)
        with open_dict(config):
            hydra = config.pop("hydra")
        check(config)
        return config, chosen(hydra)


def _conclude(
    jobs: list[Job],
    outcomes: Sequence["Outcome"],
    claims: Sequence[Claim],
    parent: "Run",
    folder: Path,
    console: "Console",
) -> list[Finding]:
    """Show what came out and keep it with the parent: the table, the ladder, the claims."""
    from fanin import record
    from fanin.report.ladder import draw_ladder
    from fanin.report.summary import show, show_claims

    varying = _varying(jobs, outcomes) if outcomes else []
    if outcomes:
        show(outcomes, varying, console)
    if outcomes and all("summary/product_ms" in o.profile.numbers for o in outcomes):
        draw_ladder(outcomes, folder / "ladder.png")
        parent.attach(folder / "ladder.png")
    findings = [claim.judge(outcomes, varying) for claim in claims]
    if findings:
        show_claims(findings, console)
        record.write_claims(parent, findings)
    return findings


def _failures(jobs: list[Job], returns: Sequence[JobReturn]) -> list[str]:
    """One line for each job that raised."""
    from fanin.record import typed
    from fanin.tracking.store import without_password

    return [
        f"job {number} ({typed(job)}): {type(error).__name__}: "
        + without_password(" ".join(str(error).split()))
        for number, (job, result) in enumerate(zip(jobs, returns, strict=True))
        if result.status == JobStatus.FAILED
        for error in [result._return_value]
    ]


def _varying(jobs: list[Job], outcomes: Sequence["Outcome"]) -> list[str]:
    """The settings in which the jobs differ, or the main ones where they do not."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for override in job:
            name, _, value = override.partition("=")
            values.setdefault(name.lstrip("+"), set()).add(value)
    shown = [name for name, some in values.items() if len(some) > 1]
    return [name for name in shown if name in outcomes[0].params] or ["init", "activation", "depth"]
