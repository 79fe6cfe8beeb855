"""The verdict before running: theory's curves, judged as measured ones are."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from fanin.measure.profile import Profile
from fanin.measure.statistics import DEAD_BELOW
from fanin.measure.verdict import DEAD, max_log_change, verdict
from fanin.nn.activations import Activation
from fanin.theory.gaussian import saturated_share
from fanin.theory.input_stats import Inputs
from fanin.theory.mean_field import GRADIENT, STD, Prediction

SURE = 2.5
"""Spreads: a verdict that holds for nets as far as this from the typical one is sure."""

NARROW = 32
"""Units below which theory, an expansion in 1 / width, is sure of nothing."""

_FIRST_ORDER = 0.25  # of a variance that a layer adds: no more than 8 / NARROW
_RARE = 0.01  # the chance that a sure net may have to be dead
_ENTRIES = 5.0  # the largest entry of a layer, in stds
_COSINES = 1.3  # of ReLU nets, as measured
_SATURATION = 0.15  # how far the saturated share of a net may be from the typical one's


@dataclass(frozen=True)
class Forecast:
    """What the typical seed will measure, and whether nearly every seed will.

    std: of the last layer's activations. gradient: the first layer's norm over the last's.
    cosine: between inputs at the last layer; nan for a single input. distress: see verdict.py.
    """

    verdict: str
    is_sure: bool
    std: float
    gradient: float
    cosine: float
    max_log_change: float

    @property
    def said(self) -> str:
        """The verdict, with a question mark where some seeds may have another."""
        return self.verdict + ("" if self.is_sure else "?")


def forecast(
    prediction: Prediction,
    activation: Activation,
    inputs: Inputs,
    *,
    width: int,
    dtype: torch.dtype,
) -> Forecast:
    """Of a network with one hidden layer or more."""
    typical = _profile(prediction, inputs, dtype)
    word = verdict(typical)
    # n times the variance that a layer adds to log (1 - cosine); a few pairs average less.
    wavering = _COSINES * (1 + 4 / inputs.count) / width
    extremes = [
        _profile(prediction, inputs, dtype, std * SURE, gradient * SURE, cosine * SURE, wavering)
        for std in (-1, 1)
        for gradient in (-1, 1)
        for cosine in (-1, 1)
    ]
    std, gradient = prediction.at(STD), prediction.at(GRADIENT)
    cosine = prediction.curves.get("activation/correlation", np.full(len(std), math.nan))
    return Forecast(
        verdict=word,
        is_sure=width >= NARROW
        and prediction.step <= _FIRST_ORDER
        and len(std) * _dying(activation, width) <= _RARE
        and all(verdict(profile) == word for profile in extremes),
        std=float(std[-1]),
        gradient=float(gradient[0]),
        cosine=float(cosine[-1]),
        max_log_change=max_log_change(typical),
    )


def _dying(activation: Activation, width: int) -> float:
    """The chance that a layer of so many units is dead, for inputs that are all alike."""
    return math.pow(saturated_share(activation, 1.0, DEAD_BELOW), DEAD * width)


def _profile(
    prediction: Prediction,
    inputs: Inputs,
    dtype: torch.dtype,
    std: float = 0.0,
    gradient: float = 0.0,
    cosine: float = 0.0,
    wavering: float = 0.0,
) -> Profile:
    """As it would be measured, so many spreads off.

    1 - cosine wavers by a factor, the more so the nearer the cosine is to 1.
    """
    curves = prediction.curves
    stds, gradients = prediction.at(STD, std), prediction.at(GRADIENT, gradient)
    held = np.isfinite(curves["preactivation/std"])
    if not held.all():  # by float64: too small for any dtype, or too large
        last = [prediction.sigma_w2, *curves["preactivation/std"][held]][-1]
        stds[~held], gradients = 0.0 if last < 1 else math.nan, np.ones(len(held))
    elif not prediction.slopes.all():  # flat everywhere
        gradients = (np.arange(len(stds)) == len(stds) - 1).astype(float)
    stds[_ENTRIES * curves["preactivation/std"] > torch.finfo(dtype).max] = math.nan
    unknown = np.full(len(stds), math.nan)
    cosines = curves.get("activation/correlation", unknown)
    wavers = cosine * np.sqrt(wavering * np.arange(1, len(stds) + 1)) * cosines
    saturated = curves.get("activation/saturated_fraction", unknown)
    return Profile(
        depth=len(stds),
        curves={
            STD: stds,
            GRADIENT: gradients,
            "activation/mean": np.nan_to_num(curves["activation/mean"]),
            "activation/correlation": 1 - (1 - cosines) * np.exp(wavers),
            "activation/dead_fraction": np.zeros(len(stds)),
            "activation/saturated_fraction": saturated * (1 + math.copysign(_SATURATION, std))
            if std
            else saturated,
        },
        numbers={"summary/loss": 0.0}
        | ({"summary/input_correlation": inputs.cosine} if inputs.count > 1 else {}),
    )
