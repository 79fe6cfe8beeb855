"""Claims, judged on profiles made by hand."""

import json
import math

import numpy as np
import pytest

from fanin.measure.claims import Claim, ClaimVerdict
from fanin.measure.profile import Profile
from fanin.measure.result import RunResult


def job(init: str, *std: float, depth: int = 2, **numbers: float):
    curves = {"activation/std": np.array(std)}
    named = {f"summary/{name}": value for name, value in numbers.items()}
    params = {"init": init, "depth": depth, "init.scale": 2.0}
    return RunResult(params, Profile(depth=len(std), curves=curves, numbers=named), "healthy", "")


JOBS = [job("xavier", 0.5, 0.01), job("kaiming", 0.8, 0.5, loss=3.0), job("normal", 9, math.nan)]


def verdict(**settings) -> str:
    claim = Claim(says="so", **{"metric": "activation/std", **settings})
    return claim.judge(JOBS, ["init"]).verdict


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"where": {"init": "kaiming"}, "between": [0.4, 0.6]}, "kept"),
        ({"where": {"init": "kaiming"}, "between": [0.6, 0.9]}, "broken"),
        ({"where": {"init": "kaiming"}, "between": [0.6, 0.9], "layer": 1}, "kept"),
        ({"where": {"init": "kaiming"}, "below": 0.5}, "kept"),
        ({"where": {"init": "kaiming"}, "above": 0.6}, "broken"),
        ({"where": {"init": "kaiming"}, "above": 0.1, "below": 0.4}, "broken"),
        ({"where": {"init": "kaiming", "init.scale": 2}, "above": 0.1}, "kept"),
        ({"where": {"init": "kaiming", "init.scale": 1}, "above": 0.1}, "untested"),
        ({"where": {"init": "lecun"}, "above": 0.1}, "untested"),
        ({"where": {"unheard.of": 1}, "above": 0.1}, "untested"),
        ({"where": {"init": "normal"}, "above": 0.1}, "broken"),  # nan keeps nothing
        ({"where": {"init": "kaiming"}, "above": 0.1, "layer": 3}, "broken"),  # no such layer
        ({"where": {"init": "kaiming"}, "metric": "summary/loss", "between": [3, 3]}, "kept"),
        ({"where": {"init": "xavier"}, "metric": "summary/loss", "above": 0}, "broken"),
        ({"above": 0.001}, "broken"),  # every job must keep it, and one is nan
        (
            {"where": {"init": "kaiming"}, "ratio_to": {"init": "xavier"}, "between": [49, 51]},
            "kept",
        ),
        ({"where": {"init": "kaiming"}, "ratio_to": {"init": "lecun"}, "above": 0}, "untested"),
    ],
)
def test_verdicts(settings, expected):
    assert verdict(**settings) == expected


def test_a_ratio_is_to_the_job_that_differs_in_no_more():
    jobs = [
        job("xavier", 0.5, depth=1),
        job("kaiming", 1.0, depth=1),
        job("xavier", 0.25, 0.1, depth=2),
        job("kaiming", 1.0, 0.8, depth=2),
    ]
    claim = Claim("so", "activation/std", {"init": "kaiming"}, ratio_to={"init": "xavier"}, above=0)
    finding = claim.judge(jobs, ["init", "depth"])
    assert finding.measured == "2 to 8"
    assert finding.metric == "activation/std, over that of init=xavier"
    claim = Claim("so", "activation/std", layer=2, above=0)
    assert claim.judge(jobs, []).metric == "activation/std at layer 2"


def test_a_finding_shows_the_bound_beside_the_value():
    finding = Claim("so", "activation/std", {"init": "xavier"}, below=1e-3).judge(JOBS, ["init"])
    assert (finding.expected, finding.measured) == ("at most 0.001", "0.01")
    finding = Claim("so", "activation/std", {"init": "normal"}, above=1).judge(JOBS, ["init"])
    assert (finding.expected, finding.measured) == ("at least 1", "not finite")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "it has no bound; add between, below or above"),
        ({"between": [1]}, "between=[1]; use two numbers, the smaller first"),
        ({"between": [3, 1]}, "between=[3, 1]; use two numbers, the smaller first"),
        ({"above": 0, "layer": 0}, "layer=0; use a whole number, 1 or more"),
        ({"above": 0, "layer": 1}, None),
    ],
)
def test_a_claim_that_cannot_be_judged_says_why(settings, message):
    assert Claim("so", "activation/std", **settings).problem() == message


def test_a_list_that_jobs_share_is_one_value():
    """And not a choice of its parts, as it is in `where`."""
    jobs = [
        RunResult({"init": init, "sizes": sizes}, job(init, std).profile, "healthy", "")
        for init, std, sizes in (("a", 4.0, [1, 2]), ("b", 2.0, [1, 2]), ("b", 1.0, [3]))
    ]
    claim = Claim("so", "activation/std", {"init": "a"}, ratio_to={"init": "b"}, between=[2, 2])
    assert claim.judge(jobs, ["init", "sizes"]).verdict == ClaimVerdict.KEPT


def test_a_verdict_is_its_word_wherever_it_is_written():
    for verdict, word in zip(ClaimVerdict, ("kept", "broken", "untested"), strict=True):
        assert verdict == word
        assert f"{verdict} {verdict!s}" == f"{word} {word}"
        assert json.dumps({"verdict": verdict}) == f'{{"verdict": "{word}"}}'
        assert {word: 1}[verdict] == 1
