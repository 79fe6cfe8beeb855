"""The verdict on curves made by hand."""

import math

import numpy as np
import pytest

from fanin.measure.profile import Profile
from fanin.measure.verdict import VERDICTS, explanation, short, verdict

NAN = math.nan


def by_hand(std, gradient=None, *, dead=None, saturated=None, cosine=None, start=NAN, loss=1.0):
    """Curves from layer 1 to the last, gradients too: all that a verdict asks of a profile."""
    curves = {
        "activation/mean": [0.0] * len(std),
        "activation/std": std,
        "gradient/preactivation_norm": gradient or [1.0] * len(std),
        "activation/dead_fraction": dead or [0.0] * len(std),
        "activation/correlation": cosine or [NAN] * len(std),
    }
    curves |= {"activation/saturated_fraction": saturated} if saturated else {}
    numbers = {"summary/loss": loss, "summary/input_correlation": start}
    return Profile(
        depth=len(std),
        curves={name: np.array(values, float) for name, values in curves.items()},
        numbers={name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def judge(*curves, **others):
    return verdict(by_hand(*curves, **others))


@pytest.mark.parametrize(
    ("std", "expected"),
    [
        ([1, 1, 1], "healthy"),
        ([3], "healthy"),
        ([1, 99, 1], "healthy"),
        ([1, 0.011, 1], "healthy"),
        ([1e-20, 1e-19, 1e-20], "healthy"),
        ([1e20, 1e21, 1e20], "healthy"),
        ([1, 10, 101], "exploding"),
        ([1, 101, 1], "exploding"),
        ([1e-9, 1e-6], "exploding"),
        ([1, 2, NAN], "nonfinite"),
        ([NAN, NAN], "nonfinite"),
        ([1, 0.1, 0.0099], "vanishing"),
        ([1, 0.0099, 1], "vanishing"),
        ([1e9, 1e6], "vanishing"),
        ([1, 0, 0], "vanishing"),
        ([0, 0, 0], "vanishing"),
        ([1, 0.001, 1000], "vanishing"),
        ([1, 1000, 0.001], "exploding"),
        ([1, 0.001, NAN], "nonfinite"),
    ],
    ids=str,
)
def test_forward(std, expected):
    assert judge(std) == expected


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        ([50, 10, 1], "healthy"),
        ([0.02, 0.1, 1], "healthy"),
        ([101, 10, 1], "exploding"),
        ([NAN, 10, 1], "nonfinite"),
        ([0.009, 0.1, 1], "vanishing"),
        ([0, 0, 1], "vanishing"),
        ([0, 0, 0], "vanishing"),
        ([1000, 0.001, 1], "vanishing"),
        ([0.001, 1000, 1], "exploding"),
    ],
    ids=str,
)
def test_backward_starts_at_the_last_layer(gradient, expected):
    assert judge([1, 1, 1], gradient) == expected


@pytest.mark.parametrize(
    ("dead", "expected"),
    [
        ([0.5, 0.89, 0.5], "healthy"),
        ([0, 0, 0.9], "dead"),
        ([1, 1, 1], "dead"),
        ([0, 0.95, 0], "dead"),
    ],
    ids=str,
)
def test_dead_units(dead, expected):
    assert judge([1, 1, 1], dead=dead) == expected


@pytest.mark.parametrize(
    ("saturated", "expected"),
    [
        ([0.59, 0, 0], "healthy"),
        ([0.6, 0, 0], "saturated"),
        ([0, 0, 1], "saturated"),
        ([NAN, NAN, NAN], "healthy"),
    ],
    ids=str,
)
def test_saturated_activations(saturated, expected):
    assert judge([1, 1, 1], saturated=saturated) == expected


@pytest.mark.parametrize(
    ("cosine", "start", "expected"),
    [
        ([0.5, 0.94], 0, "healthy"),
        ([0.5, 0.96], 0, "collapsed"),
        ([0.96, 0.5], 0, "healthy"),  # the last layer's counts
        ([1, 1], 0, "collapsed"),
        ([0.9, 0.96], 0.8, "healthy"),  # a fifth of what there was
        ([0.9, 0.98], 0.8, "healthy"),
        ([0.9, 0.995], 0.8, "collapsed"),
        ([0.9, 0.96], -0.1, "collapsed"),
        ([1, 1], 1, "healthy"),  # as they were
        ([1, 1], 1 - 1e-7, "healthy"),
        ([0.9, NAN], 0, "healthy"),
        ([1, 1], NAN, "healthy"),
    ],
    ids=str,
)
def test_inputs_that_become_alike(cosine, start, expected):
    assert judge([1, 1], cosine=cosine, start=start) == expected


def test_the_first_trouble_names_it():
    assert judge([1, 1, 1], gradient=[1000, 1, 1], dead=[0, 0, 1]) == "dead"
    assert judge([1, 0.001, 0], dead=[0, 0, 1]) == "vanishing"
    assert judge([1, 0, 0], dead=[0, 1, 1]) == "dead"
    assert judge([1, 1000, 1], dead=[0, 0, 1]) == "exploding"
    assert judge([1, 0.001, 1], gradient=[1000, 1, 1]) == "vanishing"
    assert judge([1, 1, 1], dead=[0, 0, 1], saturated=[0, 1, 1]) == "saturated"
    assert judge([1, 1, 1], dead=[0, 1, 1], saturated=[0, 1, 1]) == "dead"
    assert judge([1, 0.001, 1], saturated=[0, 0, 1]) == "vanishing"
    assert judge([1, 0.001, 1], saturated=[0, 1, 1]) == "saturated"


def test_what_is_not_finite_comes_before_all_else():
    assert judge([1, 0.001, 1], loss=NAN) == "nonfinite"
    assert judge([1, 1, 1], gradient=[NAN, 1, 1], dead=[1, 1, 1]) == "nonfinite"


def test_forgetting_comes_after_all_else():
    alike = {"cosine": [1, 1], "start": 0}
    assert judge([1, 0.001], **alike) == "vanishing"
    assert judge([1, 1], gradient=[1000, 1], **alike) == "exploding"
    assert judge([1, 1], saturated=[1, 1], **alike) == "saturated"


def test_a_loss_that_is_not_finite():
    assert judge([1, 1, 1], gradient=[0.001, 1, 1], loss=NAN) == "nonfinite"
    assert judge([1, 1, 1], loss=NAN) == "nonfinite"


def test_depth_0_is_healthy_if_its_loss_is_finite():
    assert judge([]) == "healthy"
    assert judge([], loss=NAN) == "nonfinite"


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (by_hand([1, 0.1, 0.001]), "the std of the activations falls by 0.0316 a layer: 0.001"),
        (by_hand([1, 0.001, 1]), "falls by 0.001 a layer: 0.001 at layer 2"),
        (by_hand([1, 0.1, 0]), "falls by 0.1 a layer: 0 at layer 3"),
        (by_hand([1, 0, 0]), "the std of the activations is gone: 0 at layer 2"),
        (by_hand([1, 5, 0]), "the std of the activations is gone: 0 at layer 3"),
        (by_hand([0, 0]), "the std of the activations is gone: 0 at layer 1"),
        (by_hand([1, 10, 1000]), "the std of the activations grows by 31.6 a layer: 1e+3 at layer"),
        (by_hand([1, 200, 2e-4]), "grows by 200 a layer: 200 at layer 2"),
        (by_hand([1, 1, 1], [1e-4, 0.03, 3]), "the gradient falls by 0.00577 a layer on its way"),
        (by_hand([1, 1, 1], [1e-4, 0.03, 3]), "back: 3.33e-5 of the last layer's at layer 1"),
        (by_hand([1, 1, 1], [2, 800, 2]), "grows by 400 a layer on its way back: 400 of the last"),
        (by_hand([1, 1, 1], [2, 800, 2]), "layer's at layer 2"),
        (by_hand([1, 1], [0, 0]), "the gradient is gone on its way back: 0 of the last layer's"),
        (
            by_hand([1, 10, 100, NAN]),
            "the std of the activations grows by 10 a layer, and layer 4 holds values that are not",
        ),
        (by_hand([1, NAN, NAN]), "layer 2 holds values that are not finite"),
        (by_hand([1, 0.5, NAN]), "layer 3 holds values that are not finite"),
        (by_hand([1, 0, NAN]), "layer 3 holds values that are not finite"),
        (
            by_hand([1, 1, 1, 1], [NAN, NAN, 7, 1]),
            "on its way back the gradient grows by 7 a layer, and layer 2 holds gradients that are",
        ),
        (by_hand([1, 1], loss=NAN), "every layer is finite, but the loss is not"),
        (
            by_hand([1, 1, 1], dead=[0, 0.97, 1]),
            "97 % of the units of layer 2 have zero derivative on every input",
        ),
        (
            by_hand([1, 1, 1], saturated=[0.832, 0.9, 1]),
            "83 % of the activations of layer 1 lie where the derivative is under 5 % of its",
        ),
        (
            by_hand([1, 0.26], cosine=[0.5, 0.988], start=-0.002),
            "the std holds (0.26 at layer 2), but the inputs have become alike: their mean cosine "
            "is 0.99 there, 0.00 at the start",
        ),
        (
            by_hand([0.9, 0.8], [0.7, 0.6], cosine=[0.5, 0.75], start=0.1),
            "the std of the activations goes from 0.9 to 0.8, on its way back the gradient from "
            "0.6 to 0.7, the mean cosine between inputs from 0.10 to 0.75",
        ),
        (by_hand([0.9, 0.8], [0.7, 0.6]), "on its way back the gradient from 0.6 to 0.7"),
        (by_hand([]), "there is no hidden layer, and the loss is finite"),
    ],
    ids=lambda value: value if isinstance(value, str) else verdict(value),
)
def test_the_reason_is_told_in_numbers(profile, expected):
    assert expected in explanation(profile)


def test_without_a_cosine_none_is_told():
    assert "cosine" not in explanation(by_hand([1, 1]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.70710678, "0.707"), (3.18e-8, "3.18e-8"), (1e-12, "1e-12"), (1e7, "1e+7"), (0, "0")],
)
def test_numbers_are_written_short(value, expected):
    assert short(value) == expected


def test_the_table_has_every_verdict():
    judged = {
        judge([1, NAN]),
        judge([1, 1], dead=[0, 1]),
        judge([1, 1], saturated=[0, 1]),
        judge([1, 1000]),
        judge([1, 0]),
        judge([1, 1], cosine=[1, 1], start=0),
        judge([1, 1]),
    }
    assert judged == set(VERDICTS)
