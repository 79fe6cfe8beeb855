"""Theory layer by layer: at infinite width, and the corrections at finite width n.

An average over n units has a relative variance of kappa / n over seeds, and its error propagates
through q. Each squared quantity is treated as log-normal: a variance over seeds, and a shift of
the median against infinite width, to first order in 1 / n. For a batch, the average of kappa over
all pairs of inputs counts, so the cosines are computed too: their mean, and their variance from
pair to pair. For a single input through linear or ReLU layers a step is exact: the log of a
chi-squared variable, with n degrees of freedom, or one per active ReLU unit, a binomial number
(Hanin and Nica 2018). The rest is an approximation: small 1 / n, cosines that vary as those of
Gaussian vectors do, normal weights, and no correlation between what a layer adds for one input on
the way forward and for another on the way back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.theory.gaussian import Moments, PairMoments, Response, moments, pair_moments
from fanin.theory.input_stats import Inputs
from fanin.theory.log_normal import LogStats, log_mean_over_median, log_per_noise

_MIN_Q, _MAX_Q = 1e-150, 1e150  # beyond, float64 does not hold q^2


class BatchVariance(NamedTuple):
    """A variance over the batch, in two parts: from the inputs, and from finite width.

    Both are computed to first order, which is meaningless above 1.
    """

    inputs: float
    width: float = 0.0

    @property
    def total(self) -> float:
        return self.inputs + self.width

    def scaled_by(self, factor: float) -> "BatchVariance":
        return BatchVariance(min(self.inputs * factor, 1.0), min(self.width * factor, 1.0))

    def sum_with(self, width: float) -> "BatchVariance":
        return BatchVariance(self.inputs, self.width + width)


@dataclass(frozen=True)
class Signal:
    """The input of a layer: the activations of the layer before, or the inputs.

    cosine: between inputs, at infinite width. cosine_variance: of the cosines. length_variance:
    the relative variance of the squared lengths. self_share: the weight of pairs of an input with
    itself, see Inputs. log: of the second moment.
    """

    second_moment: float
    cosine: float
    cosine_variance: BatchVariance
    length_variance: BatchVariance
    self_share: float
    log: LogStats

    def mean_over_pairs(self, itself: float, others: float) -> float:
        """The mean of a quantity over all pairs of inputs, an input with itself included."""
        return self.self_share * itself + (1 - self.self_share) * others


@dataclass(frozen=True)
class Layer:
    """A layer at infinite width, and what finite width adds.

    mean, variance: of phi over all inputs. slope: the second moment of phi'. weight_share: the
    share of q that comes from the weights, d log q / d log (second moment of the layer's input).
    orthogonal_share: the share of the noise in lengths and angles that orthogonal weights avoid.

    log_q: of q. log_z, log_a: of the variances of z and a. log_q_over_inputs:
    the variance of log q over inputs that finite width adds. noise, noise_of_input: the variance
    that the mean of phi^2 over the units adds, for the batch and for a single input.
    """

    q: float
    single: Moments
    pair: PairMoments
    mean: float
    variance: float
    slope: float
    weight_share: float
    orthogonal_share: float
    log_q: LogStats
    log_z: LogStats
    log_a: LogStats
    log_q_over_inputs: float
    noise: float
    noise_of_input: float
    out: Signal


def forward(
    init: Init, activation: Activation, inputs: Inputs, depth: int, width: int
) -> list[Layer]:
    """The layers from the first, as far as float64 holds their q."""
    signal = Signal(
        inputs.second_moment,
        inputs.cosine,
        BatchVariance(inputs.cosine_variance),
        BatchVariance(inputs.self_share * inputs.count - 1),
        inputs.self_share,
        LogStats(),
    )
    step = log_per_noise(activation, width)
    layers: list[Layer] = []
    for number in range(depth):
        fan_in = width if number else inputs.features
        weights = fan_in * init.variance_for(signal.second_moment, fan_in, width)
        weights *= signal.second_moment
        q = weights + init.bias_variance(fan_in, width)
        if not _MIN_Q < q < _MAX_Q:
            break
        weight_share = weights / q
        orthogonal_share = weight_share**2 * (1 - init.norm_variance_factor(fan_in, width))
        entries = inputs.count * width
        fit = init.fit_tolerance()
        layers.append(
            _layer(activation, signal, q, weight_share, orthogonal_share, step, width, entries, fit)
        )
        signal = layers[-1].out
    return layers


def _layer(
    activation: Activation,
    signal: Signal,
    q: float,
    weight_share: float,
    orthogonal_share: float,
    step: LogStats,
    width: int,
    entries: int,
    fit_tolerance: float | None,
) -> Layer:
    cosine = weight_share * signal.cosine + 1 - weight_share
    cosine_variance = signal.cosine_variance.scaled_by(weight_share**2)
    length_variance = signal.length_variance.scaled_by(weight_share**2)
    square_cosine = signal.mean_over_pairs(1, cosine**2 + cosine_variance.total)
    single = moments(activation, q)
    pair = pair_moments(activation, q, cosine, single.mean)

    # Averages over the inputs, whose q differ.
    mean = single.mean + length_variance.inputs / 2 * single.mean_convexity
    second = single.second.mean_over_q(length_variance.inputs)
    variance = single.variance.mean_over_q(length_variance.inputs)
    variance += length_variance.inputs * single.mean_slope**2

    log_q = signal.log.propagate(Response(q, weight_share, weight_share * (1 - weight_share)))
    z_noise = 2 * (1 - orthogonal_share) * square_cosine / width
    if fit_tolerance is not None:  # uniform within the tolerance
        log_q, z_noise = LogStats((2 * fit_tolerance) ** 2 / 3), 0.0

    def log_of_average(response: Response) -> LogStats:
        """The log of an average over the inputs, whose q varies over seeds and inputs."""
        # Orthogonal weights keep the inputs on a sphere, so no length varies.
        shift = response.convexity * (length_variance.width / 2 - orthogonal_share / width)
        return log_q.propagate(response).sum_with(0.0, shift)

    def noise(response: Response, of_itself: float, of_pair: float) -> float:
        """Relative variance of an average over the units; orthogonal weights avoid a part."""
        quadratic = 2 * response.elasticity**2
        others = of_pair + quadratic * cosine_variance.total
        avoided = orthogonal_share * quadratic * square_cosine
        return (signal.mean_over_pairs(of_itself, others) - avoided) / width

    def squared_std_noise(noise: float, cosine: float) -> tuple[float, float]:
        """(variance, shift) that a layer adds to the log of a squared std.

        A std lacks the share of the mean, a chi-squared of one degree, and divides by n - 1.
        """
        mean_share = signal.mean_over_pairs(1, cosine) / width
        return noise + 2 * mean_share**2, -noise / 2 - mean_share + 1 / entries

    a_noise = noise(single.variance, single.variance_noise, pair.variance_noise)
    added = noise(single.second, single.second_noise, pair.second_noise)
    of_input = (single.second_noise - orthogonal_share * 2 * single.second.elasticity**2) / width

    cosine_slope = q * pair.slope / single.second.value  # d (cosine of a) / d (cosine of z)
    quadratic = 2 * single.mean_slope**2  # the second Hermite coefficient of phi, squared
    next_cosine = pair.covariance + single.mean**2 + quadratic * cosine_variance.inputs
    next_cosine /= single.second.value
    cosine_variance = cosine_variance.scaled_by(cosine_slope**2)
    added_cosine_variance = _cosine_noise(next_cosine**2 + cosine_variance.total)
    added_cosine_variance *= 1 - orthogonal_share * cosine_slope**2
    added_cosine_variance /= width
    return Layer(
        q=q,
        single=single,
        pair=pair,
        mean=mean,
        variance=variance,
        slope=single.slope.mean_over_q(length_variance.inputs),
        weight_share=weight_share,
        orthogonal_share=orthogonal_share,
        log_q=log_q,
        log_z=log_q.sum_with(*squared_std_noise(z_noise, cosine)),
        log_a=log_of_average(single.variance).sum_with(
            *squared_std_noise(a_noise, pair.covariance / single.variance.value)
        ),
        log_q_over_inputs=length_variance.width,
        noise=added * step.variance,
        noise_of_input=of_input * step.variance,
        out=Signal(
            second_moment=second,
            cosine=min(next_cosine, 1.0),
            cosine_variance=cosine_variance.sum_with(added_cosine_variance),
            length_variance=length_variance.scaled_by(single.second.elasticity**2).sum_with(
                of_input - added
            ),
            self_share=signal.self_share,
            log=log_of_average(single.second).sum_with(added * step.variance, added * step.shift),
        ),
    )


def _cosine_noise(square_cosine: float) -> float:
    """n times the variance that n units add to a cosine, from its mean square.

    For Gaussian vectors, weighted by their lengths: without an activation the means of |x|^2 |y|^2
    and (x y)^2 follow a linear recursion, and their ratio follows this one.
    """
    square_cosine = min(square_cosine, 1.0)
    return (1 - square_cosine) * (1 + 2 * square_cosine)


def backward(
    init: Init, activation: Activation, layers: Sequence[Layer], width: int, outputs: int
) -> tuple[list[float], list[LogStats]]:
    """The logs of the norms of dL/dz over the last layer's, and the `LogStats` of the squares.

    A layer's norm depends on chi, and so on q, of all layers from it up to the last but one.
    """
    if not layers:
        return [], []
    step, fitted = log_per_noise(activation, width), init.fit_tolerance() is not None
    orthogonal_share = 1 - init.norm_variance_factor(width, width)  # w @ delta has no bias
    log_square = shift = added = of_input = pull = 0.0
    alignment = alignment_gain = 1.0
    norms, logs = [0.0], [LogStats()]
    # The output errors of different inputs are independent normal vectors: the fewer outputs, the
    # larger the fourth moment of their lengths, and so the weight of an input with itself.
    self_share = min(1.0, layers[-1].out.self_share * (1 + 2 / outputs))
    square_cosine = _square_cosine_back(layers[-1], 1 / outputs, orthogonal_share, width)
    for layer, after in zip(layers[-2::-1], layers[:0:-1], strict=True):
        single, second = layer.single, layer.out.second_moment
        log_square += np.log(width * init.variance_for(second, width, width) * layer.slope)

        # h = w delta has <h, a> = <delta, z - b> of the layer above: `alignment` is its share
        # along a over that of a random direction.
        inherited = after.single.second.value * after.single.second.elasticity**2
        inherited /= after.single.slope.value * after.q
        alignment = 1 + after.weight_share * (
            2 * after.single.slope.elasticity + inherited * (alignment - 1)
        )
        alignment /= alignment_gain
        longer = 1 + (1 - orthogonal_share) * (alignment - 1) / width
        alignment /= longer
        alignment_gain = 1 + (alignment - 1) * (single.overlap - 1) / width

        # The effect of the noise of phi^2 here on the chi above; a fitted w cancels it at once.
        push = -1.0 if fitted else after.weight_share * pull
        pull = single.slope.elasticity + single.second.elasticity * push
        quadratic = 2 * layer.orthogonal_share * single.slope.elasticity
        both = 2 * push * (single.overlap - 1 - quadratic * single.second.elasticity) / width
        itself = 3 * single.slope_fourth - 1 - 2 * orthogonal_share
        itself -= quadratic * single.slope.elasticity
        itself /= width
        others = (1 + 2 * square_cosine) * layer.pair.slope_square - 1
        others -= 2 * orthogonal_share * square_cosine
        others /= width
        noise = self_share * itself + (1 - self_share) * others
        square_cosine = _square_cosine_back(layer, square_cosine, orthogonal_share, width)

        # Of a single input, and of the batch, whose squares are averaged before the log is taken.
        input_log_q = layer.log_q.sum_with(layer.log_q_over_inputs, -layer.log_q_over_inputs / 2)
        shift += itself * step.shift + input_log_q.propagate(single.slope).shift
        lost = layer.orthogonal_share * single.slope.convexity / width
        shift += np.log(longer * alignment_gain) - lost
        shift -= layer.out.log.shift if fitted else 0.0
        of_input += itself * step.variance + layer.noise_of_input * push**2 + both
        added += noise * step.variance + layer.noise * push**2 + self_share * both
        variance = added + layer.log_q.variance * pull**2
        apart = of_input + input_log_q.variance * pull**2 - variance
        norms.append(log_square / 2)
        logs.append(LogStats(variance, shift + log_mean_over_median(apart, 1 / self_share)))
    return norms[::-1], logs[::-1]


def _square_cosine_back(
    layer: Layer, square_cosine: float, orthogonal_share: float, width: int
) -> float:
    """Mean squared cosine between the dL/dz of different inputs, below `layer`'s phi'."""
    passed = (layer.pair.slope / layer.single.slope.value) ** 2
    square_cosine *= passed
    return square_cosine + _cosine_noise(square_cosine) * (1 - orthogonal_share * passed) / width
