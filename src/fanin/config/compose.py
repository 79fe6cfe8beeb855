"""Composition: overrides become a configuration, quickly for the jobs of a sweep.

Jobs of a sweep that choose the same options differ only in single values. Hydra composes each
combination of options once, and each job sets its values on a copy. So a sweep of thousands of
jobs holds only a few configurations.
"""

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.plugins.config_source import ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fanin.config.complete import complete_values
from fanin.config.project import PROJECT, require_project
from fanin.config.schema import check, group_choices, register
from fanin.config.settings import GroupChoices

NESTED = "${${"
Values = Mapping[str, object]
"""The single values that a job sets, by name, such as init.scale."""
_MAX_COMPOSED = 32
"""How many combinations of options a loader keeps. They may be sent to a worker with each job."""


def compose_overrides(overrides: Sequence[str]) -> tuple[dict[str, Any], GroupChoices]:
    """The completed values of run.py with these overrides, and the options chosen.

    Raises SettingError and Hydra's errors.
    """
    require_project()
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    choices = group_choices(config.hydra)
    config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    check(config)
    return complete_values(config), choices


class ConfigTemplate:
    """The configuration of jobs that choose the same options and set the same names."""

    def __init__(self, config: DictConfig, choices: GroupChoices, values: Values) -> None:
        """config, values: of any one of the jobs."""
        self._pickled = pickle.dumps(config)  # an object takes twelve times the memory
        self.choices = choices
        self._names = list(values)

    def with_values(self, values: Values) -> DictConfig:
        """A job's configuration, valid until the next call. Raises OmegaConf's errors."""
        config = _unpickle(self._pickled)
        for name, value in values.items():
            OmegaConf.update(config, name, value)
        return config

    def complete(self, values: Values) -> dict[str, Any]:
        """`complete_values` for a job. Raises SettingError."""
        config = self.with_values(values)
        selected = {name: OmegaConf.select(config, name) for name in values}
        completed, unchanged_types = self._completed_once
        if {name: type(value) for name, value in selected.items()} != unchanged_types:
            return complete_values(config)
        copy: dict[str, Any] = pickle.loads(completed)
        for name, value in selected.items():
            node, key = cast(tuple[dict[str, Any], str], _locate(copy, name))
            node[key] = value
        return copy

    @cached_property
    def _completed_once(self) -> tuple[bytes, dict[str, type]]:
        """A completed job, and the types of those of its values that completion did not change.

        Completion does not change other values of these types either. Values that other settings
        refer to are left out, and so are class names, which decide what settings a group has.
        """
        config: DictConfig = pickle.loads(self._pickled)
        completed = complete_values(config)
        types = {}
        texts = _interpolations(OmegaConf.to_container(config))
        sources = [word for text in texts for word in _referenced_words(text)]
        for name in self._names:
            value, place = OmegaConf.select(config, name), _locate(completed, name)
            may_be_source = NESTED in sources or not set(name.split(".")).isdisjoint(sources)
            is_unchanged = place and repr(place[0][place[1]]) == repr(value)
            if is_unchanged and not may_be_source and not name.endswith("_target_"):
                types[name] = type(value)
        return pickle.dumps(completed), types


@lru_cache(maxsize=32)
def _unpickle(config: bytes) -> DictConfig:
    return cast(DictConfig, pickle.loads(config))


def _locate(values: dict[str, Any], name: str) -> tuple[dict[str, Any], str] | None:
    """The dict that holds a dotted setting, and its key in it; None if there is none."""
    first, _, rest = name.partition(".")
    if rest:
        inner = values.get(first)
        return _locate(inner, rest) if isinstance(inner, dict) else None
    return (values, first) if first in values else None


def _interpolations(value: object) -> Iterator[str]:
    """All texts in a container that refer to other settings."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _interpolations(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _interpolations(inner)
    elif isinstance(value, str) and "${" in value:
        yield value


def _referenced_words(text: str) -> list[str]:
    """The names an interpolation may refer to; NESTED if it contains another interpolation."""
    is_nested = re.search(r"\$\{[^}]*\$\{", text)
    return [NESTED] if is_nested else re.findall(r"\w+", text)


class TemplateConfigLoader(ConfigLoader):
    """Wraps a loader of Hydra, and composes jobs faster if they differ only in single values."""

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self._composed: dict[tuple[str, ...], bytes] = {}  # unpickling is faster than copying
        self._groups: dict[str, bool] = {}

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """A job's configuration, the same as from the wrapped loader, errors included."""
        parts = self.split_overrides(sweep_overrides)
        if parts:
            options, values = parts
            config = self._compose_options(options, master_config)
            if _set_values(values, config):
                config.hydra.overrides.task = sweep_overrides
                config.hydra.job.override_dirname = _override_dirname(sweep_overrides, config)
                return config
        return self._loader.load_sweep_config(master_config, sweep_overrides)

    def split_overrides(self, overrides: Sequence[str]) -> tuple[tuple[str, ...], Values] | None:
        """The options a job chooses and the values it sets; None if it has other overrides."""
        parsed = [parse_override(text) for text in overrides]
        options = [o for o in parsed if self._is_group(o.key_or_group)]
        settings = [o for o in parsed if o not in options]
        values = {o.key_or_group: o.value() for o in settings}
        is_plain = all(isinstance(o.value(), str) for o in options) and all(
            map(_sets_single_value, settings)
        )
        if not is_plain or len(values) < len(settings):
            return None
        return tuple(str(option.input_line) for option in options), values

    def _is_group(self, name: str) -> bool:
        if name not in self._groups:
            options = self._loader.get_group_options(name, results_filter=None)
            self._groups[name] = bool(options)
        return self._groups[name]

    def _compose_options(self, options: tuple[str, ...], master_config: DictConfig) -> DictConfig:
        if options not in self._composed:
            if len(self._composed) == _MAX_COMPOSED:
                self._composed.clear()
            config = self._loader.load_sweep_config(master_config, [*options])
            self._composed[options] = pickle.dumps(config)
        copy: DictConfig = pickle.loads(self._composed[options])
        OmegaConf.copy_cache(
            from_config=master_config, to_config=copy
        )  # the same ${now:} for all jobs
        return copy

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        return self._loader.load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )

    def get_search_path(self) -> ConfigSearchPath:
        return self._loader.get_search_path()

    def get_sources(self) -> list[ConfigSource]:
        return self._loader.get_sources()

    def list_groups(self, parent_name: str) -> list[str]:
        return self._loader.list_groups(parent_name)

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        return self._loader.get_group_options(group_name, results_filter, config_name, overrides)

    def compute_defaults_list(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode
    ) -> Any:
        return self._loader.compute_defaults_list(config_name, overrides, run_mode)


def _set_values(values: Values, config: DictConfig) -> bool:
    """Set the values; return False if one is not a single value or cannot be set."""
    try:
        for name, value in values.items():
            if OmegaConf.is_config(OmegaConf.select(config, name)):
                return False
            OmegaConf.update(config, name, value)
    except OmegaConfBaseException:
        return False
    return True


@lru_cache(maxsize=1024)
def parse_override(text: str) -> Override:
    """One override, parsed; its sweeps are not expanded."""
    (override,) = OverridesParser.create().parse_overrides([text])
    return override


def _sets_single_value(override: Override) -> bool:
    """Whether it sets an existing setting to a single value, not to a list."""
    is_change = override.type == OverrideType.CHANGE and override.package is None
    is_value = isinstance(override.value(), str | int | float | None)
    return is_change and is_value and not override.is_hydra_override()


def _override_dirname(overrides: Sequence[str], config: DictConfig) -> str:
    """hydra.job.override_dirname: the sorted overrides, with Hydra's configured separators."""
    settings = config.hydra.job.config.override_dirname
    parsed = map(parse_override, overrides)
    lines = [str(o.input_line) for o in parsed if o.key_or_group not in settings.exclude_keys]
    return re.sub("=", settings.kv_sep, settings.item_sep.join(sorted(lines)))
