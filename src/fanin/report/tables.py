"""Outcomes as tables for other tools: a row a job, and a row a job and layer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fanin.measure.result import RunResult
from fanin.report.comparison import Comparison


def write_tables(comparison: Comparison, folder: Path) -> list[str]:
    """comparison.csv, a row a job, and profiles.parquet, a row a job and layer; their names."""
    outcomes = comparison.outcomes
    jobs(outcomes).to_csv(folder / "comparison.csv", index=False)
    layers(outcomes).to_parquet(folder / "profiles.parquet", index=False)
    return ["comparison.csv", "profiles.parquet"]


def jobs(outcomes: Sequence[RunResult]) -> pd.DataFrame:
    """A row a job: its params, its numbers, and of each curve the value at the last layer."""
    rows = []
    for outcome in outcomes:
        curves = outcome.profile.curves.items()
        last = {name: values[-1] for name, values in curves if len(values)}
        reasons = {"because": outcome.explanation, "try": outcome.advice}
        rows.append(_named(outcome) | reasons | outcome.profile.numbers | last)
    return _typed(pd.DataFrame(rows), outcomes)


def layers(outcomes: Sequence[RunResult]) -> pd.DataFrame:
    """A row a job and layer, from 1: its params, and the value of each curve, nan where none is."""
    profiles = [outcome.profile for outcome in outcomes]
    depths = [profile.depth for profile in profiles]
    jobs = _typed(pd.DataFrame([_named(outcome) for outcome in outcomes]), outcomes)
    rows = jobs.loc[np.repeat(jobs.index, depths)].reset_index(drop=True)
    layer = [n for depth in depths for n in range(1, depth + 1)]
    missing = [np.full(depth, np.nan) for depth in depths]
    curves = {
        name: np.concatenate(
            [p.curves.get(name, none) for p, none in zip(profiles, missing, strict=True)]
        )
        for name in dict.fromkeys(name for profile in profiles for name in profile.curves)
    }
    return pd.concat([rows, pd.DataFrame({"layer": layer, **curves})], axis="columns")


def _named(outcome: RunResult) -> dict[str, object]:
    return {
        "job": outcome.job,
        "run_id": outcome.run_id,
        "name": outcome.name,
        "verdict": outcome.verdict,
        **outcome.params,
    }


def _typed(frame: pd.DataFrame, outcomes: Sequence[RunResult]) -> pd.DataFrame:
    """Params are texts: those of which all are numbers become numbers."""
    names = {name for outcome in outcomes for name in outcome.params}
    return frame.assign(**{name: _numbers(frame[name]) for name in names})


def _numbers(column: pd.Series) -> pd.Series:
    try:
        numbers = pd.to_numeric(column)
    except ValueError:
        return column
    return column if numbers.dtype == object else numbers  # too long for any type
