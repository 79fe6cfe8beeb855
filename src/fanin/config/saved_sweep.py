"""A sweep as an experiment file: written from the command line, and read back.

The file may come from a store that others write to. Only names and values are read from it;
`_target_`, interpolations and Hydra's own settings are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from fanin.config.settings import NON_MODEL_KEYS, SETTING_NAMES
from fanin.measure.params import GROUPS, Params

_WORDS_WITH_MEANING = ("null", "true", "false", "nan", "inf")


class LineSetting(NamedTuple):
    """One override of a sweep: `text` as written, `value` as Hydra reads it.

    is_typed: False if it comes from an experiment file or a tracked run.
    """

    name: str
    text: str
    value: Any
    is_swept: bool
    is_typed: bool
    is_deleted: bool

    @property
    def defines_sweep(self) -> bool:
        """Whether it says what runs, rather than how."""
        return self.name == "from_run" or self.name.partition(".")[0] not in NON_MODEL_KEYS

    @property
    def override(self) -> str:
        return f"{self.name}={self.text}"


def experiment_content(
    base: Mapping[str, Any], line: Sequence[LineSetting], exclude: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The content of an experiment file for the same sweep.

    base: the content of the experiment file on the line, or {}. exclude: as in sweep.exclude.
    """
    options = dict(_chosen_options(base))
    values = {name: value for name, value in base.items() if name in SETTING_NAMES}
    values = {name: value for name, value in values.items() if name not in options}
    swept = {}
    for setting in line:
        if setting.name.partition(".")[0] not in SETTING_NAMES:
            continue
        options.pop(setting.name, None)
        if setting.is_swept:
            swept[setting.name] = setting.text
        elif setting.name in GROUPS:
            options[setting.name] = setting.value
        else:
            _set(values, setting.name.split("."), setting.value)
    defaults = [{f"override /{group}": option} for group, option in options.items()]
    return {
        **({"defaults": defaults} if defaults else {}),
        **values,
        **({"hydra": {"sweeper": {"params": swept}}} if swept else {}),
        **({"sweep": {"exclude": [*exclude]}} if exclude else {}),
        **({"claims": base["claims"]} if "claims" in base else {}),
    }


def _chosen_options(file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(group, option) of each choice in an experiment file, in its defaults or as a setting."""
    for entry in file.get("defaults", []):
        for group, option in entry.items() if isinstance(entry, dict) else ():
            yield group.removeprefix("override").strip(" /"), option
    for group in GROUPS:
        if isinstance(file.get(group), str):
            yield group, file[group]


def _set(values: dict[str, Any], path: Sequence[str], value: object) -> None:
    first, *rest = path
    if not rest:
        values[first] = value
        return
    below = dict(values.get(first) or {})
    _set(below, rest, value)
    values[first] = below


def overrides_of_sweep(text: str) -> list[str]:
    """The overrides that repeat an experiment file. Raises ValueError on all but plain values."""
    try:
        file = yaml.safe_load(text)
        swept = file.pop("hydra", {}).get("sweeper", {}).get("params", {})
        exclude = file.pop("sweep", {}).get("exclude", [])
        options = dict(_chosen_options(file))
        values = {name: v for name, v in file.items() if name not in ("defaults", "claims")}
        settings = {**options, **dict(flatten(values))}
        lines = [f"{_name(name)}={_value(name, value)}" for name, value in settings.items()]
        lines += [
            f"{_name(name)}={_sweep_values(name, str(value))}" for name, value in swept.items()
        ]
    except yaml.YAMLError as error:
        raise ValueError("its sweep.yaml is not valid YAML") from error
    except (AttributeError, TypeError) as error:  # a text instead of names and values
        raise ValueError("its sweep.yaml does not hold settings") from error
    return [*lines, f"sweep.exclude={override_text(exclude)}"] if exclude else lines


def overrides_of_params(params: Params) -> list[str]:
    """The overrides that set a run's params, the options first.

    Raises ValueError if fanin did not make the run, or if a param is not a plain value.
    """
    if not all(group in params for group in GROUPS):
        raise ValueError("this run was not made by fanin")
    names = [*GROUPS, *(name for name in params if name not in GROUPS)]
    kept = [name for name in names if name.split(".")[0] not in NON_MODEL_KEYS]
    return [f"{_name(name)}={_value(name, params[name])}" for name in kept]


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(name, value) of each setting in nested values, such as init.scale."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _name(name: str) -> str:
    is_name = re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", str(name), re.ASCII)
    if not is_name or name.partition(".")[0] not in SETTING_NAMES:
        raise ValueError(f"fanin does not accept the setting {name} from a stored run")
    return name


def _value(name: str, value: object) -> str:
    """The text of one value. An option must be a name, not a path to a file elsewhere."""
    if name in GROUPS and not re.fullmatch(r"[\w-]+", str(value)):
        raise ValueError(f"fanin does not accept the option {name}={value} from a stored run")
    return override_text(value)


def _sweep_values(name: str, text: str) -> str:
    """The values of a sweep, as typed. Braces are refused: in them a group takes any class."""
    if "{" in text or (name in GROUPS and re.search(r"[./\\]", text)):
        raise ValueError(f"fanin does not accept the sweep {name}={text} from a stored run")
    return text


def _without_interpolation(text: str) -> str:
    if "${" in text:
        raise ValueError(f"fanin does not accept the value {text} from a stored run")
    return text


def override_text(value: object) -> str:
    """A value in the grammar of Hydra's overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(override_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_name(k)}:{override_text(v)}' for k, v in value.items())}}}"
    text = _without_interpolation(str(value))
    is_word = re.fullmatch(r"[A-Za-z_][\w./-]*", text, re.ASCII)
    if not isinstance(value, str) or (is_word and text.lower() not in _WORDS_WITH_MEANING):
        return text
    # In quotes a backslash stands for itself, unless a quote or the end follows.
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + m[2].replace("'", r"\'"), text)
    return f"'{escaped}'"
