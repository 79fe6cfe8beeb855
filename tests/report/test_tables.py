"""Results as tables for other tools."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from results import make_result

from fanin.report.comparison import compare
from fanin.report.tables import make_job_table, write_tables

JOBS = [
    replace(make_result([1, 2], init="xavier", seed=7), job=0, run_id="a1", advice="init=kaiming"),
    replace(make_result([3, math.nan, math.nan], init=None, seed=8), job=1, run_id="b2"),
]


def test_a_row_a_job_and_a_row_a_layer(tmp_path):
    assert write_tables(compare(JOBS, ["init"], ""), tmp_path) == [
        "comparison.csv",
        "profiles.parquet",
    ]
    jobs = pd.read_csv(tmp_path / "comparison.csv", keep_default_na=False, na_values=[""])
    assert jobs["run_id"].tolist() == ["a1", "b2"]
    assert jobs["init"].tolist() == ["xavier", "None"]
    assert jobs["activation/std"][0] == 2
    assert math.isnan(jobs["activation/std"][1])
    assert jobs["summary/forward_ms"].tolist() == [1.5, 1.5]
    assert jobs["try"][0] == "init=kaiming"
    layers = pd.read_parquet(tmp_path / "profiles.parquet")
    assert layers["layer"].tolist() == [1, 2, 1, 2, 3]
    assert layers["activation/std"].dropna().tolist() == [1, 2, 3]
    assert layers.query("init == 'None'")["job"].tolist() == [1, 1, 1]


def test_params_that_are_numbers_are_numbers(tmp_path):
    write_tables(compare(JOBS, ["init"], ""), tmp_path)
    layers = pd.read_parquet(tmp_path / "profiles.parquet")
    assert pd.api.types.is_integer_dtype(layers["seed"])
    assert not pd.api.types.is_numeric_dtype(layers["init"])


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([2, 3], [2, 3]),
        ([2, 2.5], [2.0, 2.5]),
        ([2.0, None], ["2.0", "None"]),
        ([True, False], ["True", "False"]),
        (["2", 3], ["2", "3"]),
        ([[1, 2.0], {}], ["[1, 2.0]", "{}"]),
        ([10**25, 1], [str(10**25), "1"]),  # too long for any type
    ],
)
def test_a_column_is_numeric_where_all_its_values_are(values, column, tmp_path):
    results = [make_result([1], scale=value) for value in values]
    write_tables(compare(results, [], ""), tmp_path)
    assert pd.read_parquet(tmp_path / "profiles.parquet")["scale"].tolist() == column


def test_a_param_that_some_runs_lack_is_missing_in_its_column():
    results = [make_result([1], scale=2, label="a"), make_result([1])]
    table = make_job_table(results)
    assert table["scale"].dropna().tolist() == [2]
    assert table["label"].dropna().tolist() == ["a"]
    assert pd.api.types.is_numeric_dtype(table["scale"])


def test_a_net_without_layers_has_a_row_among_the_jobs_only(tmp_path):
    write_tables(compare([make_result([]), *JOBS], ["init"], ""), tmp_path)
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 3
    assert len(pd.read_parquet(tmp_path / "profiles.parquet")) == 5
