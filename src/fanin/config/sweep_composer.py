"""Composes and checks the jobs of a sweep, before torch and mlflow are imported."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from fanin.config.compose import ConfigTemplate, TemplateConfigLoader, Values, parse_override
from fanin.config.errors import SettingError
from fanin.config.options import has_setting
from fanin.config.resolvers import absolute_uri
from fanin.config.saved_sweep import LineSetting, override_text
from fanin.config.schema import check, group_choices
from fanin.config.settings import (
    NON_MODEL_KEYS,
    Claims,
    Sweeping,
    Tracking,
)
from fanin.config.sweep_spec import ComposedJob, SweepSpec
from fanin.measure.params import GROUPS, matches

OverridesOfRun = Callable[[str, Tracking], list[str]]
"""(id of a tracked run or sweep, its store) -> the overrides that repeat it."""


class SweepComposer:
    """Reads the command line of a sweep. Hydra composed `config` without the swept values."""

    def __init__(self, config: DictConfig, loader: ConfigLoader) -> None:
        self._config = config
        self.loader = TemplateConfigLoader(loader)
        self._parser = OverridesParser.create(config_loader=loader)
        self._templates: dict[tuple[str, ...], ConfigTemplate] = {}

    def read(
        self,
        arguments: Sequence[str],
        file_sweeps: dict[str, Any],
        overrides_of_run: OverridesOfRun,
    ) -> SweepSpec:
        """Read the sweep from its command line. Raises SettingError and Hydra's errors.

        file_sweeps: the values that an experiment file sweeps, such as {"depth": "10,50"}.
        """
        config = self._config
        if config.tracking.uri.startswith("sqlite:"):  # others stay unresolved: multirun.yaml
            config.tracking.uri = absolute_uri(config.tracking.uri)
        tracking = cast(Tracking, OmegaConf.to_object(config.tracking))
        typed = self._parser.parse_overrides([*arguments])
        for override in filter(Override.is_sweep_override, typed):
            _reject_sweep_of(override)
        if config.from_run is None:
            brought = _sweeps_of_file(file_sweeps)
        else:
            brought = self._overrides_of_run(typed, overrides_of_run, tracking)
        typed_names = {override.key_or_group for override in typed}
        kept = [
            o for o in self._parser.parse_overrides(brought) if o.key_or_group not in typed_names
        ]
        line = (*(_line_setting(o, is_typed=False) for o in kept), *map(_line_setting, typed))
        sweep = cast(Sweeping, OmegaConf.to_object(config.sweep))
        typed_exclude = [setting.value for setting in line if setting.name == "sweep.exclude"]
        exclude = typed_exclude[-1] if typed_exclude else sweep.exclude
        jobs = self._compose_jobs(_split_jobs([*kept, *typed]), exclude)
        return SweepSpec(
            line=line,
            jobs=jobs,
            tracking=tracking,
            claims=cast(Claims, OmegaConf.to_object(config.claims)),
            sweep=sweep,
            choices=group_choices(config.hydra),
            overrides=tuple(config.hydra.overrides.task),
            folder=Path(config.hydra.sweep.dir).absolute(),
            launcher=config.hydra.runtime.choices["hydra/launcher"],
            exclude=exclude,
            config_yaml=OmegaConf.to_yaml(config),
        )

    def _overrides_of_run(
        self, typed: Sequence[Override], overrides_of_run: OverridesOfRun, tracking: Tracking
    ) -> list[str]:
        """The overrides of a tracked run or sweep that differ from the defaults.

        A typed option replaces the settings of its group.
        """
        if group_choices(self._config.hydra)["experiment"]:
            raise SettingError("from_run and experiment: each is a sweep; use one of them")
        replaced = {o.key_or_group for o in typed if o.key_or_group in GROUPS}
        brought = [
            override
            for override in overrides_of_run(self._config.from_run, tracking)
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
            != (usual[name] if name in GROUPS else override_text(OmegaConf.select(defaults, name)))
        ]

    def _compose_jobs(self, jobs: Sequence[list[str]], exclude: Any) -> tuple[ComposedJob, ...]:
        composed = []
        for job in jobs:
            try:
                template, values = self._compose(job)
            except (HydraException, OmegaConfBaseException, SettingError) as error:
                values = single_values(job)
                if not _is_excluded(exclude, values):
                    _explain_missing_setting(error, jobs)
                    raise
                template = None
            composed.append(ComposedJob(job, template, values))
        return tuple(composed)

    def _compose(self, job: list[str]) -> tuple[ConfigTemplate, Values]:
        """Compose a job's configuration, and check its names and ranges."""
        options, values = self.loader.split_overrides(job) or (tuple(job), {})
        key = (*options, *values)
        if values and key in self._templates:
            with suppress(OmegaConfBaseException):  # the code below raises a clearer error
                check(self._templates[key].with_values(values))
                return self._templates[key], values
        config = self.loader.load_sweep_config(self._config, job)
        with open_dict(config):
            hydra = config.pop("hydra")
        check(config)
        self._templates[key] = ConfigTemplate(config, group_choices(hydra), values)
        return self._templates[key], values


def single_values(job: Sequence[str]) -> dict[str, Any]:
    """The settings that a job's overrides give, without composing."""
    overrides = map(parse_override, job)
    return {o.key_or_group: o.value() for o in overrides if not o.is_delete()}


def _is_excluded(exclude: Any, values: Values) -> bool:
    clauses = exclude if isinstance(exclude, list) else []
    return any(isinstance(c, dict) and c and matches(cast(Any, values), c) for c in clauses)


def _explain_missing_setting(error: Exception, jobs: Sequence[list[str]]) -> None:
    """Raise SettingError if some swept options have a setting and others lack it.

    The error names the options that lack it, and the command lines that work.
    """
    cause: BaseException | None = error
    while cause and not isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        cause = cause.__cause__ or cause.__context__
    setting = str(getattr(cause, "full_key", ""))
    group, _, name = setting.partition(".")
    all_values = [single_values(job) for job in jobs]
    options = [*dict.fromkeys(str(values.get(group)) for values in all_values if group in values)]
    lacking = [option for option in options if not has_setting(group, option, name)]
    having = [option for option in options if option not in lacking]
    if group not in GROUPS or not lacking or not having:
        return
    texts = dict.fromkeys(override_text(values[setting]) for values in all_values)
    clauses = ", ".join(f"{{{group}: {option}}}" for option in lacking)
    plural = len(lacking) > 1
    raise SettingError(
        f"{setting}: {', '.join(f'{group}={option}' for option in lacking)} "
        f"{'have' if plural else 'has'} no such setting; leave {'them' if plural else 'it'} out "
        f"with 'sweep.exclude=[{clauses}]', or write two lines: "
        f"-m {group}={','.join(having)} {setting}={','.join(texts)}, and "
        f"{'-m ' if plural else ''}{group}={','.join(lacking)}"
    ) from error


def _reject_sweep_of(override: Override) -> None:
    """Raise SettingError if the setting cannot be swept."""
    if override.key_or_group == "experiment":
        raise SettingError(
            f"{override.input_line}: experiments cannot be swept; run them one at a time"
        )
    if _first_part(override) in NON_MODEL_KEYS:
        raise SettingError(f"{override.input_line}: cannot be swept; it applies to the whole sweep")


def _sweeps_of_file(sweeps: dict[str, Any]) -> list[str]:
    for name, value in sweeps.items():
        if not isinstance(value, str | int | float):
            raise SettingError(
                f"hydra.sweeper.params.{name}={value}: "
                f"write the values as one string, {name}: 1,2,3"
            )
    return [f"{name}={value}" for name, value in sweeps.items()]


def _split_jobs(line: Sequence[Override]) -> list[list[str]]:
    """The overrides of each job: all combinations of swept values, the last setting fastest."""
    settings = [o for o in line if _first_part(o) not in ("sweep", "from_run")]
    choices = {o.get_key_element(): [*_job_overrides(o)] for o in settings}
    jobs = [[*job] for job in itertools.product(*choices.values())]
    if not jobs:
        shown = " ".join(str(override.input_line) for override in line)
        raise SettingError(f"{shown}: this sweep has no jobs; give the setting at least one value")
    return jobs


def _job_overrides(override: Override) -> Iterator[str]:
    key = override.get_key_element()
    if not override.is_sweep_override():
        yield f"{key}={override.get_value_element_as_str()}"
    elif override.is_discrete_sweep():
        yield from (f"{key}={value}" for value in override.sweep_string_iterator())
    else:
        raise SettingError(
            f"{override.input_line}: a continuous range cannot be swept; "
            "list values or use range(...)"
        )


def _line_setting(override: Override, *, is_typed: bool = True) -> LineSetting:
    is_swept = override.is_sweep_override()
    return LineSetting(
        name=override.key_or_group,
        text=str(override.input_line).partition("=")[2],
        value=None if is_swept else override.value(),
        is_swept=is_swept,
        is_typed=is_typed,
        is_deleted=override.is_delete(),
    )


def _first_part(override: Override) -> str:
    """The first part of a setting's name."""
    return str(override.key_or_group).partition(".")[0]
