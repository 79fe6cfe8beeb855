"""Errors of Hydra, OmegaConf and our own classes, each explained in one line.

The patterns match Hydra 1.3 and OmegaConf 2.3. A message that matches none is shown as it is.
"""

import errno
import logging
import re
import sys
from collections.abc import Sequence
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from fanin.config.experiment_file import UNREADABLE
from fanin.config.options import has_setting, option_names
from fanin.config.spelling import did_you_mean, nearest
from fanin.measure.params import GROUPS

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # we report its errors


def explain(error: Exception) -> str:
    """Explain an error of Hydra, OmegaConf or our own classes in one line, the setting first."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: cannot parse this; "
            "write NAME=VALUE, without spaces, and in quotes if it has brackets"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(str(error.missing_cfg_file), list(error.options or ()))
    if isinstance(error, HydraException) and isinstance(cause, Exception):
        return _experiment_prefix(error) + explain(cause)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return _explain_value(error)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; name a folder with hydra.run.dir or hydra.sweep.dir"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        numbers = rf"({'|'.join(GROUPS)})=([-+.\d]|null$|true$|false$)"
        wrong = " ".join(a for a in sys.argv[1:] if re.match(numbers, a, re.IGNORECASE))
        groups = ", ".join(GROUPS)
        return (
            f"{wrong or '='}: a group takes the name of an option, as in activation=relu ({groups})"
        )
    line = " ".join(str(error).split())
    for pattern, answer in HYDRA_MESSAGES:
        line = pattern.sub(answer, line)
    return line


def _no_such_option(path: str, known: Sequence[str]) -> str:
    if "/" not in path:
        return f"--config-name={path}: no such file in conf/"
    if path.startswith("experiment/"):
        group, _, option = path.partition("/")
        known = option_names("experiment")
    else:
        group, _, option = path.rpartition("/")
    return f"{group}={option}: no such option{nearest(option, known)}"


def _experiment_prefix(error: HydraException) -> str:
    """The name of the experiment file that has the mistake, or nothing if none has."""
    file = re.match(r"In 'experiment/([^']*)'", str(error))
    return f"experiments/{file[1]}.yaml: " if file else ""


def _explain_value(error: OmegaConfBaseException) -> str:
    name, message = error.full_key, str(error).splitlines()[0]
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        return _no_such_setting(error)
    if isinstance(error, MissingMandatoryValue):
        return f"{name} is missing: give it a value"
    if "does not support deletion" in message:
        return f"~{name}: cannot be deleted; set it to another value"
    if "is not Optional" in message or "Incompatible value 'None'" in message:
        return f"{name}=null: give it a value"
    for pattern, answer in OMEGACONF_MESSAGES:
        wrong = pattern.search(message)
        if wrong:
            return f"{name}={wrong[1]}: {wrong.expand(answer)}"
    if isinstance(error, ValidationError) and message.startswith("Invalid type assigned"):
        parts = ", ".join(_keys(error.parent_node, str(error.key)))
        value = message.rpartition("value: ")[2]
        if not parts:
            return f"{name}={value}: wrong type for this setting"
        return f"{name}={value}: set its parts one by one, {name}.NAME=VALUE ({parts})"
    return f"{name}: {message}"


def _no_such_setting(error: OmegaConfBaseException) -> str:
    key, name = str(error.key), str(error.full_key)
    if key.startswith(UNREADABLE):
        return key
    siblings = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
    known = [str(other) for other in siblings if other not in ("_target_", "hydra")]
    everything = f" ({', '.join(known)})" if known else ""
    for other in known:
        if key in _keys(siblings, other):
            return f"{name}: no such setting; did you mean {other}.{key}?{everything}"
    group = name.partition(".")[0]
    having = [
        f"; {group}={option} has one"
        for option in option_names(group)
        if has_setting(group, option, key)
    ]
    return f"{name}: no such setting{''.join(having[:1]) or did_you_mean(key, known)}{everything}"


def _keys(node: Any, name: str) -> list[str]:
    """The settings in a part of a configuration; none if the name is not that of a part."""
    if not isinstance(node, DictConfig) or OmegaConf.is_missing(node, name):
        return []
    inside = OmegaConf.select(node, name)
    return list(map(str, inside)) if isinstance(inside, DictConfig) else []


_UNWRITABLE = (
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
)  # fmt: skip
HYDRA_MESSAGES = (
    (
        re.compile(r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)' .*"),
        r"\1: several values are a sweep; add -m",
    ),
    (
        re.compile(r"Multiple values for (\S+)\. To override .* 'override \S+: (.*)'"),
        r"+\1=\2: \1 already has a value; write \1=\2 without the +",
    ),
    (
        re.compile(r"Could not append to config\. .* Either remove \+ prefix: '(.*?)' Or .*"),
        r"+\1: the setting exists already; write \1 without the +",
    ),
    (re.compile(r"force-add of config groups .*: '\+\+(.*)'"), r"++\1: write \1"),
    (
        re.compile(r"Could not delete from config\. '(.*)' does not exist\."),
        r"~\1: no such setting",
    ),
)
OMEGACONF_MESSAGES = (
    (
        re.compile(r"Value '((\d+)\.0)' of type .* could not be converted to Integer"),
        r"use a whole number, \2",
    ),
    (re.compile(r"Value '(.*)' of type .* to Integer"), "use a whole number"),
    (re.compile(r"Value '(.*)' of type .* could not be converted to Float"), "use a number"),
    (re.compile(r"Value '(.*)' (?:is not a valid bool|.* to Boolean)"), "use true or false"),
    (re.compile(r"Cannot convert '\w+' to string: '(.*)'"), "use one word"),
    (re.compile(r"Cannot merge (Dict)Config with ListConfig"), "use a list, in brackets"),
)
