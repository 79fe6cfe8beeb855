"""The params of a run: the settings that MLflow stores."""

from collections.abc import Mapping
from typing import Any

from fanin.config.saved_sweep import flatten
from fanin.config.settings import GroupChoices
from fanin.measure.params import GROUPS, Params
from fanin.tracking.passwords import mask_passwords


def public_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values safe to publish: without run bookkeeping and passwords."""
    kept = {n: value for n, value in values.items() if n not in ("claims", "sweep", "from_run")}
    tracking = {n: v for n, v in values["tracking"].items() if n not in ("parent", "job")}
    return {**kept, "tracking": {**tracking, "uri": mask_passwords(tracking["uri"])}}


def params_of(values: Mapping[str, Any], choices: GroupChoices) -> Params:
    """The option names and all values, flat: init, init.scale, depth, timing.repeats."""
    options = {group: str(choices[group]) for group in GROUPS}
    settings = dict(flatten(public_values(values)))
    return options | {n: v for n, v in settings.items() if n.rpartition(".")[2] != "_target_"}
