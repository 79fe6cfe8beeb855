"""Mean-field theory of a network, and its variation over seeds at finite width.

**Infinite width** (Poole et al. 2016, eqs. 3 and 5; Schoenholz et al. 2017, eqs. 3 to 7).
Pre-activations are Gaussian over the units, so a layer is described by q, their second moment,
and c, the correlation between two inputs:

    q = sigma_w^2 E[phi(x)^2] + sigma_b^2    x ~ N(0, q of the layer before)
    c q = sigma_w^2 E[phi(x) phi(y)] + sigma_b^2
    |delta|^2 grows by chi = sigma_w^2 E[phi'(x)^2] a layer on its way back

with sigma_w^2 = fan_in Var(w). In the first layer the second moment and the mean cosine of the
actual inputs replace the expectations. Inputs of different lengths and pairs with different
cosines enter by their means and variances, to second order.

At finite width, seeds vary and the typical seed shifts: finite_width.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fanin.measure.reductions import SATURATED_BELOW
from fanin.measure.statistics import GRADIENT, STD
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.theory.finite_width import backward, forward
from fanin.theory.fixed_point import FixedPoint, fixed_point
from fanin.theory.gaussian import moments, saturated_share
from fanin.theory.input_stats import Inputs
from fanin.theory.memoize import memoize

Array = np.ndarray

BANDED = ("preactivation/std", STD, GRADIENT)
"""The curves whose band theory predicts."""

PREDICTED = (
    *BANDED,
    "activation/mean",
    "activation/saturated_fraction",
    "activation/correlation",
)
"""The curves that theory predicts."""

PERCENTILE = 0.99446
"""The 84th percentile of a normal variable, in standard deviations; the 16th is its negative."""

_ROUNDING = 2e-5  # of float32 passes, if a net keeps every length
_MAX_SHIFT = 30.0  # of the log of a std: a larger one is beyond first order


@dataclass(frozen=True)
class Prediction:
    """The theory of a network, layer by layer; every array is (depth,).

    curves: name -> value at infinite width, under the names of the measured curves; the gradient
    is relative to the last layer's. shifts, spreads: for the BANDED curves, how far the log of the
    median over seeds is from the log of that value, and the std of the log over seeds. nan for
    layers whose q is beyond float64. slopes, slope_fourths: E[phi'^2] and E[phi'^4].
    weight_variances: Var(w).

    step: the largest relative variance that a layer adds to the second moment of one input; theory
    is of first order in it.

    sigma_w2, sigma_b2: fan_in Var(w) and Var(b) of the layers after the first. point: the fixed
    point that they lead to; None if float64 holds no layer.
    """

    curves: dict[str, Array]
    shifts: dict[str, Array]
    spreads: dict[str, Array]
    slopes: Array
    slope_fourths: Array
    weight_variances: Array
    step: float
    sigma_w2: float
    sigma_b2: float
    point: FixedPoint | None

    def at(self, curve: str, spreads: float = 0.0) -> Array:
        """The curve of a net `spreads` standard deviations over seeds above the median net."""
        with np.errstate(over="ignore"):
            factor = np.exp(self.shifts[curve] + spreads * self.spreads[curve])
        value: Array = self.curves[curve] * factor
        return value


@memoize
@np.errstate(all="ignore")  # a phi that is flat everywhere gives nan for its slope
def predict(
    init: Init, activation: Activation, inputs: Inputs, *, depth: int, width: int, outputs: int = 1
) -> Prediction:
    """The theory of hidden layers 1 to depth, computed once for networks that differ only in seed.

    init: resolved for this activation, see `Init.resolve`.
    """
    layers = forward(init, activation, inputs, depth, width)
    log_norms, norms = backward(init, activation, layers, width, outputs)
    curves = {
        "preactivation/std": [math.sqrt(layer.q) for layer in layers],
        "activation/mean": [layer.mean for layer in layers],
        STD: [math.sqrt(layer.variance) for layer in layers],
        "activation/correlation": [layer.out.cosine for layer in layers],
        GRADIENT: log_norms,
    }
    if inputs.count == 1:
        del curves["activation/correlation"]
    if activation.bounded:
        curves["activation/saturated_fraction"] = [
            saturated_share(activation, layer.q, SATURATED_BELOW) for layer in layers
        ]
    logs = {
        "preactivation/std": [layer.log_z for layer in layers],
        STD: [layer.log_a for layer in layers],
        GRADIENT: norms,
    }
    values = {name: _padded(curve, depth) for name, curve in curves.items()}
    values[GRADIENT] = np.exp(values[GRADIENT])
    second_moments = [inputs.second_moment, *(layer.out.second_moment for layer in layers[:-1])]
    fan_ins = [inputs.features, *[width] * (depth - 1)][:depth]
    variances = [
        init.variance_for(second_moment, fan_in, width)
        for second_moment, fan_in in zip(second_moments, fan_ins, strict=False)
    ]
    # A fitted layer has q = 1, and so the variance for the second moment that follows from it.
    second_moment = moments(activation, 1.0).second.value
    sigma_w2 = width * init.variance_for(second_moment, width, width)
    sigma_b2 = init.bias_variance(width, width)
    return Prediction(
        curves=values,
        shifts={
            name: _padded([log.shift / 2 for log in s], depth).clip(-_MAX_SHIFT, _MAX_SHIFT)
            for name, s in logs.items()
        },
        spreads={
            name: _padded(
                [math.hypot(math.sqrt(max(log.variance, 0)) / 2, _ROUNDING) for log in s], depth
            )
            for name, s in logs.items()
        },
        slopes=_padded([layer.slope for layer in layers], depth),
        weight_variances=_padded(variances, depth),
        slope_fourths=_padded(
            [layer.single.slope_fourth * layer.single.slope.value**2 for layer in layers], depth
        ),
        step=max((layer.single.second_noise / width for layer in layers), default=0.0),
        sigma_w2=sigma_w2,
        sigma_b2=sigma_b2,
        point=fixed_point(activation, sigma_w2, sigma_b2, layers[0].q) if layers else None,
    )


def _padded(values: Sequence[float], depth: int) -> Array:
    return np.array([*values, *[math.nan] * (depth - len(values))])
