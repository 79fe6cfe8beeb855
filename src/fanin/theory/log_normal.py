"""Log-normal quantities: how the log of a squared quantity changes from layer to layer.

Exact for a single input through linear and ReLU layers, whose squared lengths are chi-squared
variables: Hanin and Nica 2018.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from fanin.nn.activations import Activation, Identity, ReLU
from fanin.theory.gaussian import Response


class LogStats(NamedTuple):
    """Statistics of the log of a squared quantity over seeds.

    variance: over seeds. shift: of the median, against infinite width.
    """

    variance: float = 0.0
    shift: float = 0.0

    def propagate(self, response: Response) -> "LogStats":
        """The statistics of a quantity that depends on this one as `response` says."""
        return LogStats(
            response.elasticity**2 * self.variance,
            response.elasticity * self.shift + response.curvature / 2 * self.variance,
        )

    def sum_with(self, variance: float, shift: float) -> "LogStats":
        return LogStats(self.variance + variance, self.shift + shift)


def log_mean_over_median(variance: float, count: float) -> float:
    """The log of the mean over the median of `count` log-normal values with this log-variance.

    Half the variance, until the few largest values dominate (the random energy model: Derrida
    1981).
    """
    most = 2 * math.log(count)
    if variance < most:
        return variance / 2
    return math.sqrt(most * variance) - most / 2


def log_per_noise(activation: Activation, width: int) -> LogStats:
    """Variance and shift of a log per unit of noise, kappa / width, that a layer adds."""
    degrees = np.arange(1, width + 1)
    if type(activation) is Identity:
        kappa, degrees, chance = 2, degrees[-1:], np.ones(1)
    elif type(activation) is ReLU:  # one degree per active unit, at least one
        log_choices = gammaln(width + 1) - gammaln(degrees + 1) - gammaln(width - degrees + 1)
        kappa, chance = 5, np.exp(log_choices - width * math.log(2))
        chance /= chance.sum()
    else:
        return LogStats(1.0, -0.5)
    log = digamma(degrees / 2) + math.log(2 / (width if kappa == 2 else width / 2))
    mean = float(chance @ log)
    variance = float(chance @ (log**2 + polygamma(1, degrees / 2))) - mean**2
    return LogStats(variance * width / kappa, mean * width / kappa)
