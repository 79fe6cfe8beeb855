"""The critical init: the weight variance at which gradients neither grow nor fall.

For an activation and a bias variance, sigma_w^2 is such that chi = sigma_w^2 E[phi'(x)^2] is 1 at
the fixed point q of the pre-activations (Poole et al. 2016; Schoenholz et al. 2017: the border
between order and chaos). With sigma_w^2 = 1 / E[phi'^2], the fixed point is a root of

    E[phi^2] / E[phi'^2] + sigma_b^2 - q,    x ~ N(0, q)

and it has to attract: deep nets do not stay at one that repels.
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

_SEARCHED = np.log(np.geomspace(1e-8, 1e8, 81))
_ATTRACTS = 1 + 1e-6  # largest d q' / d q


@dataclass(frozen=True, kw_only=True)
class Critical(Init):
    """Normal weights of the variance sigma_w^2 / fan_in that puts chi at 1 for the activation.

    It is known only once the activation is: `given` is the scheme that draws.
    """

    def given(self, activation: Activation) -> Init:
        """Raises ValueError where no sigma_w^2 does it."""
        weights = critical_variance(activation, self.bias_std**2)
        if weights is None:
            instead = "init.bias_std=0" if is_homogeneous(activation) else "another activation"
            raise ValueError(
                f"init.bias_std={self.bias_std:g}: there is no fixed point of q with chi = 1 that "
                f"a deep net stays at; use {instead}, or init=kaiming"
            )
        return VarianceScaling(scale=weights, bias_std=self.bias_std)

    def variance(self, fan_in: int, fan_out: int) -> float:
        raise NotImplementedError("known once the activation is given")

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        raise NotImplementedError("known once the activation is given")


@np.errstate(all="ignore")  # a phi that is flat where q is small
def critical_variance(activation: Activation, biases: float) -> float | None:
    """sigma_w^2 for a sigma_b^2 of `biases`; None where there is no such point that attracts."""

    def off(log_q: float) -> float:
        of = moments(activation, math.exp(log_q))
        return float(np.log(of.second.value / of.slope.value + biases)) - log_q

    if biases == 0:  # q = 0 may be the point, and for a homogeneous phi any q is
        at_zero = 1 / moments(activation, ZERO).slope.value
        if abs(off(math.log(ZERO))) < 1e-6 and _falls(activation, at_zero):
            return float(at_zero)
    values = [off(log_q) for log_q in _SEARCHED]
    for low, high, before, after in zip(_SEARCHED, _SEARCHED[1:], values, values[1:], strict=False):
        if before * after < 0:  # and neither is nan
            q = math.exp(brentq(off, low, high, xtol=1e-13))
            of = moments(activation, q)
            weights = 1 / of.slope.value
            if weights * of.second.value * of.second.elasticity / q <= _ATTRACTS:
                return float(weights)
    return None


def _falls(activation: Activation, weights: float) -> bool:
    """Whether q = 0 attracts, without biases: no q is larger after a layer."""
    after = [weights * moments(activation, q).second.value / q for q in np.geomspace(1e-6, 1e2, 9)]
    return bool(max(after) <= _ATTRACTS)
