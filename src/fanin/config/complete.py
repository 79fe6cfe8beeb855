"""Completion: a composed configuration becomes settings, resolved and typed; groups become objects.

If the class of a group is a dataclass, its field types are the schema of the group, so 2 and 2.0
become the same value.
"""

import inspect
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from hydra.errors import HydraException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fanin.config.errors import SettingError
from fanin.config.explain import explain
from fanin.config.options import option_file
from fanin.config.resolvers import absolute_uri
from fanin.measure.params import GROUPS

Kind = TypeVar("Kind")


def complete_values(config: DictConfig) -> dict[str, Any]:
    """Every value of a configuration, resolved and typed. Raises SettingError."""
    values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    for group in GROUPS:
        values[group] = _complete_group(group, values[group])
    values["tracking"]["uri"] = absolute_uri(values["tracking"]["uri"])
    return values


def _complete_group(group: str, values: dict[str, Any]) -> dict[str, Any]:
    target = values.pop("_target_", None)
    if target is None:
        if group == "device":
            return values
        raise SettingError(f"{group}: its file has no _target_; name a class there")
    with _prefix_group(group):
        return {"_target_": target, **_typed(target, pickle.dumps(values))}


@lru_cache(maxsize=64)  # few per sweep; pickled, because 2 == 2.0 as a key
def _typed(target: str, pickled: bytes) -> dict[str, Any]:
    """The settings of a group, converted to the types of its class."""
    cls, settings = get_class(target), pickle.loads(pickled)
    if is_dataclass(cls):
        typed = OmegaConf.merge(OmegaConf.structured(cls), settings)
        settings = OmegaConf.to_container(typed, throw_on_missing=True)
    return cast(dict[str, Any], settings)


def build(group: str, values: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """The object that the completed values of a group describe. Raises SettingError."""
    with _prefix_group(group):
        built = instantiate(dict(values))
    if not isinstance(built, kind):
        raise SettingError(f"{group}._target_={values['_target_']}: not a {kind.__name__}")
    return built


def build_option(group: str, name: str, kind: type[Kind]) -> Kind:
    """The object that an option's file describes, on its own defaults. Raises SettingError."""
    return build(
        group, cast(dict[str, Any], OmegaConf.to_container(option_file(group, name))), kind
    )


def user_source_files(values: Mapping[str, Any]) -> list[Path]:
    """The source files of the user-defined classes in completed values."""
    targets = (values[group].get("_target_", "fanin") for group in GROUPS)
    classes = [get_class(target) for target in targets if target.split(".")[0] != "fanin"]
    return [Path(file) for cls in classes if (file := inspect.getsourcefile(cls))]


def to_yaml(values: Mapping[str, Any]) -> str:
    """The text of config.yaml."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(values)))


@contextmanager
def _prefix_group(group: str) -> Iterator[None]:
    """Start the error of a group's class with the name of the group."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, ImportError) as error:
        line = explain(error)
        begins_with_setting = re.match(r"\w+(=| is missing|: no such setting)", line)
        raise SettingError(f"{group}{'.' if begins_with_setting else ': '}{line}") from error
