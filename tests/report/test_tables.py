"""Outcomes as tables."""

import math
from dataclasses import replace

import pandas as pd
from results import made

from fanin.report.comparison import compare
from fanin.report.tables import write_tables

JOBS = [
    replace(made([1, 2], init="xavier", seed=7), job=0, run_id="a1", advice="init=kaiming"),
    replace(made([3, math.nan, math.nan], init="None", seed=8), job=1, run_id="b2"),
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


def test_a_number_too_long_for_any_type_stays_a_text(tmp_path):
    long = replace(made([1], seed=10**25), run_id="c3")
    write_tables(compare([long], [], ""), tmp_path)
    assert pd.read_parquet(tmp_path / "profiles.parquet")["seed"].tolist() == [str(10**25)]


def test_a_net_without_layers_has_a_row_among_the_jobs_only(tmp_path):
    write_tables(compare([made([]), *JOBS], ["init"], ""), tmp_path)
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 3
    assert len(pd.read_parquet(tmp_path / "profiles.parquet")) == 5
