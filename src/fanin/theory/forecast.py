"""The verdict before running: the predicted curves, judged as measured curves are."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from fanin.measure.profile import Profile
from fanin.measure.reductions import DEAD_BELOW
from fanin.measure.statistics import GRADIENT, STD
from fanin.measure.summaries import INPUT_CORRELATION, LOSS
from fanin.measure.verdict import DEAD_SHARE, max_log_change, verdict
from fanin.nn.activations import Activation
from fanin.theory.gaussian import saturated_share
from fanin.theory.input_stats import Inputs
from fanin.theory.mean_field import Prediction

SURE_STDS = 2.5
"""A verdict is sure if it holds this many standard deviations over seeds from the typical net."""

MIN_SURE_WIDTH = 32
"""Theory is an expansion in 1 / width: for fewer units no verdict is sure."""

_MAX_STEP = 0.25  # of `Prediction.step`: about 8 / MIN_SURE_WIDTH
_MAX_DEAD_CHANCE = 0.01  # the chance of being dead that a sure net may have
_LARGEST_ENTRY = 5.0  # of a layer, in stds
_COSINE_NOISE = 1.3  # width times the variance that a layer adds to log(1 - cosine), in ReLU nets
_SATURATION_RANGE = 0.15  # how far the saturated share of a net may be from the typical one's


@dataclass(frozen=True)
class Forecast:
    """The verdict on the typical seed, and whether nearly every seed will have it.

    std: of the last layer's activations. gradient: the norm of dL/dz at the first layer over that
    at the last. cosine: between inputs at the last layer; nan for a single input.
    max_log_change: see verdict.py.
    """

    verdict: str
    is_sure: bool
    std: float
    gradient: float
    cosine: float
    max_log_change: float

    @property
    def label(self) -> str:
        """The verdict, with a question mark if some seeds may have another."""
        return self.verdict + ("" if self.is_sure else "?")


def forecast(
    prediction: Prediction,
    activation: Activation,
    inputs: Inputs,
    *,
    width: int,
    dtype: torch.dtype,
) -> Forecast:
    """The forecast for a network with one hidden layer or more, `width` wide."""
    typical = _profile(prediction, inputs, dtype)
    word = verdict(typical)
    # The mean over few pairs varies more.
    cosine_noise = _COSINE_NOISE * (1 + 4 / inputs.count) / width
    extremes = [
        _profile(
            prediction,
            inputs,
            dtype,
            std=std * SURE_STDS,
            gradient=gradient * SURE_STDS,
            cosine=cosine * SURE_STDS,
            cosine_noise=cosine_noise,
        )
        for std in (-1, 1)
        for gradient in (-1, 1)
        for cosine in (-1, 1)
    ]
    std, gradient = prediction.at(STD), prediction.at(GRADIENT)
    cosine = prediction.curves.get("activation/correlation", np.full(len(std), math.nan))
    return Forecast(
        verdict=word,
        is_sure=width >= MIN_SURE_WIDTH
        and prediction.step <= _MAX_STEP
        and len(std) * _dead_chance(activation, width) <= _MAX_DEAD_CHANCE
        and all(verdict(profile) == word for profile in extremes),
        std=float(std[-1]),
        gradient=float(gradient[0]),
        cosine=float(cosine[-1]),
        max_log_change=max_log_change(typical),
    )


def _dead_chance(activation: Activation, width: int) -> float:
    """The chance that a layer of `width` units is dead, for inputs that are all alike."""
    return math.pow(saturated_share(activation, 1.0, DEAD_BELOW), DEAD_SHARE * width)


def _profile(
    prediction: Prediction,
    inputs: Inputs,
    dtype: torch.dtype,
    *,
    std: float = 0.0,
    gradient: float = 0.0,
    cosine: float = 0.0,
    cosine_noise: float = 0.0,
) -> Profile:
    """The predicted profile of a net, in the form of a measured one.

    std, gradient, cosine: how far the net is from the typical one, in standard deviations over
    seeds. 1 - cosine varies by a factor, which is larger for a cosine closer to 1.
    """
    curves = prediction.curves
    stds, gradients = prediction.at(STD, std), prediction.at(GRADIENT, gradient)
    is_known = np.isfinite(curves["preactivation/std"])
    if not is_known.all():  # too small for any dtype, or too large
        last = [prediction.sigma_w2, *curves["preactivation/std"][is_known]][-1]
        stds[~is_known], gradients = 0.0 if last < 1 else math.nan, np.ones(len(is_known))
    elif not prediction.slopes.all():  # an activation that is flat everywhere
        gradients = (np.arange(len(stds)) == len(stds) - 1).astype(float)
    stds[_LARGEST_ENTRY * curves["preactivation/std"] > torch.finfo(dtype).max] = math.nan
    unknown = np.full(len(stds), math.nan)
    cosines = curves.get("activation/correlation", unknown)
    log_factor = cosine * np.sqrt(cosine_noise * np.arange(1, len(stds) + 1)) * cosines
    saturated = curves.get("activation/saturated_fraction", unknown)
    return Profile(
        depth=len(stds),
        curves={
            STD: stds,
            GRADIENT: gradients,
            "activation/mean": np.nan_to_num(curves["activation/mean"]),
            "activation/correlation": 1 - (1 - cosines) * np.exp(log_factor),
            "activation/dead_fraction": np.zeros(len(stds)),
            "activation/saturated_fraction": saturated * (1 + math.copysign(_SATURATION_RANGE, std))
            if std
            else saturated,
        },
        numbers={LOSS: 0.0} | ({INPUT_CORRELATION: inputs.cosine} if inputs.count > 1 else {}),
    )
