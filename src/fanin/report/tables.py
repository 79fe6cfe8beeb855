"""Results as tables for other tools: a row for each job, and a row for each job and layer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fanin.measure.params import format_value, is_number
from fanin.measure.result import RunResult
from fanin.report.comparison import Comparison


def write_tables(comparison: Comparison, folder: Path) -> list[str]:
    """Write comparison.csv and profiles.parquet, and return their names."""
    results = comparison.results
    make_job_table(results).to_csv(folder / "comparison.csv", index=False)
    make_layer_table(results).to_parquet(folder / "profiles.parquet", index=False)
    return ["comparison.csv", "profiles.parquet"]


def make_job_table(results: Sequence[RunResult]) -> pd.DataFrame:
    """A row per job: its params, its numbers, and the value of each curve at the last layer."""
    measured = []
    for result in results:
        curves = result.profile.curves.items()
        last = {name: values[-1] for name, values in curves if len(values)}
        reasons = {"because": result.explanation, "try": result.advice}
        measured.append(reasons | result.profile.numbers | last)
    return pd.concat([_identify(results), pd.DataFrame(measured)], axis="columns")


def make_layer_table(results: Sequence[RunResult]) -> pd.DataFrame:
    """A row per job and layer, from 1: its params and the value of each curve, nan without one."""
    profiles = [result.profile for result in results]
    depths = [profile.depth for profile in profiles]
    jobs = _identify(results)
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


def _identify(results: Sequence[RunResult]) -> pd.DataFrame:
    """A row per job: its number, its run and its params; a param that it lacks is missing.

    A param's column is numeric if all its values are numbers that fit into 64 bits, else text.
    """
    columns: dict[str, object] = {
        "job": [result.job for result in results],
        "run_id": [result.run_id for result in results],
        "name": [result.name for result in results],
        "verdict": [result.verdict for result in results],
    }
    names = dict.fromkeys(name for result in results for name in result.params)
    columns |= {name: _make_column(name, results) for name in names}
    return pd.DataFrame(columns, index=range(len(results)))


def _make_column(name: str, results: Sequence[RunResult]) -> pd.Series:
    values = {n: result.params[name] for n, result in enumerate(results) if name in result.params}
    if all(map(is_number, values.values())):
        column = pd.Series(values)
        if column.dtype != object:  # else one of them is longer than 64 bits
            return column
    return pd.Series({n: format_value(value) for n, value in values.items()})
