"""The limit of a deep network: the fixed points of q and of the correlation between inputs.

Poole et al. 2016; Schoenholz et al. 2017. q approaches its fixed point as exp(-l / xi_q), and the
correlation of two inputs as exp(-l / xi_c). At the fixed point squared gradients grow by
chi = sigma_w^2 E[phi'^2] a layer. Below 1 the net is ordered (inputs become alike, gradients
vanish), above 1 chaotic (gradients explode), and at 1 critical.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from fanin.nn.activations import Activation
from fanin.theory.gaussian import moments, pair_moments

MIN_Q, MAX_Q = 1e-12, 1e12
"""A q below goes to 0; a q above grows without bound."""

CRITICAL_TOLERANCE = 0.01
"""How far chi may be from 1 in a critical net: gradients change e-fold in over 100 layers."""

ZERO = 1e-24
"""A q so small that moments are those at 0, whatever the kinks."""
_UNCHANGED = 1e-9  # relative: a q that changes less does not move


@dataclass(frozen=True)
class FixedPoint:
    """q: 0 or inf if there is no other. cosine: between two inputs; nan if q is inf.

    xi_q, xi_c: the depth scales, in layers; inf if the approach is not exponential.
    """

    q: float
    chi: float
    cosine: float
    xi_q: float
    xi_c: float

    @property
    def phase(self) -> str:
        if abs(self.chi - 1) <= CRITICAL_TOLERANCE:
            return "critical"
        return "ordered" if self.chi < 1 else "chaotic"


def fixed_point(activation: Activation, weights: float, biases: float, q: float) -> FixedPoint:
    """The fixed point that a net reaches from q > 0.

    weights: sigma_w^2 = fan_in Var(w). biases: sigma_b^2.
    """
    q = min(max(q, MIN_Q), MAX_Q)

    def growth(log_q: float) -> float:
        """The log of q after the next layer over q before it."""
        q = math.exp(log_q)
        return float(np.log((weights * moments(activation, q).second.value + biases) / q))

    reached = _root(growth, q)
    q = min(max(reached, ZERO), MAX_Q)
    one = moments(activation, q)
    after = weights * one.second.value + biases
    chi = weights * one.slope.value

    def drift(cosine: float) -> float:
        pair = pair_moments(activation, q, cosine, one.mean)
        return (weights * (pair.covariance + one.mean**2) + biases) / after - cosine

    # 1 is a fixed point of the correlation, and the limit unless it repels.
    cosine, slope = 1.0, chi * q / after
    if reached == math.inf:
        cosine = math.nan
    elif slope > 1 + _UNCHANGED:
        cosine = _limit_below_1(drift)
        slope = weights * q / after * pair_moments(activation, q, cosine, one.mean).slope
    return FixedPoint(
        q=reached,
        chi=chi,
        cosine=cosine,
        xi_q=_depth_scale(weights * one.second.value * one.second.elasticity / after),
        xi_c=_depth_scale(slope),
    )


def _limit_below_1(drift: Callable[[float], float]) -> float:
    """The correlation below 1 to which correlations drift; 1 if it is too close to tell."""
    if drift(0) <= _UNCHANGED:
        return 0.0
    below = next((1 - gap for gap in (1e-6, 1e-5, 1e-4, 1e-3) if drift(1 - gap) < -_UNCHANGED), 1.0)
    return float(brentq(drift, 0, below)) if below < 1 else 1.0


def _root(growth: Callable[[float], float], q: float) -> float:
    """Follow q until it neither grows nor shrinks; 0 or inf if there is no such q."""
    here = math.log(q)
    rate = growth(here)
    if abs(rate) < _UNCHANGED:
        return q
    ahead = here
    while math.log(MIN_Q) <= ahead <= math.log(MAX_Q):
        here, ahead = ahead, ahead + math.copysign(math.log(4), rate)
        if growth(ahead) * rate <= 0:
            return math.exp(brentq(growth, here, ahead, xtol=1e-12))
    return 0.0 if rate < 0 else math.inf


def _depth_scale(factor: float) -> float:
    """The layers in which a deviation falls e-fold if each layer multiplies it by `factor`."""
    factor = abs(factor)
    if factor == 0:
        return 0.0
    return -1 / math.log(factor) if factor < 1 - _UNCHANGED else math.inf
