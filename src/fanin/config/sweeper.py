"""Hydra's side of a sweep: from the line that was typed to jobs, and from jobs to a launcher.

Jobs that choose the same options differ in single values, so that Hydra composes each combination
of options once. Every job is checked, its names and its ranges, before torch and mlflow are
imported; what a sweep is from there on stands in tracked_sweep.py. Hydra finds this class through
hydra_plugins.
"""

import pickle
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fanin.config.compose import ConfigTemplate, Values
from fanin.config.experiment_file import Setting, text_of
from fanin.config.schema import GROUPS, NON_MODEL_KEYS, SettingError, check, chosen
from fanin.report.progress import status

if TYPE_CHECKING:
    from fanin.runner.jobs import Job


_REMEMBERED = 32
"""Combinations of options. A worker process may be sent them with each job."""


class Sweep(Sweeper):
    """`params` is what an experiment file sweeps, such as {"depth": "10,50"}."""

    def __init__(self, params: dict[str, Any] | None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from hydra.core.plugins import Plugins  # it imports the plugins, this one among them

        self.config: DictConfig = config
        self._loader = TemplateConfigLoader(hydra_context.config_loader)
        self._alike: dict[tuple[str, ...], ConfigTemplate] = {}
        context = HydraContext(config_loader=self._loader, callbacks=hydra_context.callbacks)
        self.hydra_context: HydraContext = context
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        with status("composing and checking the jobs ..."):
            overrides, line = self._read(arguments)
            composed = [(job, *self._compose(job)) for job in _split(overrides)]
            if not self.config.sweep.plan and hasattr(self.launcher, "get_ready"):
                self.launcher.get_ready()
            from fanin.runner.sweep import TrackedSweep  # with torch and mlflow: seconds

            sweep = TrackedSweep(self.config, line, composed)
        if self.config.sweep.save_as:
            sweep.save(self.config.sweep.save_as)
        if self.config.sweep.plan:
            sweep.plan()
        else:
            sweep.run(self._launch)

    def _read(self, arguments: list[str]) -> tuple[list[Override], list[Setting]]:
        """What a file or a tracked run brings, and what was typed over it: Hydra's and ours."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        typed = parser.parse_overrides(arguments)
        for override in filter(Override.is_sweep_override, typed):
            if override.key_or_group == "experiment":
                raise SettingError(
                    f"{override.input_line}: each has a sweep of its own; run them one at a time"
                )
            if _first(override) in NON_MODEL_KEYS:
                raise SettingError(f"{override.input_line}: holds for all jobs; give it one value")
        brought = self._from_file() if self.config.from_run is None else self._from_run(typed)
        names = {override.key_or_group for override in typed}
        kept = [o for o in parser.parse_overrides(brought) if o.key_or_group not in names]
        line = [*(_setting(o, is_typed=False) for o in kept), *(_setting(o) for o in typed)]
        return [*kept, *typed], line

    def _from_file(self) -> list[str]:
        """What the experiment file sweeps."""
        for name, value in self.params.items():
            if not isinstance(value, str | int | float):
                raise SettingError(
                    f"hydra.sweeper.params.{name}={value}: write a sweep as one text, {name}: 1,2,3"
                )
        return [f"{name}={value}" for name, value in self.params.items()]

    def _from_run(self, typed: Sequence[Override]) -> list[str]:
        """What a tracked run or sweep consists of, where it differs from the defaults.

        An option of a group that was typed brings settings of its own.
        """
        from fanin.runner.sweep import overrides_of

        if chosen(self.config.hydra)["experiment"]:
            raise SettingError("from_run and experiment: each is a sweep; use one of them")
        replaced = {o.key_or_group for o in typed if o.key_or_group in GROUPS}
        brought = [
            override
            for override in overrides_of(self.config, self.config.from_run)
            if override.partition("=")[0].partition(".")[0] not in replaced
        ]
        settings = [(name, value) for name, _, value in (o.partition("=") for o in brought)]
        usual = self._compose([])[0].choices
        options = [f"{n}={v}" for n, v in settings if n in GROUPS and re.fullmatch(r"[\w-]+", v)]
        defaults = self._compose(options)[0].with_values({})
        return [
            f"{name}={value}"
            for name, value in settings
            if value
            != (usual[name] if name in GROUPS else text_of(OmegaConf.select(defaults, name)))
        ]

    def _compose(self, job: list[str]) -> tuple[ConfigTemplate, Values]:
        """A job's configuration, checked as far as names and ranges go."""
        options, values = self._loader.parted(job) or (tuple(job), {})
        kind = (*options, *values)
        if values and kind in self._alike:
            with suppress(OmegaConfBaseException):  # Hydra will say it better
                check(self._alike[kind].with_values(values))
                return self._alike[kind], values
        config = self._loader.load_sweep_config(self.config, job)
        with open_dict(config):
            hydra = config.pop("hydra")
        check(config)
        self._alike[kind] = ConfigTemplate(config, chosen(hydra), values)
        return self._alike[kind], values

    def _launch(self, jobs: Sequence["Job"], parent: str) -> dict[int, str]:
        """Run the jobs; what the launcher says of those that did not end well, by number."""
        told = [
            [*job.overrides, f"tracking.parent={parent}", f"tracking.job={job.number}"]
            for job in jobs
        ]
        returns = self.launcher.launch(told, initial_job_idx=0)
        return {
            job.number: " ".join(f"{type(error).__name__}: {error}".split())
            for job, result in zip(jobs, returns, strict=True)
            if result.status == JobStatus.FAILED
            for error in [result._return_value]
        }


def _split(line: Sequence[Override]) -> list[list[str]]:
    """The overrides of each job."""
    settings = [o for o in line if _first(o) not in ("sweep", "from_run")]
    (jobs,) = BasicSweeper.split_arguments(settings, max_batch_size=None)
    if not jobs:
        shown = " ".join(str(override.input_line) for override in line)
        raise SettingError(f"{shown}: a sweep of no jobs; give it a value")
    return jobs


def _setting(override: Override, *, is_typed: bool = True) -> Setting:
    is_swept = override.is_sweep_override()
    return Setting(
        name=override.key_or_group,
        text=str(override.input_line).partition("=")[2],
        value=None if is_swept else override.value(),
        is_swept=is_swept,
        is_typed=is_typed,
        is_deleted=override.is_delete(),
    )


def _first(override: Override) -> str:
    """The first part of a setting's name."""
    return str(override.key_or_group).partition(".")[0]


class TemplateConfigLoader(ConfigLoaderImpl):
    """Hydra's loader, with a short way for jobs that differ from others in single values."""

    def __init__(self, like: ConfigLoader) -> None:
        super().__init__(like.get_search_path())
        self._composed: dict[tuple[str, ...], bytes] = {}  # a copy is sooner read than made

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """A job's configuration: what Hydra's own loader gives for it, or raises."""
        parts = self.parted(sweep_overrides)
        if parts:
            options, values = parts
            config = self._with(options, master_config)
            if _set(values, config):
                job = config.hydra.job
                config.hydra.overrides.task = sweep_overrides
                overrides = [_parsed(text) for text in sweep_overrides]
                settings = job.config.override_dirname
                job.override_dirname = get_overrides_dirname(overrides, **settings)
                return config
        return super().load_sweep_config(master_config, sweep_overrides)

    def parted(self, sweep_overrides: list[str]) -> tuple[tuple[str, ...], Values] | None:
        """Which options a job chooses, and what it sets; None if it does anything else."""
        overrides = [_parsed(text) for text in sweep_overrides]
        options = [o for o in overrides if self.repository.group_exists(o.key_or_group)]
        values = [o for o in overrides if o not in options]
        found = {o.key_or_group: o.value() for o in values}
        is_plain = all(isinstance(o.value(), str) for o in options) and all(map(_is_plain, values))
        if not is_plain or len(found) < len(values):
            return None
        return tuple(str(option.input_line) for option in options), found

    def _with(self, options: tuple[str, ...], master_config: DictConfig) -> DictConfig:
        if options not in self._composed:
            if len(self._composed) == _REMEMBERED:
                self._composed.clear()
            config = super().load_sweep_config(master_config, [*options])
            self._composed[options] = pickle.dumps(config)
        copy: DictConfig = pickle.loads(self._composed[options])
        OmegaConf.copy_cache(from_config=master_config, to_config=copy)  # one ${now:} for all
        return copy


def _set(values: Values, config: DictConfig) -> bool:
    """Set them where a single value is already; False where one cannot be set."""
    try:
        for name, value in values.items():
            if OmegaConf.is_config(OmegaConf.select(config, name)):
                return False
            OmegaConf.update(config, name, value)
    except OmegaConfBaseException:
        return False
    return True


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Override:
    (override,) = OverridesParser.create().parse_overrides([text])
    return override


def _is_plain(override: Override) -> bool:
    """Whether it changes a setting, and neither adds one nor has a list or a part of its own."""
    is_change = override.type == OverrideType.CHANGE and override.package is None
    is_value = isinstance(override.value(), str | int | float | None)
    return is_change and is_value and not override.is_hydra_override()
