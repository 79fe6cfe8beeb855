"""Jobs of a sweep that choose the same options and set the same settings to single values.

One configuration serves them all: each job's values are set on it. So a sweep of thousands holds
a few configurations, and the values.
"""

import pickle
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from fanin.config.schema import Choices, completed

NESTED = "${${"
Values = Mapping[str, object]
"""Of settings by their names, such as init.scale."""


class ConfigTemplate:
    """The jobs, of which one's configuration and values are given."""

    def __init__(self, config: DictConfig, choices: Choices, values: Values) -> None:
        self._pickled = pickle.dumps(config)  # as an object it takes twelve times the memory
        self.choices = choices
        self._names = list(values)

    def with_values(self, values: Values) -> DictConfig:
        """A job's configuration, until the next is asked for. Raises OmegaConf's errors."""
        config = _unpickled(self._pickled)
        for name, value in values.items():
            OmegaConf.update(config, name, value)
        return config

    def completed(self, values: Values) -> dict[str, Any]:
        """What `fanin.config.schema.completed` gives for a job. Raises SettingError."""
        config = self.with_values(values)
        ready = {name: OmegaConf.select(config, name) for name in values}
        made, types = self._one
        if {name: type(value) for name, value in ready.items()} != types:
            return completed(config)
        copy: dict[str, Any] = pickle.loads(made)
        for name, value in ready.items():
            part, last = cast(tuple[dict[str, Any], str], _place(copy, name))
            part[last] = value
        return copy

    @cached_property
    def _one(self) -> tuple[bytes, dict[str, type]]:
        """One job, completed; and the types of those values that were brought there unchanged.

        So is another value of that type, where no other setting is made from it. (Of a class's
        name that is not true: it decides which settings there are.)
        """
        config: DictConfig = pickle.loads(self._pickled)
        made = completed(config)
        types = {}
        sources = [word for text in _made(OmegaConf.to_container(config)) for word in _words(text)]
        for name in self._names:
            value, place = OmegaConf.select(config, name), _place(made, name)
            may_be_source = NESTED in sources or not set(name.split(".")).isdisjoint(sources)
            is_kept = place and repr(place[0][place[1]]) == repr(value)
            if is_kept and not may_be_source and not name.endswith("_target_"):
                types[name] = type(value)
        return pickle.dumps(made), types


@lru_cache(maxsize=32)
def _unpickled(config: bytes) -> DictConfig:
    return cast(DictConfig, pickle.loads(config))


def _place(values: dict[str, Any], name: str) -> tuple[dict[str, Any], str] | None:
    """The part that holds a setting, and its name there; None where it is not in parts."""
    part, _, rest = name.partition(".")
    if rest:
        inner = values.get(part)
        return _place(inner, rest) if isinstance(inner, dict) else None
    return (values, part) if part in values else None


def _made(value: object) -> Iterator[str]:
    """All texts that are made from other settings."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _made(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _made(inner)
    elif isinstance(value, str) and "${" in value:
        yield value


def _words(text: str) -> list[str]:
    """What an interpolation may name; NESTED if one decides what another names."""
    is_nested = re.search(r"\$\{[^}]*\$\{", text)
    return [NESTED] if is_nested else re.findall(r"\w+", text)
