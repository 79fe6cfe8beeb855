"""The layers of theory, one by one: at infinite width, and what finite width n adds.

An average over n units is off by a relative variance of kappa / n, and what it is off by travels
on through q. Each squared quantity is followed as log-normal: a variance over seeds, and a shift of
the median against infinite width, to first order in 1 / n. What counts for a batch is the average
of kappa over all pairs of inputs, so the cosines are followed too: their mean, and their variance
from pair to pair. For a single input and no activation or ReLU a step is exact: the log of a
chi-squared variable of n degrees of freedom, or of as many as units are on, which is binomial
(Hanin and Nica 2018). The rest is an approximation: 1 / n small, cosines that waver as those of
Gaussian vectors, normal weights, and no correlation between what a layer adds for one input on the
way forward and for another on the way back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from fanin.nn.activations import Activation, Identity, ReLU
from fanin.nn.init import Init
from fanin.theory.gaussian import Moments, PairMoments, Response, moments, pair_moments
from fanin.theory.input_stats import Inputs

_SMALLEST, _LARGEST = 1e-150, 1e150  # of a q whose square float64 holds


class Log(NamedTuple):
    """The log of a square: its variance over seeds, and its median's shift."""

    variance: float = 0.0
    shift: float = 0.0

    def through(self, response: Response) -> "Log":
        """What becomes of it in a quantity that answers to this one."""
        return Log(
            response.elasticity**2 * self.variance,
            response.elasticity * self.shift + response.curvature / 2 * self.variance,
        )

    def plus(self, variance: float, shift: float) -> "Log":
        return Log(self.variance + variance, self.shift + shift)


class BatchVariance(NamedTuple):
    """A variance over the batch: what the inputs bring, and what finite width adds.

    Both are followed to first order, which nothing over 1 is worth.
    """

    inputs: float
    width: float = 0.0

    @property
    def both(self) -> float:
        return self.inputs + self.width

    def times(self, factor: float) -> "BatchVariance":
        return BatchVariance(min(self.inputs * factor, 1.0), min(self.width * factor, 1.0))

    def plus(self, width: float) -> "BatchVariance":
        return BatchVariance(self.inputs, self.width + width)


@dataclass(frozen=True)
class Signal:
    """What a layer is given: the activations of the layer before, or the inputs."""

    second_moment: float
    cosine: float
    """Of pairs of inputs, at infinite width."""
    scatter: BatchVariance
    """The variance of the cosines."""
    lengths: BatchVariance
    """The relative variance of the squared lengths."""
    share: float
    log: Log
    """Of the second moment."""

    def over_pairs(self, itself: float, others: float) -> float:
        """The mean over all pairs of inputs."""
        return self.share * itself + (1 - self.share) * others


@dataclass(frozen=True)
class Layer:
    """A layer at infinite width, and what finite width adds."""

    q: float
    one: Moments
    pair: PairMoments
    mean: float
    variance: float
    slope: float
    """Of phi, and of phi' the second moment, over all inputs."""
    part: float
    """The share of q that comes from the weights: d log q / d log (second moment given)."""
    spared: float
    """The share of the noise in lengths and angles that these weights do not make."""
    log_q: Log
    """As the layer before has made it."""
    log_z: Log
    log_a: Log
    """Of the variances."""
    z_lengths: float
    """The variance of log q over the inputs that finite width has made."""
    noise: float
    noise_of_one: float
    """The variance that the mean of phi^2 over these units adds: for the batch, for an input."""
    out: Signal


def forward(
    init: Init, activation: Activation, inputs: Inputs, depth: int, width: int
) -> list[Layer]:
    """The layers, as far as float64 holds their q."""
    signal = Signal(
        inputs.second_moment,
        inputs.cosine,
        BatchVariance(inputs.scatter),
        BatchVariance(inputs.share * inputs.count - 1),
        inputs.share,
        Log(),
    )
    step = _exact(activation, width)
    layers: list[Layer] = []
    for number in range(depth):
        fan_in = width if number else inputs.features
        weights = fan_in * init.variance_for(signal.second_moment, fan_in, width)
        weights *= signal.second_moment
        q = weights + init.bias_variance(fan_in, width)
        if not _SMALLEST < q < _LARGEST:
            break
        part = weights / q
        spared = part**2 * (1 - init.norm_variance_factor(fan_in, width))
        entries = inputs.count * width
        left = init.fit_tolerance()
        layers.append(_layer(activation, signal, q, part, spared, step, width, entries, left))
        signal = layers[-1].out
    return layers


def _layer(
    activation: Activation,
    given: Signal,
    q: float,
    part: float,
    spared: float,
    step: Log,
    width: int,
    entries: int,
    left: float | None,
) -> Layer:
    cosine = part * given.cosine + 1 - part
    scatter, lengths = given.scatter.times(part**2), given.lengths.times(part**2)
    alike = given.over_pairs(1, cosine**2 + scatter.both)
    one = moments(activation, q)
    pair = pair_moments(activation, q, cosine, one.mean)

    # Averages over the inputs, whose q are not all the same.
    mean = one.mean + lengths.inputs / 2 * one.mean_bend
    second = one.second.over(lengths.inputs)
    variance = one.variance.over(lengths.inputs)
    variance += lengths.inputs * one.mean_slope**2

    log_q = given.log.through(Response(q, part, part * (1 - part)))
    z_noise = 2 * (1 - spared) * alike / width
    if left is not None:  # anywhere within the tolerance of a fit
        log_q, z_noise = Log((2 * left) ** 2 / 3), 0.0

    def answered(of: Response) -> Log:
        """What log q, and the lengths that finite width has spread, make of an average."""
        bent = of.bend * (lengths.width / 2 - spared / width)  # on a sphere, no length varies
        return log_q.through(of).plus(0.0, bent)

    def noise(of: Response, of_itself: float, of_pair: float) -> float:
        """Relative variance of an average over the units; orthogonal weights spare a part."""
        quadratic = 2 * of.elasticity**2
        others = of_pair + quadratic * scatter.both
        return (given.over_pairs(of_itself, others) - spared * quadratic * alike) / width

    def about_mean(noise: float, cosine: float) -> tuple[float, float]:
        """(variance, shift) of a std, which leaves out the mean's share and has n - 1 below.

        That share is a chi-squared of one degree.
        """
        share = given.over_pairs(1, cosine) / width
        return noise + 2 * share**2, -noise / 2 - share + 1 / entries

    a_noise = noise(one.variance, one.variance_noise, pair.variance_noise)
    added = noise(one.second, one.second_noise, pair.second_noise)
    of_one = (one.second_noise - spared * 2 * one.second.elasticity**2) / width

    passed = q * pair.slope / one.second.value  # d (cosine of a) / d (cosine of z)
    quadratic = 2 * one.mean_slope**2  # the second Hermite coefficient of phi, squared
    next_cosine = pair.covariance + one.mean**2 + quadratic * scatter.inputs
    next_cosine /= one.second.value
    scatter = scatter.times(passed**2)
    made = _wavering(next_cosine**2 + scatter.both) * (1 - spared * passed**2) / width
    return Layer(
        q=q,
        one=one,
        pair=pair,
        mean=mean,
        variance=variance,
        slope=one.slope.over(lengths.inputs),
        part=part,
        spared=spared,
        log_q=log_q,
        log_z=log_q.plus(*about_mean(z_noise, cosine)),
        log_a=answered(one.variance).plus(
            *about_mean(a_noise, pair.covariance / one.variance.value)
        ),
        z_lengths=lengths.width,
        noise=added * step.variance,
        noise_of_one=of_one * step.variance,
        out=Signal(
            second_moment=second,
            cosine=min(next_cosine, 1.0),
            scatter=scatter.plus(made),
            lengths=lengths.times(one.second.elasticity**2).plus(of_one - added),
            share=given.share,
            log=answered(one.second).plus(added * step.variance, added * step.shift),
        ),
    )


def _wavering(alike: float) -> float:
    """n times the variance that n units add to a cosine, given its mean square.

    Of Gaussian vectors, weighted by their lengths: with no activation the means of |x|^2 |y|^2
    and (x y)^2 follow a linear recursion, and their ratio this one.
    """
    alike = min(alike, 1.0)
    return (1 - alike) * (1 + 2 * alike)


def backward(
    init: Init, activation: Activation, layers: Sequence[Layer], width: int, outputs: int
) -> tuple[list[float], list[Log]]:
    """The logs of the norms of dL/dz over the last layer's, and how those of their squares are off.

    A layer's depends on the chi, and so on the q, of all layers from it up to the last but one.
    """
    if not layers:
        return [], []
    step, fitted = _exact(activation, width), init.fit_tolerance() is not None
    spared = 1 - init.norm_variance_factor(width, width)  # biases take no part in w @ delta
    log_square = shift = added = of_one = pull = 0.0
    along = passed = 1.0
    norms, logs = [0.0], [Log()]
    # Errors of different inputs are numbers, or vectors in any direction; normal, so that the
    # fourth moment of their lengths is the larger.
    share = min(1.0, layers[-1].out.share * (1 + 2 / outputs))
    alike = _alike_back(layers[-1], 1 / outputs, spared, width)
    for layer, after in zip(layers[-2::-1], layers[:0:-1], strict=True):
        one, second = layer.one, layer.out.second_moment
        log_square += np.log(width * init.variance_for(second, width, width) * layer.slope)

        # h = w delta has <h, a> = <delta, z - b> of the layer above: it lies along a by `along`
        # times the share that a random direction has.
        inherited = after.one.second.value * after.one.second.elasticity**2
        inherited /= after.one.slope.value * after.q
        along = 1 + after.part * (2 * after.one.slope.elasticity + inherited * (along - 1))
        along /= passed
        longer = 1 + (1 - spared) * (along - 1) / width
        along /= longer
        passed = 1 + (along - 1) * (one.overlap - 1) / width

        # What the noise of phi^2 here does to the chi above; a fitted w makes up for it at once.
        push = -1.0 if fitted else after.part * pull
        pull = one.slope.elasticity + one.second.elasticity * push
        quadratic = 2 * layer.spared * one.slope.elasticity  # of what orthogonal weights spare
        both = 2 * push * (one.overlap - 1 - quadratic * one.second.elasticity) / width
        itself = 3 * one.slope_fourth - 1 - 2 * spared - quadratic * one.slope.elasticity
        itself /= width
        others = ((1 + 2 * alike) * layer.pair.slope_square - 1 - 2 * spared * alike) / width
        noise = share * itself + (1 - share) * others
        alike = _alike_back(layer, alike, spared, width)

        # A single input's; and of the batch, whose squares are averaged before the log is taken.
        one_q = layer.log_q.plus(layer.z_lengths, -layer.z_lengths / 2)
        shift += itself * step.shift + one_q.through(one.slope).shift
        shift += np.log(longer * passed) - layer.spared * one.slope.bend / width
        shift -= layer.out.log.shift if fitted else 0.0
        of_one += itself * step.variance + layer.noise_of_one * push**2 + both
        added += noise * step.variance + layer.noise * push**2 + share * both
        variance = added + layer.log_q.variance * pull**2
        apart = of_one + one_q.variance * pull**2 - variance
        norms.append(log_square / 2)
        logs.append(Log(variance, shift + _pooled(apart, 1 / share)))
    return norms[::-1], logs[::-1]


def _pooled(variance: float, count: float) -> float:
    """The log of a mean of so many log-normal values of this log-variance, over their median.

    Half the variance, until the few largest decide (the random energy model: Derrida 1981).
    """
    most = 2 * math.log(count)
    if variance < most:
        return variance / 2
    return math.sqrt(most * variance) - most / 2


def _alike_back(layer: Layer, alike: float, spared: float, width: int) -> float:
    """Mean squared cosine between the dL/dz of different inputs, below `layer`'s phi'."""
    passed = (layer.pair.slope / layer.one.slope.value) ** 2
    alike *= passed
    return alike + _wavering(alike) * (1 - spared * passed) / width


def _exact(activation: Activation, width: int) -> Log:
    """Variance and shift of a log for each unit of noise, kappa / width, that a layer adds."""
    degrees = np.arange(1, width + 1)
    if type(activation) is Identity:
        kappa, degrees, chance = 2, degrees[-1:], np.ones(1)
    elif type(activation) is ReLU:  # as many units as are on, given that one is
        log_choices = gammaln(width + 1) - gammaln(degrees + 1) - gammaln(width - degrees + 1)
        kappa, chance = 5, np.exp(log_choices - width * math.log(2))
        chance /= chance.sum()
    else:
        return Log(1.0, -0.5)
    log = digamma(degrees / 2) + math.log(2 / (width if kappa == 2 else width / 2))
    mean = float(chance @ log)
    variance = float(chance @ (log**2 + polygamma(1, degrees / 2))) - mean**2
    return Log(variance * width / kappa, mean * width / kappa)
