"""Hydra's composition of a sweep's jobs, made once for each combination of options.

Hydra composes a job from all of its files, which takes longer than many a job. Jobs that choose
the same options differ in single values, and those can be set on a copy of what Hydra composed.
"""

import pickle
from functools import lru_cache

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

_REMEMBERED = 32
"""Combinations of options. A worker process may be sent them with each job."""


class QuickLoader(ConfigLoaderImpl):
    """Hydra's loader, with a short way for jobs that differ from others in single values."""

    def __init__(self, like: ConfigLoader) -> None:
        super().__init__(like.get_search_path())
        self._composed: dict[tuple[str, ...], bytes] = {}  # a copy is sooner read than made

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """A job's configuration: what Hydra's own loader gives for it, or raises."""
        overrides = [_parsed(text) for text in sweep_overrides]
        options = [o for o in overrides if self.repository.group_exists(o.key_or_group)]
        values = [o for o in overrides if o not in options]
        if all(isinstance(o.value(), str) for o in options) and all(map(_is_plain, values)):
            config = self._with(options, master_config)
            if _set(values, config):
                job = config.hydra.job
                config.hydra.overrides.task = sweep_overrides
                settings = job.config.override_dirname
                job.override_dirname = get_overrides_dirname(overrides, **settings)
                return config
        return super().load_sweep_config(master_config, sweep_overrides)

    def _with(self, options: list[Override], master_config: DictConfig) -> DictConfig:
        key = tuple(str(option.input_line) for option in options)
        if key not in self._composed:
            if len(self._composed) == _REMEMBERED:
                self._composed.clear()
            config = super().load_sweep_config(master_config, [*key])
            self._composed[key] = pickle.dumps(config)
        copy: DictConfig = pickle.loads(self._composed[key])
        return copy


def _set(values: list[Override], config: DictConfig) -> bool:
    """Set them where a single value is already; False where one cannot be set."""
    try:
        for override in values:
            if OmegaConf.is_config(OmegaConf.select(config, override.key_or_group)):
                return False
            OmegaConf.update(config, override.key_or_group, override.value())
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
