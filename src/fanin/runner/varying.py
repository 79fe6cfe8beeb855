"""The params in which runs differ."""

from collections.abc import Sequence

from fanin.config.settings import NON_MODEL_KEYS
from fanin.measure.params import GROUPS, Params, format_value


def varying_params(runs: Sequence[Params]) -> list[str]:
    """The params in which runs differ, without those that differ only because an option does.

    For example init.scale, if each init has a scale of its own.
    """
    names = dict.fromkeys(name for params in runs for name in params)
    several = [name for name in names if len(_values(name, runs)) > 1]
    return [name for name in several if _varies_by_itself(name, runs)]


def _varies_by_itself(name: str, runs: Sequence[Params]) -> bool:
    group, dot, _ = name.partition(".")
    if group in NON_MODEL_KEYS:
        return False
    if not dot or group not in GROUPS:
        return True
    return any(
        len(_values(name, [params for params in runs if params[group] == option])) > 1
        for option in {str(params[group]) for params in runs}
    )


def swept_params(jobs: Sequence[Sequence[str]], params: Params) -> list[str]:
    """The params that the jobs' overrides set to several values, in the order of the overrides.

    A setting made from another, such as hidden_size=${depth}, does not count.
    """
    texts: dict[str, set[str]] = {}
    for overrides in jobs:
        for override in overrides:
            name, _, text = override.partition("=")
            texts.setdefault(name.lstrip("+"), set()).add(text)
    return [name for name, values in texts.items() if len(values) > 1 and name in params]


def _values(name: str, runs: Sequence[Params]) -> set[str]:
    return {format_value(params[name]) if name in params else "-" for params in runs}
