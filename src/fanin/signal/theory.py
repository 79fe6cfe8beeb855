"""Mean-field theory of a network, and the spread that finite width brings.

**Infinite width** (Poole et al. 2016, eqs. 3 and 5; Schoenholz et al. 2017, eqs. 3 to 7).
Pre-activations are Gaussian over the units, so a layer is described by q, their second moment,
and c, the correlation between two inputs:

    q = sigma_w^2 E[phi(x)^2] + sigma_b^2    x ~ N(0, q of the layer before)
    c q = sigma_w^2 E[phi(x) phi(y)] + sigma_b^2
    |delta|^2 grows by chi = sigma_w^2 E[phi'(x)^2] a layer on its way back

with sigma_w^2 = fan_in Var(w). The first layer has the second moment and the mean cosine of the
actual inputs in place of the expectations. Theory takes all inputs to be of one length.

**Finite width n.** An average over n units is off by a relative variance of kappa / n, and what
it is off by travels on through q. Each squared quantity is followed as log-normal: a variance
over seeds, and a shift of the median against infinite width, to first order in 1 / n. What
counts for a batch is the average of kappa over all pairs of inputs, so the cosines are
followed too: their mean, and their variance from pair to pair. For a single input and no
activation or ReLU a step is exact: the log of a chi-squared variable of n degrees of freedom,
or of as many as units are on, which is binomial (Hanin and Nica 2018). The rest is an
approximation: 1 / n small, cosines that waver as those of Gaussian vectors, and no correlation
between what a layer adds on the way forward and on the way back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma
from torch import Tensor

from fanin.nn.activations import Activation, Identity, ReLU
from fanin.nn.init import Init
from fanin.signal import statistics
from fanin.signal.fixed_point import FixedPoint, fixed_point
from fanin.signal.gaussian import (
    Moments,
    PairMoments,
    Response,
    moments,
    pair_moments,
    saturated_share,
)
from fanin.signal.once import once

Array = np.ndarray

STD, GRADIENT = "activation/std", "gradient/preactivation_norm"
BANDED = ("preactivation/std", STD, GRADIENT)
"""The curves for which theory has a band."""

PREDICTED = (
    *BANDED,
    "activation/mean",
    "activation/saturated_fraction",
    "activation/correlation",
)
"""Those that it has."""

PERCENTILE = 0.99446
"""The 84th percentile of a normal variable, in standard deviations; the 16th is its negative."""

_PAIRED = 1000  # inputs of which all pairs are looked at
_ROUNDING = 2e-5  # of float32 passes: the spread of a net that keeps every length
_WIDEST = 30.0  # in logs of a std: what is further off is beyond a first order
_SMALLEST, _LARGEST = 1e-150, 1e150  # of a q whose square float64 holds


@dataclass(frozen=True)
class Inputs:
    """What theory needs to know of a batch of inputs, (count, features).

    second_moment: of the entries. cosine, scatter: mean and variance of the cosines of pairs of
    different inputs; 0 for a single one. share: that of each input's pair with itself in the sum
    of |x|^2 |y|^2 over all pairs; 1 / count where all inputs are of one length.
    """

    count: int
    features: int
    second_moment: float
    cosine: float
    scatter: float
    share: float


@dataclass(frozen=True)
class Prediction:
    """What theory says of a network, layer by layer; every array is (depth,).

    curves: name -> value at infinite width, under the names of the measured curves; the gradient
    as a multiple of the last layer's. shifts, spreads: for the BANDED curves, how far the log
    of the median over seeds is from the log of that, and the standard deviation over seeds.
    nan for layers whose q is beyond float64. slopes, slope_fourths: E[phi'^2] and E[phi'^4].
    weight_variances: Var(w).

    step: the largest relative variance that a layer adds to one input's second moment, of which
    theory is the first order.

    sigma_w2, sigma_b2: fan_in Var(w) and Var(b) of the layers after the first, and where they
    lead to; no point where there is no layer that float64 holds.
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
        """The curve of the net that is so many spreads above the median one."""
        with np.errstate(over="ignore"):
            factor = np.exp(self.shifts[curve] + spreads * self.spreads[curve])
        value: Array = self.curves[curve] * factor
        return value


def describe(x: Tensor) -> Inputs:
    """Inputs (batch, features) as theory sees them."""
    count, features = x.shape
    x = x.detach().cpu().double()
    largest = float(x.abs().max())
    if largest == 0:
        return Inputs(count, features, 0.0, cosine=0.0, scatter=0.0, share=1.0)
    x /= largest
    squares = x.square().sum(-1)
    total = float(squares.sum())
    share = float(squares.square().sum()) / total**2
    few = x[:_PAIRED]
    products = few.mT @ few if features < len(few) else few @ few.mT  # of one sum of squares
    few_squares = squares[:_PAIRED]
    own = float(few_squares.square().sum())
    others = float(few_squares.sum()) ** 2 - own
    of_pairs = (float(products.square().sum()) - own) / others if others > 0 else 0.0
    cosine = float(statistics.correlation(few[None, None]).nan_to_num())
    return Inputs(
        count,
        features,
        second_moment=total / x.numel() * largest**2,
        cosine=cosine,
        scatter=max(of_pairs - cosine**2, 0.0),
        share=share,
    )


@once
@np.errstate(all="ignore")  # a phi that is flat everywhere has nan where others have a slope
def predict(
    init: Init, activation: Activation, inputs: Inputs, *, depth: int, width: int, outputs: int = 1
) -> Prediction:
    """Theory of hidden layers 1 to depth; worked out once for networks that differ in seed only.

    `init` is the scheme as it is for this activation (`Init.given`).
    """
    layers = _forward(init, activation, inputs, depth, width)
    log_norms, norms = _backward(init, activation, layers, width, outputs)
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
            saturated_share(activation, layer.q, statistics.SATURATED_BELOW) for layer in layers
        ]
    logs = {
        "preactivation/std": [layer.log_z for layer in layers],
        STD: [layer.log_a for layer in layers],
        GRADIENT: norms,
    }
    values = {name: _padded(curve, depth) for name, curve in curves.items()}
    values[GRADIENT] = np.exp(values[GRADIENT])
    given = [inputs.second_moment, *(layer.out.second_moment for layer in layers[:-1])]
    fan_ins = [inputs.features, *[width] * (depth - 1)][:depth]
    variances = [
        init.variance_for(second_moment, fan_in, width)
        for second_moment, fan_in in zip(given, fan_ins, strict=False)
    ]
    # A fitted layer has the variance that goes with the q of 1 that it is fitted to.
    second_moment = moments(activation, 1.0).second.value
    sigma_w2 = width * init.variance_for(second_moment, width, width)
    sigma_b2 = init.bias_variance(width, width)
    return Prediction(
        curves=values,
        shifts={
            name: _padded([log.shift / 2 for log in s], depth).clip(-_WIDEST, _WIDEST)
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
            [layer.one.slope_fourth * layer.one.slope.value**2 for layer in layers], depth
        ),
        step=max((layer.one.second_noise / width for layer in layers), default=0.0),
        sigma_w2=sigma_w2,
        sigma_b2=sigma_b2,
        point=fixed_point(activation, sigma_w2, sigma_b2, layers[0].q) if layers else None,
    )


class _Log(NamedTuple):
    """The log of a square: its variance over seeds, and its median's shift."""

    variance: float = 0.0
    shift: float = 0.0

    def through(self, response: Response) -> "_Log":
        """What becomes of it in a quantity that answers to this one."""
        return _Log(
            response.elasticity**2 * self.variance,
            response.elasticity * self.shift + response.curvature / 2 * self.variance,
        )

    def plus(self, variance: float, shift: float) -> "_Log":
        return _Log(self.variance + variance, self.shift + shift)


class _Over(NamedTuple):
    """A variance over the batch: what the inputs bring, and what finite width adds.

    Both are followed to first order, which nothing over 1 is worth.
    """

    inputs: float
    width: float = 0.0

    @property
    def both(self) -> float:
        return self.inputs + self.width

    def times(self, factor: float) -> "_Over":
        return _Over(min(self.inputs * factor, 1.0), min(self.width * factor, 1.0))

    def plus(self, width: float) -> "_Over":
        return _Over(self.inputs, self.width + width)


@dataclass(frozen=True)
class _Signal:
    """What a layer is given: the activations of the layer before, or the inputs."""

    second_moment: float
    cosine: float
    """Of pairs of inputs, at infinite width."""
    scatter: _Over
    """The variance of the cosines."""
    lengths: _Over
    """The relative variance of the squared lengths."""
    share: float
    log: _Log
    """Of the second moment."""

    def over_pairs(self, itself: float, others: float) -> float:
        """The mean over all pairs of inputs."""
        return self.share * itself + (1 - self.share) * others


@dataclass(frozen=True)
class _Layer:
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
    log_q: _Log
    """As the layer before has made it."""
    log_z: _Log
    log_a: _Log
    """Of the variances."""
    z_lengths: float
    """The variance of log q over the inputs that finite width has made."""
    noise: float
    noise_of_one: float
    """The variance that the mean of phi^2 over these units adds: for the batch, for an input."""
    out: _Signal


def _padded(values: Sequence[float], depth: int) -> Array:
    return np.array([*values, *[math.nan] * (depth - len(values))])


def _forward(
    init: Init, activation: Activation, inputs: Inputs, depth: int, width: int
) -> list[_Layer]:
    """The layers, as far as float64 holds their q."""
    signal = _Signal(
        inputs.second_moment,
        inputs.cosine,
        _Over(inputs.scatter),
        _Over(inputs.share * inputs.count - 1),
        inputs.share,
        _Log(),
    )
    layers: list[_Layer] = []
    for number in range(depth):
        fan_in = width if number else inputs.features
        weights = fan_in * init.variance_for(signal.second_moment, fan_in, width)
        weights *= signal.second_moment
        q = weights + init.bias_variance(fan_in, width)
        if not _SMALLEST < q < _LARGEST:
            break
        part = weights / q
        spared = part**2 * (1 - init.length_noise(fan_in, width))
        rows = inputs.count * width
        layers.append(_layer(activation, signal, q, part, spared, width, rows, init.left_by_fit()))
        signal = layers[-1].out
    return layers


def _layer(
    activation: Activation,
    given: _Signal,
    q: float,
    part: float,
    spared: float,
    width: int,
    entries: int,
    left: float | None,
) -> _Layer:
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
        log_q, z_noise = _Log((2 * left) ** 2 / 3), 0.0

    def answered(of: Response) -> _Log:
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
    step = _exact(activation, width)
    added = noise(one.second, one.second_noise, pair.second_noise)
    of_one = (one.second_noise - spared * 2 * one.second.elasticity**2) / width

    passed = q * pair.slope / one.second.value  # d (cosine of a) / d (cosine of z)
    quadratic = 2 * one.mean_slope**2  # the second Hermite coefficient of phi, squared
    next_cosine = pair.covariance + one.mean**2 + quadratic * scatter.inputs
    next_cosine /= one.second.value
    scatter = scatter.times(passed**2)
    made = _wavering(next_cosine**2 + scatter.both) * (1 - spared * passed**2) / width
    return _Layer(
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
        out=_Signal(
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


def _backward(
    init: Init, activation: Activation, layers: Sequence[_Layer], width: int, outputs: int
) -> tuple[list[float], list[_Log]]:
    """The logs of the norms of dL/dz over the last layer's, and how those of their squares are off.

    A layer's depends on the chi, and so on the q, of all layers from it up to the last but one.
    """
    if not layers:
        return [], []
    step, fitted = _exact(activation, width), init.left_by_fit() is not None
    spared = 1 - init.length_noise(width, width)  # biases take no part in w @ delta
    log_square = shift = added = of_one = pull = 0.0
    along = passed = 1.0
    norms, logs = [0.0], [_Log()]
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
        logs.append(_Log(variance, shift + _pooled(apart, 1 / share)))
    return norms[::-1], logs[::-1]


def _pooled(variance: float, count: float) -> float:
    """The log of a mean of so many log-normal values of this log-variance, over their median.

    Half the variance, until the few largest decide (the random energy model: Derrida 1981).
    """
    most = 2 * math.log(count)
    if variance < most:
        return variance / 2
    return math.sqrt(most * variance) - most / 2


def _alike_back(layer: _Layer, alike: float, spared: float, width: int) -> float:
    """Mean squared cosine between the dL/dz of different inputs, below `layer`'s phi'."""
    passed = (layer.pair.slope / layer.one.slope.value) ** 2
    alike *= passed
    return alike + _wavering(alike) * (1 - spared * passed) / width


def _exact(activation: Activation, width: int) -> _Log:
    """Variance and shift of a log for each unit of noise, kappa / width, that a layer adds."""
    degrees = np.arange(1, width + 1)
    if type(activation) is Identity:
        kappa, degrees, chance = 2, degrees[-1:], np.ones(1)
    elif type(activation) is ReLU:  # as many units as are on, given that one is
        log_choices = gammaln(width + 1) - gammaln(degrees + 1) - gammaln(width - degrees + 1)
        kappa, chance = 5, np.exp(log_choices - width * math.log(2))
        chance /= chance.sum()
    else:
        return _Log(1.0, -0.5)
    log = digamma(degrees / 2) + math.log(2 / (width if kappa == 2 else width / 2))
    mean = float(chance @ log)
    variance = float(chance @ (log**2 + polygamma(1, degrees / 2))) - mean**2
    return _Log(variance * width / kappa, mean * width / kappa)
