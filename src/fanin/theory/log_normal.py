"""Log-normal quantities: what the log of a square becomes on its way through layers.

Exact for a single input and no activation or ReLU, whose squared lengths are chi-squared variables:
Hanin and Nica 2018.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from fanin.nn.activations import Activation, Identity, ReLU
from fanin.theory.gaussian import Response


class Log(NamedTuple):
    """The log of a squared quantity: its variance over seeds, and the shift of its median."""

    variance: float = 0.0
    shift: float = 0.0

    def through(self, response: Response) -> "Log":
        """The log of a quantity that responds to this one."""
        return Log(
            response.elasticity**2 * self.variance,
            response.elasticity * self.shift + response.curvature / 2 * self.variance,
        )

    def plus(self, variance: float, shift: float) -> "Log":
        return Log(self.variance + variance, self.shift + shift)


def log_mean_over_median(variance: float, count: float) -> float:
    """The log of the mean over the median of `count` log-normal values with this log-variance.

    Half the variance, until the few largest values dominate (the random energy model: Derrida
    1981).
    """
    most = 2 * math.log(count)
    if variance < most:
        return variance / 2
    return math.sqrt(most * variance) - most / 2


def log_per_noise(activation: Activation, width: int) -> Log:
    """Variance and shift of a log per unit of noise, kappa / width, that a layer adds."""
    degrees = np.arange(1, width + 1)
    if type(activation) is Identity:
        kappa, degrees, chance = 2, degrees[-1:], np.ones(1)
    elif type(activation) is ReLU:  # as many degrees as units are on, at least one
        log_choices = gammaln(width + 1) - gammaln(degrees + 1) - gammaln(width - degrees + 1)
        kappa, chance = 5, np.exp(log_choices - width * math.log(2))
        chance /= chance.sum()
    else:
        return Log(1.0, -0.5)
    log = digamma(degrees / 2) + math.log(2 / (width if kappa == 2 else width / 2))
    mean = float(chance @ log)
    variance = float(chance @ (log**2 + polygamma(1, degrees / 2))) - mean**2
    return Log(variance * width / kappa, mean * width / kappa)
