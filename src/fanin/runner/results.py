"""Writes a run's result to its record and folder, and reads it back, also from a store."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from fanin.config.complete import to_yaml
from fanin.config.job_spec import JobSpec
from fanin.config.project import PROJECT
from fanin.measure.claims import Finding
from fanin.measure.jacobian import Spectrum
from fanin.measure.params import Params
from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.measure.statistics import CURVES
from fanin.runner.run_params import public_values
from fanin.theory.comparison import METRICS, NUMBERS
from fanin.tracking.errors import StoreError
from fanin.tracking.provenance import table_tag
from fanin.tracking.run_record import RunRecord
from fanin.tracking.store import Store
from fanin.tracking.tracked_run import TrackedRun

SETTINGS_FILE, LAYERS_FILE, JACOBIAN_FILE = "config.yaml", "profile.csv", "jacobian.csv"


def write_result(
    record: RunRecord, spec: JobSpec, result: RunResult, jacobian: Spectrum | None
) -> None:
    """Put a run's result into its record, and its files into its folder.

    Writes config.yaml (the resolved settings), profile.csv and, if there is a Jacobian,
    jacobian.csv.
    """
    profile = result.profile
    folder = Path(record.folder)
    (folder / SETTINGS_FILE).write_text(to_yaml(public_values(spec.settings.as_values())))
    with (folder / LAYERS_FILE).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["layer", *profile.curves])
        writer.writeheader()
        writer.writerows(profile.rows())
    record.files += [SETTINGS_FILE, LAYERS_FILE]
    record.metrics += [*profile.points()]
    record.metrics += [(name, 0, value) for name, value in profile.numbers.items()]
    record.tags |= {"verdict": result.verdict, "because": result.explanation}
    if result.advice:
        record.tags["try"] = result.advice
    if jacobian:
        _write_jacobian(record, jacobian)


def _write_jacobian(record: RunRecord, jacobian: Spectrum) -> None:
    with Path(record.folder, JACOBIAN_FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["replica", "input", "index", "value"])
        writer.writerows(jacobian.rows())
    record.files.append(JACOBIAN_FILE)


def read_result(record: RunRecord) -> RunResult:
    """The result that `write_result` put into a record."""
    result = _result(
        record.params,
        _curves(record.params, record.metrics),
        {name: value for name, _, value in record.metrics if name in NUMBERS},
        record.tags,
    )
    return replace(result, name=record.name, run_id=record.run_id)


def read_tracked(store: Store, run: TrackedRun) -> RunResult:
    """Read the result of a stored run. Raises StoreError.

    Reads the record if the run's folder still exists or is in this project's outputs/, else the
    artifact, else the metrics.
    """
    for folder in (run.output_dir, *_moved(run.output_dir)):
        record = RunRecord.read_from(folder, run.record_id)
        if record:
            return replace(read_result(record), run_id=run.id)
    curves = _curves_of_artifact(store, run) or _curves_of_metrics(store, run)
    numbers = {name: value for name, value in run.metrics.items() if name in NUMBERS}
    return replace(_result(run.params, curves, numbers, run.tags), name=run.name, run_id=run.id)


def _moved(output_dir: Path) -> list[Path]:
    """Where a run's folder may be now, if the whole project was moved or renamed."""
    parts = output_dir.parts
    return [
        PROJECT.joinpath(*parts[at:])
        for at in range(len(parts) - 1, 0, -1)
        if parts[at] == "outputs" and parts[at + 1 : at + 2] in (("runs",), ("sweeps",))
    ]


def _curves_of_artifact(store: Store, run: TrackedRun) -> dict[str, np.ndarray]:
    with suppress(StoreError):
        rows = [*csv.DictReader(store.artifact_text(run.id, LAYERS_FILE).splitlines())]
        names = [name for name in (rows[0] if rows else ()) if name != "layer"]
        curves = _empty_curves(_depth(run.params))
        return curves | {
            name: np.array([float(row[name] or math.nan) for row in rows]) for name in names
        }
    return {}


def _curves_of_metrics(store: Store, run: TrackedRun) -> dict[str, np.ndarray]:
    names = [name for name in run.metrics if name in METRICS and name not in NUMBERS]
    history = store.metric_history(run.id, names)
    points = [(name, step, value) for name, values in history.items() for step, value in values]
    return _curves(run.params, points)


def _curves(params: Params, points: Iterable[tuple[str, int, float]]) -> dict[str, np.ndarray]:
    """The curves, name -> (depth,); nan for a layer without a value."""
    depth = _depth(params)
    curves = _empty_curves(depth)
    for name, layer, value in points:
        if name not in NUMBERS and 0 < layer <= depth:
            curves.setdefault(name, np.full(depth, math.nan))[layer - 1] = value
    return curves


def _empty_curves(depth: int) -> dict[str, np.ndarray]:
    return {name: np.full(depth, math.nan) for name in CURVES}


def _depth(params: Params) -> int:
    return int(str(params["depth"]))


def _result(
    params: Params,
    curves: dict[str, np.ndarray],
    numbers: dict[str, float],
    tags: Mapping[str, str],
) -> RunResult:
    profile = Profile(_depth(params), curves, numbers)
    return RunResult(
        params, profile, tags.get("verdict", ""), tags.get("because", ""), tags.get("try")
    )


def write_claims(record: RunRecord, findings: Sequence[Finding]) -> None:
    """Save the verdicts on a sweep's claims: a table, a tag for each state, two counts."""
    rows = [vars(finding) for finding in findings]
    table = {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}
    Path(record.folder, "claims.json").write_text(json.dumps(table))
    record.files.append("claims.json")
    counts = Counter(str(finding.verdict) for finding in findings)
    record.metrics += [
        (f"summary/claims_{state}", 0, counts[state]) for state in ("kept", "broken")
    ]
    record.tags |= {
        f"claims.{state}": "; ".join(f.says for f in findings if f.verdict == state)
        for state in counts
    }
    record.tags |= table_tag("claims.json")
