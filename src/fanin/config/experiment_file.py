"""A sweep as an experiment file: written from the line that was typed, and read back.

What is read back may come from a store that others write to. Names and values are taken from
it; `_target_`, interpolations and Hydra's own settings are not.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import yaml

from fanin.config.schema import GROUPS, NON_MODEL_KEYS, Config

_NO_TEXTS = ("null", "true", "false", "nan", "inf")
SETTINGS = tuple(field.name for field in fields(Config) if field.name not in NON_MODEL_KEYS)


class Setting(NamedTuple):
    """One override of a sweep: `text` as it is written, `value` as it is understood.

    What is not typed comes from an experiment file or a tracked run.
    """

    name: str
    text: str
    value: Any
    is_swept: bool
    is_typed: bool
    is_deleted: bool

    @property
    def is_of_the_sweep(self) -> bool:
        """Whether it says what is run, and not how."""
        return self.name == "from_run" or self.name.partition(".")[0] not in NON_MODEL_KEYS

    @property
    def typed(self) -> str:
        return f"{self.name}={self.text}"


def experiment_file(
    base: Mapping[str, Any], line: Sequence[Setting], clauses: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The content of the experiment file that is the same sweep.

    base: that of the experiment file that was chosen, if one was. clauses: what is left out.
    """
    options = dict(_options(base))
    values = {name: value for name, value in base.items() if name in SETTINGS}
    values = {name: value for name, value in values.items() if name not in options}
    swept = {}
    for setting in line:
        if setting.name.partition(".")[0] not in SETTINGS:
            continue
        options.pop(setting.name, None)
        if setting.is_swept:
            swept[setting.name] = setting.text
        elif setting.name in GROUPS:
            options[setting.name] = setting.value
        else:
            _put(values, setting.name.split("."), setting.value)
    defaults = [{f"override /{group}": option} for group, option in options.items()]
    return {
        **({"defaults": defaults} if defaults else {}),
        **values,
        **({"hydra": {"sweeper": {"params": swept}}} if swept else {}),
        **({"sweep": {"exclude": [*clauses]}} if clauses else {}),
        **({"claims": base["claims"]} if "claims" in base else {}),
    }


def _options(file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The options that an experiment file chooses, in either way of saying so."""
    for entry in file.get("defaults", []):
        for group, option in entry.items() if isinstance(entry, dict) else ():
            yield group.removeprefix("override").strip(" /"), option
    for group in GROUPS:
        if isinstance(file.get(group), str):
            yield group, file[group]


def _put(values: dict[str, Any], path: Sequence[str], value: object) -> None:
    first, *rest = path
    if not rest:
        values[first] = value
        return
    below = dict(values.get(first) or {})
    _put(below, rest, value)
    values[first] = below


def overrides_of_sweep(text: str) -> list[str]:
    """The overrides that stand for an experiment file. Raises ValueError on what is no value."""
    try:
        file = yaml.safe_load(text)
        swept = file.pop("hydra", {}).get("sweeper", {}).get("params", {})
        clauses = file.pop("sweep", {}).get("exclude", [])
        options = dict(_options(file))
        values = {name: v for name, v in file.items() if name not in ("defaults", "claims")}
        settings = {**options, **dict(_leaves(values))}
        lines = [f"{_name(name)}={_said(name, value)}" for name, value in settings.items()]
        lines += [f"{_name(name)}={_swept(name, str(value))}" for name, value in swept.items()]
    except yaml.YAMLError as error:
        raise ValueError("it cannot be read") from error
    except (AttributeError, TypeError) as error:  # a text where names and values should be
        raise ValueError("it is not a list of settings") from error
    return [*lines, f"sweep.exclude={text_of(clauses)}"] if clauses else lines


def overrides_of_run(params: Mapping[str, str]) -> list[str]:
    """The overrides that stand for a run's params, the options first.

    Raises ValueError where they are those of something else, or no values.
    """
    if not all(group in params for group in GROUPS):
        raise ValueError("it is no run of fanin")
    names = [*GROUPS, *(name for name in params if name not in GROUPS)]
    wanted = [name for name in names if name.split(".")[0] not in NON_MODEL_KEYS]
    return [f"{_name(name)}={_said(name, _value(params[name]))}" for name in wanted]


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _name(name: str) -> str:
    is_name = re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", str(name), re.ASCII)
    if not is_name or name.partition(".")[0] not in SETTINGS:
        raise ValueError(f"{name} is no setting that is taken from a store")
    return name


def _value(param: str) -> object:
    """What stands behind a param's text: a number, None, or the text."""
    try:
        return ast.literal_eval(param)
    except (SyntaxError, ValueError):
        return param


def _said(name: str, value: object) -> str:
    """One value of a setting; an option is a name, and no path to a file elsewhere."""
    if name in GROUPS and not re.fullmatch(r"[\w-]+", str(value)):
        raise ValueError(f"{name}={value} is no option that is taken from a store")
    return text_of(value)


def _swept(name: str, text: str) -> str:
    """Several values as they were typed; in braces a group would take any class."""
    if "{" in text or (name in GROUPS and re.search(r"[./\\]", text)):
        raise ValueError(f"{name}={text} is no sweep that is taken from a store")
    return text


def _plain(text: str) -> str:
    if "${" in text:
        raise ValueError(f"{text} is no value that is taken from a store")
    return text


def text_of(value: object) -> str:
    """A value in the grammar of Hydra's overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(text_of, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_name(k)}:{text_of(v)}' for k, v in value.items())}}}"
    text = _plain(str(value))
    is_word = re.fullmatch(r"[A-Za-z_][\w./-]*", text, re.ASCII)
    if not isinstance(value, str) or (is_word and text.lower() not in _NO_TEXTS):
        return text
    # In quotes a backslash stands for itself, unless a quote or the end follows.
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + m[2].replace("'", r"\'"), text)
    return f"'{escaped}'"
