"""The options of the groups: the files in conf/ and experiments/, and the objects they describe."""

import re
from functools import cache
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from fanin.config.project import PROJECT


def option_names(group: str) -> list[str]:
    """The names of a group's options; for `experiment`, names such as chapter/fifty_layers."""
    if group == "experiment":
        folder = PROJECT / "experiments"
        return sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.yaml"))
    return sorted(path.stem for path in (PROJECT / "conf" / group).glob("*.yaml"))


@cache
def option_file(group: str, name: str) -> DictConfig:
    """The content of an option's file."""
    return cast(DictConfig, OmegaConf.load(PROJECT / "conf" / group / f"{name}.yaml"))


def changed_settings(group: str, name: str, values: dict[str, Any]) -> list[str]:
    """The settings of a group whose values differ from those in the option's file.

    Empty if the option's file is not in conf/.
    """
    if name not in option_names(group):
        return []
    written = option_file(group, name)
    return [key for key, value in values.items() if value != written.get(key)]


def has_setting(group: str, option: str, name: str) -> bool:
    """Whether an option's file has a setting. Searches the text, which may be broken YAML."""
    path = PROJECT / "conf" / group / f"{option}.yaml"
    pattern = rf"^{re.escape(name)}:"
    return path.is_file() and bool(re.search(pattern, path.read_text(), re.MULTILINE))
