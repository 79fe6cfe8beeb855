"""The configuration: its schema, its checks, and what a wrong value is answered with.

Hydra checks names and types while it composes; `check` adds the ranges; `build` makes the
objects that the groups name. Whatever a user gets wrong becomes a SettingError, one line that
names the setting, the value and what would work.
"""

import difflib
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from hydra.utils import get_class, instantiate
from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import YAMLError

from fanin.signal.claims import Claim

PROJECT = Path(__file__).resolve().parents[2]
"""Where run.py, conf/, experiments/ and outputs/ are."""

GROUPS = ("init", "activation", "data", "loss", "device")
CHOICES = {
    "dtype": ("float32", "float64", "bfloat16", "float16"),
    "engine": ("manual", "autograd_function", "module"),
    "matmul": ("loops", "rows", "broadcast", "einsum", "builtin"),
    "device.name": ("auto", "cpu", "cuda", "mps"),
}
LEAST = {
    "depth": 0,
    "hidden_size": 1,
    "batch_size": 1,
    "replicas": 1,
    "seed": 0,
    "timing.warmup": 0,
    "timing.repeats": 1,
}
MOST_SEED = 2**32 - 1  # torch's generator on the CPU reads 32 bits of a seed


@dataclass
class Timing:
    warmup: int = MISSING
    repeats: int = MISSING
    product: bool = MISSING


@dataclass
class Tracking:
    uri: str = MISSING
    experiment: str | None = None
    parent: str | None = None


@dataclass
class Claims:
    """What an experiment file expects; `strict` ends the process with status 1 if it is wrong."""

    strict: bool = False
    made: list[Claim] = field(default_factory=list)


@dataclass
class Config:
    """The values of a run, typed; the groups are checked when their objects are built."""

    init: Any = MISSING
    activation: Any = MISSING
    data: Any = MISSING
    loss: Any = MISSING
    device: Any = MISSING
    depth: int = MISSING
    hidden_size: int = MISSING
    batch_size: int = MISSING
    replicas: int = MISSING
    seed: int = MISSING
    dtype: str = MISSING
    engine: str = MISSING
    matmul: str = MISSING
    timing: Timing = MISSING
    tracking: Tracking = MISSING
    claims: Claims = field(default_factory=Claims)


_UNREADABLE = "cannot be read"
_TRACEBACK_WANTED = os.environ.get("HYDRA_FULL_ERROR") == "1"
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it logs what we answer


class SettingError(Exception):
    """Something that the user can put right. Its text is one line."""


def register() -> None:
    """Tell Hydra of the schema, the project's folder and the files in experiments/."""
    OmegaConf.register_new_resolver("project", lambda: str(PROJECT), replace=True)
    OmegaConf.register_new_resolver("devices", _devices, replace=True)
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    folder = PROJECT / "experiments"
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).with_suffix("")
        group = "/".join(["experiment", *name.parent.parts])
        store.store(group=group, name=name.name, node=_experiment(path), package="_global_")


def _devices() -> str:
    """For an experiment that sweeps every device present: `device: ${devices:}`."""
    from fanin.device import present  # torch, which no other experiment needs yet

    return ",".join(present())


def _experiment(path: Path) -> DictConfig:
    """An experiment file: always a sweep, its claims beside claims.strict.

    One that cannot be read hinders no other: choosing it says what is wrong.
    """
    try:
        node = OmegaConf.load(path)
    except YAMLError as error:
        node = OmegaConf.create({f"{_UNREADABLE}: {' '.join(str(error).split())}": None})
    if not isinstance(node, DictConfig):
        node = OmegaConf.create({f"{_UNREADABLE}: write NAME: VALUE": None})
    if isinstance(node.get("claims"), ListConfig):
        node.claims = {"made": node.claims}
    OmegaConf.update(node, "hydra.mode", "MULTIRUN", force_add=True)
    return node


def check(config: DictConfig) -> None:
    """The values that have a range or a list. Raises SettingError."""
    known = [field.name for field in fields(Config)]
    for name in map(str, config):
        if name not in known:
            raise SettingError(f"{name}: no such setting{_nearest(name, known)}")
    for setting, least in LEAST.items():
        value = OmegaConf.select(config, setting)
        if value < least:
            raise SettingError(f"{setting}={value}: use a whole number, {least} or more")
    if config.seed + config.replicas - 1 > MOST_SEED:
        raise SettingError(f"seed={config.seed}: use a number under 2^32, the replicas' included")
    for setting, choices in CHOICES.items():
        value = OmegaConf.select(config, setting)
        if value not in choices:
            raise SettingError(f"{setting}={value}: use one of {', '.join(choices)}")


def build(config: DictConfig, group: str) -> Any:
    """The object that a group's node describes. Raises SettingError.

    Where it is a dataclass, its field types are the schema of the group's values.
    """
    node = config[group]
    try:
        target = get_class(node._target_)
        values: Any = OmegaConf.masked_copy(node, [name for name in node if name != "_target_"])
        if is_dataclass(target):
            values = OmegaConf.merge(OmegaConf.structured(target), values)
        return instantiate({"_target_": node._target_, **values})
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, ImportError) as error:
        text = explain(error)
        named = text.startswith(f"{group}.")
        raise SettingError(text if named else f"{group}.{text}") from error


def is_alone() -> bool:
    """Whether the job at hand is a single run, and no part of a sweep."""
    return bool(HydraConfig.get().mode != RunMode.MULTIRUN)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the process with one line and status 1 where the user got something wrong."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves its exceptions to us
    try:
        yield
    except Exception as error:
        if _TRACEBACK_WANTED or not _is_answer(error):
            raise
        sys.exit(f"fanin: {explain(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def _is_answer(error: Exception) -> bool:
    """Whether it tells the user of a mistake, and not us of one."""
    if isinstance(error, (SettingError, HydraException, OmegaConfBaseException)):
        return True
    # What Hydra says to activation=null.
    return isinstance(error, ValueError) and str(error).startswith("Config group override")


def explain(error: Exception) -> str:
    """One line for what Hydra, OmegaConf or our own classes refuse: the setting first."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not a setting that can be read; write NAME=VALUE"
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={option}: no such option{_nearest(option, error.options)}"
    if isinstance(error, HydraException) and isinstance(cause, Exception):
        return _named_file(error) + explain(cause)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return _explain_value(error)
    if _is_answer(error) and isinstance(error, ValueError):
        return f"a group takes the name of an option, as in activation=relu ({', '.join(GROUPS)})"
    return _AMBIGUOUS.sub(r"\1: several values are a sweep; add -m", " ".join(str(error).split()))


def _named_file(error: HydraException) -> str:
    """Whose mistake it is, where it stands in an experiment file."""
    file = re.match(r"In 'experiment/([^']*)'", str(error))
    return f"experiments/{file[1]}.yaml: " if file else ""


def _explain_value(error: OmegaConfBaseException) -> str:
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        if str(error.key).startswith(_UNREADABLE):
            return str(error.key)
        siblings = [str(key) for key in error.parent_node or ()]
        known = [key for key in siblings if key not in ("_target_", "hydra")]
        return f"{error.full_key}: no such setting{_nearest(str(error.key), known)}"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is missing: give it a value"
    wrong = re.search(r"Value '(.*)' of type .* could not be converted to (\w+)", str(error))
    if wrong:
        value, wanted = wrong.groups()
        return f"{error.full_key}={value}: use {_KINDS.get(wanted, wanted)}"
    return f"{error.full_key}: {str(error).splitlines()[0]}"


_AMBIGUOUS = re.compile(r"Ambiguous value for argument '(.*?)' .*")
_KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


def _nearest(wrong: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    suggestion = f"; did you mean {near[0]}?" if near else ""
    return f"{suggestion} ({', '.join(known)})" if known else suggestion
