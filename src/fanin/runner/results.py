"""What is written down of a run: its params, its name, its tags, its files."""

import csv
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from fanin.config.schema import GROUPS, PROJECT, Choices, foreign_sources
from fanin.measure.claims import Finding
from fanin.measure.jacobian import Spectrum
from fanin.measure.profile import CURVES, NUMBERS, Profile
from fanin.measure.result import RunResult
from fanin.runner.data import digest
from fanin.tracking.provenance import provenance, table_tag
from fanin.tracking.run_record import Record
from fanin.tracking.store import OUTPUT_DIR, Store, Tracked, without_password

SETTINGS, LAYERS, SPECTRUM = "config.yaml", "profile.csv", "jacobian.csv"


def begin(config: DictConfig, choices: Choices, overrides: Sequence[str], folder: str) -> Record:
    """The record of a run with a complete configuration, before anything is computed."""
    values = cast(dict[str, Any], OmegaConf.to_container(config))
    named = params(values, choices)
    return Record(
        uri=without_password(config.tracking.uri),
        experiment=experiment_of(config, choices),
        name=run_name(named, overrides),
        folder=folder,
        parent=config.tracking.parent,
        params=named,
        tags=tags(overrides)
        | {
            OUTPUT_DIR: folder,
            "config.hash": config_hash(values),
            "code.version": code_version(values),
        },
    )


def experiment_of(config: DictConfig, choices: Choices) -> str:
    """The MLflow experiment: the one set, or the experiment file's name, or ours."""
    return config.tracking.experiment or choices["experiment"] or "fanin"


def params(values: Mapping[str, Any], choices: Choices) -> dict[str, str]:
    """The names chosen and every value, flat: `init`, `init.scale`, `depth`, `timing.repeats`."""
    chosen = {group: str(choices[group]) for group in GROUPS}
    return chosen | {name: str(value) for name, value in _leaves(public_values(values))}


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
    ours = ("tracking.parent=", "tracking.job=")  # a sweep's own words to its jobs
    return without_password(" ".join(o for o in overrides if not o.startswith(ours)))


def config_hash(values: Mapping[str, Any]) -> str:
    """Equal for equal runs: of all values but where they are tracked, and of the data file."""
    told = {name: value for name, value in public_values(values).items() if name != "tracking"}
    if values["data"].get("path"):
        told["contents"] = digest(values["data"]["path"])
    return _digest(json.dumps(told, sort_keys=True).encode())


def code_version(values: Mapping[str, Any]) -> str:
    """Equal where a run's numbers come from the same code: fanin's, and classes of one's own."""
    return _digest(b"".join([_own_code(), *(f.read_bytes() for f in foreign_sources(values))]))


@cache
def _own_code() -> bytes:
    """What lies below the pipeline; a change to a table or to the tracking changes no number."""
    package = Path(__file__).parents[1]
    rooms = (package / room for room in ("nn", "measure", "theory"))
    single = (package / name for name in ("runner/data.py", "runner/run.py"))
    files = (*(path for room in rooms for path in sorted(room.glob("*.py"))), *single)
    return b"".join(file.read_bytes() for file in files)


def fill(record: Record, config: DictConfig, outcome: RunResult) -> None:
    """What a run found, into its record and its folder: config.yaml, resolved, and profile.csv."""
    profile = outcome.profile
    folder = Path(record.folder)
    settings = public_values(cast(dict[str, Any], OmegaConf.to_container(config)))
    (folder / SETTINGS).write_text(OmegaConf.to_yaml(OmegaConf.create(settings)))
    with (folder / LAYERS).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["layer", *profile.curves])
        writer.writeheader()
        writer.writerows(profile.rows())
    numbers = [(name, 0, value) for name, value in profile.numbers.items()]
    record.metrics += [*profile.points(), *numbers]
    record.tags |= {"verdict": outcome.verdict, "because": outcome.explanation}
    if outcome.advice:
        record.tags["try"] = outcome.advice
    record.files += [SETTINGS, LAYERS]


def add_spectrum(record: Record, spectrum: Spectrum) -> None:
    """Keep with a run the singular values of its Jacobians, as the table jacobian.csv."""
    with Path(record.folder, SPECTRUM).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["replica", "input", "index", "value"])
        writer.writerows(spectrum.rows())
    record.files.append(SPECTRUM)


def outcome(record: Record) -> RunResult:
    """What `fill` put there."""
    depth = int(record.params["depth"])
    numbers = {name: value for name, _, value in record.metrics if name in NUMBERS}
    curves = _empty_curves(depth)
    for name, layer, value in record.metrics:
        if name not in numbers:
            curves.setdefault(name, np.full(depth, math.nan))[layer - 1] = value
    found = _judged(record.params, Profile(depth, curves, numbers), record.tags)
    return replace(found, name=record.name)


def outcome_of(store: Store, run: Tracked) -> RunResult:
    """The same from a store: from the record where its folder is still there, or the artifact."""
    record = Record.of(run.record_id, run.output_dir)
    if record:
        return replace(outcome(record), run_id=run.id)
    depth = int(run.params["depth"])
    curves = _empty_curves(depth)
    rows = list(csv.DictReader(store.file(run.id, LAYERS).splitlines()))
    for name in rows[0] if rows else ():
        if name != "layer":
            curves[name] = np.array([float(row[name] or math.nan) for row in rows])
    numbers = {name: value for name, value in run.metrics.items() if name in NUMBERS}
    found = _judged(run.params, Profile(depth, curves, numbers), run.tags)
    return replace(found, name=run.name, run_id=run.id)


def _judged(params: Mapping[str, str], profile: Profile, tags: Mapping[str, str]) -> RunResult:
    return RunResult(params, profile, tags["verdict"], tags["because"], tags.get("try"))


def _empty_curves(depth: int) -> dict[str, np.ndarray]:
    return {name: np.full(depth, math.nan) for name in CURVES}


def add_claims(record: Record, findings: Sequence[Finding]) -> None:
    """Keep with a sweep what became of its claims: a table, a tag for each state, two counts."""
    rows = [vars(finding) for finding in findings]
    table = {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}
    Path(record.folder, "claims.json").write_text(json.dumps(table))
    record.files.append("claims.json")
    count = Counter(finding.verdict for finding in findings)
    record.metrics += [(f"summary/claims_{state}", 0, count[state]) for state in ("kept", "broken")]
    record.tags |= {
        f"claims.{state}": "; ".join(f.says for f in findings if f.verdict == state)
        for state in count
    }
    record.tags |= table_tag("claims.json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def public_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a complete configuration, fit for others; how a run came about is not."""
    of_sweeps = ("claims", "sweep", "from_run")
    told = {name: value for name, value in values.items() if name not in of_sweeps}
    place = {n: value for n, value in values["tracking"].items() if n not in ("parent", "job")}
    return {**told, "tracking": {**place, "uri": without_password(place["uri"])}}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif name != "_target_":
            yield prefix + name, value
