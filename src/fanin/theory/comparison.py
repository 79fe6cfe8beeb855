"""Theory beside measurement: the predicted curves of a profile, and how far off it is."""

import math
from collections.abc import Mapping

import numpy as np

from fanin.measure.profile import CURVES, NUMBERS, Profile
from fanin.theory.mean_field import BANDED, GRADIENT, PERCENTILE, PREDICTED, STD, Prediction

_MEDIAN = math.sqrt(math.pi / 2)
"""Standard error of a normal sample's median, over that of its mean."""


METRICS = {
    *NUMBERS,
    *(f"{curve}{end}" for curve in CURVES for end in ("", "_low", "_high")),
    *(f"{curve}_theory" for curve in PREDICTED),
    *(f"{curve}_theory_{end}" for curve in BANDED for end in ("low", "high")),
}
"""The names of all that a run may have."""


def add_predictions(
    profile: Profile, prediction: Prediction, replicas: int, also: Mapping[str, float] | None = None
) -> Profile:
    """The profile with `_theory` beside each curve that has one, and its band `_low`, `_high`.

    Gradients are scaled to the last layer's measured one. `summary/theory_std` is the std of the
    activations that the typical net has at the last layer, and `summary/theory_z` how many spreads
    the measured one is above it; with replicas, in those of their median. also: other numbers of
    theory.
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
        **(also or {}),
    }
    if prediction.point:
        point = vars(prediction.point)
        numbers |= {f"summary/theory_{name}": value for name, value in point.items()}
    if profile.depth:
        numbers |= _last_layer(profile, prediction, replicas)
    return Profile(
        depth=profile.depth,
        curves={name: np.where(np.isfinite(c), c, math.nan) for name, c in curves.items()},
        numbers=profile.numbers
        | {name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def _last_layer(profile: Profile, prediction: Prediction, replicas: int) -> dict[str, float]:
    spread = float(prediction.spreads[STD][-1])
    measured, typical = profile.curves[STD][-1], prediction.at(STD)[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = float(np.log(measured) - np.log(typical))
    error = spread if replicas == 1 else spread * _MEDIAN / math.sqrt(replicas)
    return {
        "summary/theory_std": float(typical),
        "summary/theory_spread": spread,
        "summary/theory_z": off / error,
    }
