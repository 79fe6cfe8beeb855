"""The verdict before running."""

import math

import pytest
import torch

from fanin.measure.verdict import verdict
from fanin.nn.activations import Identity, ReLU, Sigmoid, Tanh
from fanin.nn.init import Normal, Orthogonal, VarianceScaling
from fanin.runner.data import Gaussian
from fanin.theory.forecast import forecast
from fanin.theory.input_stats import describe
from fanin.theory.mean_field import predict

XAVIER, KAIMING = VarianceScaling(scale=1.0), VarianceScaling(scale=2.0)
INPUTS = describe(Gaussian().load(200).inputs)


def predict_verdict(init, activation, depth, *, width=100, dtype=torch.float32, inputs=INPUTS):
    prediction = predict(init, activation, inputs, depth=depth, width=width)
    return forecast(prediction, activation, inputs, width=width, dtype=dtype)


CASES = [
    (KAIMING, ReLU(), 10, "healthy"),
    (KAIMING, ReLU(), 50, "collapsed?"),  # a cosine of .988, which seeds have from .94 on
    (XAVIER, ReLU(), 50, "vanishing"),
    (XAVIER, Tanh(), 50, "healthy"),
    (XAVIER, Sigmoid(), 10, "vanishing"),
    (Orthogonal(), Identity(), 200, "healthy"),
    (Normal(), Tanh(), 10, "saturated"),
    (Normal(), ReLU(), 10, "exploding"),
    (Normal(), ReLU(), 50, "nonfinite"),
    (Normal(std=0.01), ReLU(), 50, "vanishing"),
    (Normal(std=0.0), Tanh(), 5, "vanishing"),
    (Normal(std=1e-30), Identity(), 50, "vanishing"),  # beyond float64
    (Normal(std=1e30), Identity(), 50, "nonfinite"),
    (Normal(std=1e80), Identity(), 2, "nonfinite"),
]


@pytest.mark.parametrize(("init", "activation", "depth", "label"), CASES)
def test_the_forecast_is_what_is_measured(build, profile, init, activation, depth, label):
    outlook = predict_verdict(init, activation, depth)
    assert (outlook.label, outlook.is_sure) == (label, not label.endswith("?"))
    assert verdict(profile(build(init, activation, depth=depth))) == outlook.verdict


def test_near_a_threshold_some_seeds_may_differ():
    outlook = predict_verdict(XAVIER, Tanh(), 200, width=64)
    assert (outlook.label, outlook.is_sure) == ("healthy?", False)


def test_theory_is_sure_of_no_narrow_net():
    assert predict_verdict(KAIMING, ReLU(), 4, width=10).label == "healthy?"
    assert predict_verdict(KAIMING, ReLU(), 4, width=40).label == "healthy"


def test_the_dtype_decides_what_overflows():
    assert predict_verdict(Normal(), Identity(), 6, dtype=torch.float16).verdict == "nonfinite"
    assert predict_verdict(Normal(), Identity(), 6).verdict == "exploding"


def test_the_numbers_are_those_of_the_typical_seed(build, profile):
    outlook = predict_verdict(KAIMING, ReLU(), 10)
    curves = profile(build(KAIMING, ReLU(), depth=10, seeds=range(64))).curves
    assert outlook.std == pytest.approx(curves["activation/std"][-1], rel=0.1)
    gradients = curves["gradient/preactivation_norm"]
    assert outlook.gradient == pytest.approx(gradients[0] / gradients[-1], rel=0.2)
    assert outlook.cosine == pytest.approx(curves["activation/correlation"][-1], abs=0.02)


def test_a_single_input_has_no_cosine():
    outlook = predict_verdict(KAIMING, ReLU(), 10, inputs=describe(Gaussian().load(1).inputs))
    assert (outlook.verdict, math.isnan(outlook.cosine)) == ("healthy", True)
