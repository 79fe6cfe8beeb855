"""What is written down of a run: its params, its name, its tags, its files."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from fanin.config import GROUPS, PROJECT, Choices
from fanin.signal.claims import Finding
from fanin.signal.profile import Profile
from fanin.tracking.provenance import provenance
from fanin.tracking.store import Run, without_password

_FINISHED = ".finished"


def params(config: DictConfig, choices: Choices) -> dict[str, str]:
    """The names chosen and every value, flat: `init`, `init.scale`, `depth`, `timing.repeats`."""
    chosen = {group: str(choices[group]) for group in GROUPS}
    return chosen | {name: str(value) for name, value in _leaves(_resolved(config))}


def run_name(params: Mapping[str, str], overrides: Sequence[str]) -> str:
    """Such as `kaiming relu 50x100`, and what else was set: `kaiming relu 50x100 seed=3`."""
    named = ("init", "activation", "depth", "hidden_size", "experiment")
    settings = [override.partition("=") for override in overrides]
    others = [
        f"{name.lstrip('+')}={value}"
        for name, _, value in settings
        if name.lstrip("+") not in named and not name.startswith(("tracking.", "claims."))
    ]
    return " ".join(["{init} {activation} {depth}x{hidden_size}".format_map(params), *others])


def tags(overrides: Sequence[str]) -> dict[str, str]:
    """What holds for a run and for a sweep alike."""
    return provenance(PROJECT / "run.py") | {
        "torch.version": torch.__version__,
        "overrides": typed(overrides),
    }


def typed(overrides: Sequence[str]) -> str:
    """The overrides as the user typed them, fit to be shown to others."""
    ours = "tracking.parent="  # a sweep's own word to its jobs
    return without_password(" ".join(o for o in overrides if not o.startswith(ours)))


def config_hash(config: DictConfig) -> str:
    """Equal for equal runs: of all values but where they are tracked."""
    values = {name: value for name, value in _resolved(config).items() if name != "tracking"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def write(folder: Path, config: DictConfig, profile: Profile) -> list[Path]:
    """Write config.yaml, resolved, and profile.csv, a row a layer; their paths."""
    settings, layers = folder / "config.yaml", folder / "profile.csv"
    settings.write_text(OmegaConf.to_yaml(OmegaConf.create(_resolved(config))))
    with layers.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["layer", *profile.curves])
        writer.writeheader()
        writer.writerows(profile.rows())
    return [settings, layers]


def finish(sweep: Path) -> None:
    """A job's last word, whatever became of it: one more dot in a file of the sweep's folder."""
    with (sweep / _FINISHED).open("a") as file:
        file.write(".")


def finished(sweep: Path) -> Callable[[], int]:
    """How many jobs have ended from now on, in whichever process."""
    path = sweep / _FINISHED
    path.write_text("")
    return lambda: path.stat().st_size


def write_claims(parent: Run, findings: Sequence[Finding]) -> None:
    """Keep with a sweep what became of its claims: a table, a tag for each state, two counts."""
    count = Counter(finding.verdict for finding in findings)
    parent.table("claims", [vars(finding) for finding in findings])
    parent.log(
        metrics=[(f"summary/claims_{state}", 0, count[state]) for state in ("kept", "broken")],
        tags={
            f"claims.{state}": "; ".join(f.says for f in findings if f.verdict == state)
            for state in count
        },
    )


def _resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, fit to be shown to others."""
    values = cast(dict[str, Any], OmegaConf.to_container(config))
    del values["claims"]  # what is expected of a run is no part of it
    tracking = values["tracking"]
    del tracking["parent"]
    return {**values, "tracking": {**tracking, "uri": without_password(tracking["uri"])}}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif name != "_target_":
            yield prefix + name, value
