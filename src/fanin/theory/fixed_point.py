"""Where a deep network ends up: the fixed points of q and of the correlation.

Poole et al. 2016; Schoenholz et al. 2017. q approaches its fixed point as exp(-l / xi_q), the
correlation of two inputs its own as exp(-l / xi_c). chi = sigma_w^2 E[phi'^2] there is what
squared gradients grow by in a layer: below 1 the net is ordered (inputs become alike, gradients
vanish), above it chaotic (gradients explode), and at 1 critical.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from fanin.nn.activations import Activation
from fanin.theory.gaussian import moments, pair_moments

SMALLEST, LARGEST = 1e-12, 1e12
"""A q beyond these goes to 0, or grows without bound."""

CRITICAL = 0.01
"""How far chi may be from 1: the gradient then takes over a hundred layers to change e-fold."""

ZERO = 1e-24
"""A q that no kink tells from 0."""
_SAME = 1e-9  # relative: a q that does not move


@dataclass(frozen=True)
class FixedPoint:
    """q: 0 or inf where there is no other. cosine: between two inputs; nan where q is inf.

    The depth scales are in layers, and inf where the approach is no exponential.
    """

    q: float
    chi: float
    cosine: float
    xi_q: float
    xi_c: float

    @property
    def phase(self) -> str:
        if abs(self.chi - 1) <= CRITICAL:
            return "critical"
        return "ordered" if self.chi < 1 else "chaotic"


def fixed_point(activation: Activation, weights: float, biases: float, q: float) -> FixedPoint:
    """The fixed point that is reached from q, which is over 0.

    weights: sigma_w^2 = fan_in Var(w). biases: sigma_b^2.
    """
    q = min(max(q, SMALLEST), LARGEST)

    def growth(log_q: float) -> float:
        """log of q after the next layer over q."""
        q = math.exp(log_q)
        return float(np.log((weights * moments(activation, q).second.value + biases) / q))

    reached = _root(growth, q)
    q = min(max(reached, ZERO), LARGEST)
    one = moments(activation, q)
    after = weights * one.second.value + biases
    chi = weights * one.slope.value

    def drift(cosine: float) -> float:
        pair = pair_moments(activation, q, cosine, one.mean)
        return (weights * (pair.covariance + one.mean**2) + biases) / after - cosine

    # A correlation of 1 stays; it is where others end unless it repels them.
    cosine, passed = 1.0, chi * q / after
    if reached == math.inf:
        cosine = math.nan
    elif passed > 1 + _SAME:
        cosine = _repelled(drift)
        passed = weights * q / after * pair_moments(activation, q, cosine, one.mean).slope
    return FixedPoint(
        q=reached,
        chi=chi,
        cosine=cosine,
        xi_q=_depth_scale(weights * one.second.value * one.second.elasticity / after),
        xi_c=_depth_scale(passed),
    )


def _repelled(drift: Callable[[float], float]) -> float:
    """The correlation below 1 to which a correlation drifts; 1 where it is too near to tell."""
    if drift(0) <= _SAME:
        return 0.0
    below = next((1 - gap for gap in (1e-6, 1e-5, 1e-4, 1e-3) if drift(1 - gap) < -_SAME), 1.0)
    return float(brentq(drift, 0, below)) if below < 1 else 1.0


def _root(growth: Callable[[float], float], q: float) -> float:
    """Follow q to where it no longer grows or falls."""
    here = math.log(q)
    rate = growth(here)
    if abs(rate) < _SAME:
        return q
    ahead = here
    while math.log(SMALLEST) <= ahead <= math.log(LARGEST):
        here, ahead = ahead, ahead + math.copysign(math.log(4), rate)
        if growth(ahead) * rate <= 0:
            return math.exp(brentq(growth, here, ahead, xtol=1e-12))
    return 0.0 if rate < 0 else math.inf


def _depth_scale(factor: float) -> float:
    """Layers for a deviation that is multiplied by `factor` a layer to fall e-fold."""
    factor = abs(factor)
    if factor == 0:
        return 0.0
    return -1 / math.log(factor) if factor < 1 - _SAME else math.inf
