"""The critical init: the weight variance at which gradients neither grow nor shrink.

For an activation and a bias variance, sigma_w^2 makes chi = sigma_w^2 E[phi'(x)^2] equal to 1 at
the fixed point q of the pre-activations, on the border between order and chaos (Poole et al. 2016;
Schoenholz et al. 2017). With sigma_w^2 = 1 / E[phi'^2], the fixed point is a root of

    E[phi^2] / E[phi'^2] + sigma_b^2 - q,    x ~ N(0, q)

It must be stable: a deep net does not stay at a fixed point that repels.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from torch import Generator, Tensor

from fanin.nn.activations import Activation
from fanin.nn.init import Init, VarianceScaling
from fanin.theory.fixed_point import ZERO
from fanin.theory.gaussian import is_homogeneous, moments

_LOG_QS = np.log(np.geomspace(1e-8, 1e8, 81))
_MAX_STABLE_SLOPE = 1 + 1e-6  # of q after a layer against q before it


@dataclass(frozen=True, kw_only=True)
class Critical(Init):
    """Normal weights with the variance sigma_w^2 / fan_in that puts chi at 1 for the activation.

    The variance depends on the activation: the scheme that draws is the one `resolve` returns.
    """

    def resolve(self, activation: Activation) -> Init:
        """The scheme with chi = 1 for the activation. Raises ValueError if there is none."""
        weights = critical_variance(activation, self.bias_std**2)
        if weights is None:
            biases = f"with init.bias_std={self.bias_std:g}" if self.bias_std else "without biases"
            instead = "init.bias_std=0" if is_homogeneous(activation) else "another activation"
            raise ValueError(
                f"{type(activation).__name__} has no stable critical point {biases}; "
                f"use {instead}, or init=kaiming"
            )
        return VarianceScaling(scale=weights, bias_std=self.bias_std)

    def variance(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError("call resolve(activation) first")

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        raise NotImplementedError("call resolve(activation) first")


@np.errstate(all="ignore")  # phi may be flat for small q
def critical_variance(activation: Activation, biases: float) -> float | None:
    """sigma_w^2 at chi = 1, for sigma_b^2 = biases; None if there is no stable fixed point."""

    def log_excess(log_q: float) -> float:
        """The log of the next layer's q over q; 0 at the fixed point."""
        at_q = moments(activation, math.exp(log_q))
        return float(np.log(at_q.second.value / at_q.slope.value + biases)) - log_q

    if biases == 0:  # q = 0 may be the fixed point; for a homogeneous phi every q is one
        at_zero = 1 / moments(activation, ZERO).slope.value
        if abs(log_excess(math.log(ZERO))) < 1e-6 and _attracts_to_zero(activation, at_zero):
            return float(at_zero)
    values = [log_excess(log_q) for log_q in _LOG_QS]
    for low, high, before, after in zip(_LOG_QS, _LOG_QS[1:], values, values[1:], strict=False):
        if before * after < 0:  # and neither is nan
            q = math.exp(brentq(log_excess, low, high, xtol=1e-13))
            at_q = moments(activation, q)
            weights = 1 / at_q.slope.value
            if weights * at_q.second.value * at_q.second.elasticity / q <= _MAX_STABLE_SLOPE:
                return float(weights)
    return None


def _attracts_to_zero(activation: Activation, weights: float) -> bool:
    """Whether q = 0 is stable without biases: no q grows in a layer."""
    ratios = [weights * moments(activation, q).second.value / q for q in np.geomspace(1e-6, 1e2, 9)]
    return bool(max(ratios) <= _MAX_STABLE_SLOPE)
