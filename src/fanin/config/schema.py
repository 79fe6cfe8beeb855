"""The schema for Hydra, and the checks that a schema cannot make: names, ranges, choices."""

import re
from dataclasses import fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from fanin.config import resolvers
from fanin.config.errors import SettingError
from fanin.config.options import option_names
from fanin.config.project import PROJECT
from fanin.config.settings import GroupChoices, Settings
from fanin.config.spelling import did_you_mean, nearest
from fanin.measure.params import GROUPS

CHOICES = {
    "dtype": ("float32", "float64", "bfloat16", "float16"),
    "engine": ("manual", "autograd_function", "module"),
    "matmul": ("loops", "rows", "broadcast", "einsum", "builtin"),
    "device.name": ("auto", "cpu", "cuda", "mps"),
}
MIN_VALUES = {
    "depth": 0,
    "hidden_size": 1,
    "batch_size": 1,
    "replicas": 1,
    "seed": 0,
    "timing.warmup": 0,
    "timing.repeats": 1,
    "tracking.timeout": 1,
}
MAX_SEED = 2**32 - 1  # torch's generator on the CPU reads 32 bits of a seed


def register() -> None:
    """Give Hydra the schema, and the resolvers that conf/ uses."""
    OmegaConf.register_new_resolver("project", lambda: str(PROJECT), replace=True)
    OmegaConf.register_new_resolver("store", resolvers.store_uri, replace=True)
    OmegaConf.register_new_resolver("devices", resolvers.present_devices, replace=True)
    OmegaConf.register_new_resolver("cores", resolvers.cores, replace=True)
    OmegaConf.register_new_resolver("share", resolvers.cores_for_each, replace=True)
    ConfigStore.instance().store(name="schema", node=Settings)


def check(config: DictConfig) -> None:
    """Check names, ranges and choices of a composed configuration. Raises SettingError."""
    _check_names(config)
    for setting, minimum in MIN_VALUES.items():
        value = OmegaConf.select(config, setting)
        if value is None:
            raise SettingError(f"{setting} is missing: give it a whole number, {minimum} or more")
        if value < minimum:
            raise SettingError(f"{setting}={value}: use a whole number, {minimum} or more")
    for setting, choices in CHOICES.items():
        value = OmegaConf.select(config, setting)
        if value not in choices:
            hint = did_you_mean(str(value), choices)
            raise SettingError(f"{setting}={value}: use one of {', '.join(choices)}{hint}")
    if config.seed + config.replicas - 1 > MAX_SEED:
        raise SettingError(
            f"seed={config.seed} replicas={config.replicas}: "
            "use numbers whose sum is at most 2^32, since each replica has a seed of its own"
        )
    if not config.tracking.uri:
        raise SettingError("tracking.uri is empty: give it the address of a server or a database")
    if re.match(r"sqlite:(?!///[^:])", config.tracking.uri):
        raise SettingError(f"tracking.uri={config.tracking.uri}: write sqlite:///FILE")


def reject_sweep_options(config: DictConfig) -> None:
    """Raise SettingError if a single run has settings of a sweep."""
    if config.from_run is not None:
        raise SettingError(f"from_run={config.from_run}: repeats a run as a sweep; add -m")
    for name, value in config.sweep.items():
        if value:
            shown = "true" if value is True else value
            raise SettingError(f"sweep.{name}={shown}: belongs to a sweep; add -m")


def _check_names(config: DictConfig) -> None:
    """Check that every setting is known, none is missing, and each group is an option."""
    known = [field.name for field in fields(Settings)]
    for name in map(str, config):
        if name not in known:
            raise SettingError(f"{name}: no such setting{nearest(name, known)}")
    for name in known:
        if name not in config:  # or its value is ???, which counts as missing
            raise SettingError(f"{name} is missing: give it a value")
    for group in GROUPS:
        if not isinstance(config[group], DictConfig):
            raise SettingError(f"{group}={config[group]}: use the name of one option")


def group_choices(hydra: Any) -> GroupChoices:
    """The option chosen in each group, from Hydra's own node. Raises SettingError."""
    choices = hydra.runtime.choices
    for group in GROUPS:
        if not isinstance(choices.get(group), str):
            raise SettingError(f"{group}: use the name of one option, or -m and commas for several")
    for group in (*GROUPS, "experiment"):
        option = choices.get(group)
        if option and option.endswith((".yaml", ".yml")):  # Hydra would accept the file name
            known = nearest(option, option_names(group))
            raise SettingError(f"{group}={option}: no such option{known}")
    return {name: choices.get(name) for name in (*GROUPS, "experiment")}
