"""Adds the predictions of theory to a profile, and their distance from the measurement."""

import math
from collections.abc import Mapping

import numpy as np

from fanin.measure import summaries
from fanin.measure.percentiles import BAND
from fanin.measure.profile import Profile
from fanin.measure.statistics import CURVES, GRADIENT, STD
from fanin.theory.mean_field import BANDED, PERCENTILE, PREDICTED, Prediction

SUMMARIES = {
    "summary/jacobian_mean_square_theory": "Prediction of jacobian_mean_square, for wide layers.",
    "summary/jacobian_spread_theory": "Prediction of jacobian_spread, for wide layers.",
    "summary/sigma_w2": "fan_in Var(w) of the layers after the first.",
    "summary/sigma_b2": "Var(b) of the layers after the first.",
    "summary/theory_q": "Fixed point of q, the second moment of z; absent if q grows forever.",
    "summary/theory_chi": "Factor per layer of the squared gradient at the fixed point.",
    "summary/theory_cosine": "Cosine between two inputs at the fixed point, from -1 to 1.",
    "summary/theory_xi_q": "Layers in which a deviation from the fixed point of q falls e-fold.",
    "summary/theory_xi_c": "Layers in which a deviation from the fixed cosine falls e-fold.",
    "summary/theory_std": "Std of the activations of the typical net at the last layer.",
    "summary/theory_spread": "Predicted std over seeds of the log of that std.",
    "summary/theory_z": "Distance of the measured log std at the last layer from the typical "
    "net's, in standard deviations over seeds; with replicas, in standard errors of their median.",
}
"""name -> meaning, of the numbers that theory adds to a run."""

NUMBERS = {**summaries.SUMMARIES, **SUMMARIES}
"""name -> meaning, of every number of a run that is not a curve."""

METRICS = {
    *NUMBERS,
    *(f"{curve}{ending}" for curve in CURVES for ending in ("", *BAND)),
    *(f"{curve}_theory" for curve in PREDICTED),
    *(f"{curve}_theory{ending}" for curve in BANDED for ending in BAND),
}
"""The names of all metrics that a run may have."""

_MEDIAN_ERROR = math.sqrt(math.pi / 2)
"""The standard error of a normal sample's median, over that of its mean."""


def add_predictions(
    profile: Profile,
    prediction: Prediction,
    replicas: int,
    extra_metrics: Mapping[str, float] | None = None,
) -> Profile:
    """The profile with the predicted curves, `_theory`, their bands, and the SUMMARIES.

    The predicted gradient is scaled to the measured one of the last layer. extra_metrics: other
    numbers of theory.
    """
    curves = dict(profile.curves)
    for name, values in prediction.curves.items():
        unit = profile.curves[name][-1:] if name == GRADIENT else 1.0
        curves[f"{name}_theory"] = unit * values
        if name in BANDED:
            curves[f"{name}_theory_low"] = unit * prediction.at(name, -PERCENTILE)
            curves[f"{name}_theory_high"] = unit * prediction.at(name, PERCENTILE)
    numbers = {
        "summary/sigma_w2": prediction.sigma_w2,
        "summary/sigma_b2": prediction.sigma_b2,
        **(extra_metrics or {}),
    }
    if prediction.point:
        point = vars(prediction.point)
        numbers |= {f"summary/theory_{name}": value for name, value in point.items()}
    if profile.depth:
        numbers |= _compare_last_layer(profile, prediction, replicas)
    return Profile(
        depth=profile.depth,
        curves={name: np.where(np.isfinite(c), c, math.nan) for name, c in curves.items()},
        numbers=profile.numbers
        | {name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def _compare_last_layer(
    profile: Profile, prediction: Prediction, replicas: int
) -> dict[str, float]:
    spread = float(prediction.spreads[STD][-1])
    measured, typical = profile.curves[STD][-1], prediction.at(STD)[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = float(np.log(measured) - np.log(typical))
    error = spread if replicas == 1 else spread * _MEDIAN_ERROR / math.sqrt(replicas)
    return {
        "summary/theory_std": float(typical),
        "summary/theory_spread": spread,
        "summary/theory_z": log_ratio / error,
    }
