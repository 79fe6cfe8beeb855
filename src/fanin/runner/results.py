"""Writes a run's result to its record and folder, and reads it back, also from a store."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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

Point = tuple[str, int, float]
"""(metric, layer, value); the layer of a number is 0."""
MAX_DEPTH = 1_000_000
"""A store may claim any depth: nothing is allocated for more than this."""
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
    depth = int(str(record.params["depth"]))
    result = _result(depth, record.params, record.metrics, record.tags)
    return replace(result, name=record.name, run_id=record.run_id)


def read_tracked(store: Store, run: TrackedRun) -> RunResult:
    """Read the result of a stored run. Raises StoreError, also for a run that fanin never made.

    Takes the numbers from the record if the run's folder still exists or is in this project's
    outputs/, else from the artifact, else from the metrics. Takes the rest from the store.
    """
    depth = run.params.get("depth")
    if not isinstance(depth, int) or isinstance(depth, bool) or not 0 <= depth <= MAX_DEPTH:
        raise StoreError(f"run {run.id} is not one of fanin's: its depth is {depth}")
    points = _points_of_record(run) or _points_of_artifact(store, run, depth)
    points = points or _points_of_metrics(store, run)
    numbers = [(name, 0, value) for name, value in run.metrics.items() if name in NUMBERS]
    result = _result(depth, run.params, [*points, *numbers], run.tags)
    return replace(result, name=run.name, run_id=run.id)


def _points_of_record(run: TrackedRun) -> list[Point]:
    for folder in (run.output_dir, *_moved(run.output_dir)):
        record = RunRecord.read_from(folder, run.record_id)
        if record:
            return [point for point in record.metrics if point[0] in METRICS]
    return []


def _moved(output_dir: Path) -> list[Path]:
    """Where a run's folder may be now, if the whole project was moved or renamed."""
    parts = output_dir.parts
    return [
        PROJECT.joinpath(*parts[at:])
        for at in range(len(parts) - 1, 0, -1)
        if parts[at] == "outputs" and parts[at + 1 : at + 2] in (("runs",), ("sweeps",))
    ]


def _points_of_artifact(store: Store, run: TrackedRun, depth: int) -> list[Point]:
    """The finite values of profile.csv; none if the store does not have it, or it is broken."""
    try:
        rows = [*csv.DictReader(store.artifact_text(run.id, LAYERS_FILE).splitlines())]
        names = [name for name in (rows[0] if rows else ()) if name in METRICS]
        return [
            (name, layer, float(row[name]))
            for layer, row in enumerate(rows[:depth], start=1)
            for name in names
            if row[name]
        ]
    except (StoreError, ValueError, csv.Error):
        return []


def _points_of_metrics(store: Store, run: TrackedRun) -> list[Point]:
    names = [name for name in run.metrics if name in METRICS and name not in NUMBERS]
    history = store.metric_history(run.id, names)
    return [(name, step, value) for name, values in history.items() for step, value in values]


def _result(
    depth: int, params: Params, points: Iterable[Point], tags: Mapping[str, str]
) -> RunResult:
    """The result with these values; a layer for which there is none has nan."""
    curves = {name: np.full(depth, math.nan) for name in CURVES}
    numbers = {}
    for name, layer, value in points:
        if name in NUMBERS:
            numbers[name] = value
        elif 0 < layer <= depth:
            curves.setdefault(name, np.full(depth, math.nan))[layer - 1] = value
    verdict, explanation = tags.get("verdict", ""), tags.get("because", "")
    return RunResult(params, Profile(depth, curves, numbers), verdict, explanation, tags.get("try"))


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
