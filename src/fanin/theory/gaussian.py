"""Integrals over Gaussian pre-activations, of one input and of a pair of inputs.

x ~ N(0, q), and for a pair also y ~ N(0, q) with correlation c. The rule is Gauss-Legendre on
panels that end at the kinks of the activation. The panels widen geometrically, starting from the
smaller of the activation's own scale (1) and sqrt(q). So a kink costs no digits, nor does a tanh
that is a step (q = 1e12) or a straight line (q = 1e-12). Gauss-Hermite nodes, the usual choice,
are accurate only if phi is smooth on the scale of sqrt(q).

The relative error is about 1e-10 for single inputs and 1e-6 for pairs.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from fanin.nn.activations import Activation

Array = np.ndarray
Rule = tuple[Array, Array]
"""Nodes and weights on [-1, 1]."""

_RULE = np.polynomial.legendre.leggauss(16)
_RULE_OF_PAIRS = np.polynomial.legendre.leggauss(10)
_REACH = 9.0  # standard deviations: less than 1e-18 lies beyond
_MAX_PAIR_Q = 1e12  # beyond, any phi is straight or flat on either side, to a part in a million
_GRID = 4001  # points of a plain grid, for an integrand that jumps
_MIN_SHARE = 1e-16  # of |c| and of 1 - |c|, whose roots are the scales of a pair


class Response(NamedTuple):
    """A mean over units, E[f(x)], and its derivatives by q.

    elasticity: d log E / d log q. curvature: d^2 log E / d (log q)^2.
    """

    value: float
    elasticity: float
    curvature: float

    @property
    def convexity(self) -> float:
        """(q^2 / E) d^2 E / dq^2: how a varying q changes the mean."""
        return self.curvature + self.elasticity**2 - self.elasticity

    def mean_over_q(self, variance: float) -> float:
        """The mean if q varies with this relative variance, to first order in it."""
        return float(self.value * np.exp(variance / 2 * self.convexity))


class Moments(NamedTuple):
    """Moments of phi(x) and phi'(x), x ~ N(0, q)."""

    mean: float
    mean_slope: float
    """d mean / d log q."""
    mean_convexity: float
    """q^2 d^2 mean / dq^2."""
    variance: Response
    """E[(phi - mean)^2]."""
    second: Response
    """E[phi^2]."""
    slope: Response
    """E[phi'^2]."""
    variance_noise: float
    """Var[(phi - mean)^2] / variance^2: n times the relative variance of a mean over n units."""
    second_noise: float
    """Var[phi^2] / second^2."""
    slope_fourth: float
    """E[phi'^4] / slope^2."""
    overlap: float
    """E[phi'^2 phi^2] / (slope second)."""


class PairMoments(NamedTuple):
    """Moments of phi(x), phi(y) and their derivatives, x and y ~ N(0, q) with correlation c."""

    covariance: float
    """Cov[phi(x), phi(y)]."""
    slope: float
    """E[phi'(x) phi'(y)]; times q, the derivative of the covariance by c."""
    variance_noise: float
    """Cov[(phi(x) - mean)^2, (phi(y) - mean)^2] / variance^2."""
    second_noise: float
    """Cov[phi(x)^2, phi(y)^2] / second^2."""
    slope_square: float
    """E[phi'(x)^2 phi'(y)^2] / E[phi'^2]^2."""


def is_homogeneous(activation: Activation) -> bool:
    """Whether phi(k x) = k phi(x) for k > 0, so that the scale of x does not matter."""
    x = torch.tensor([-1e3, -1.0, -1e-3, 1e-3, 1.0, 1e3], dtype=torch.float64)
    return torch.equal(activation.forward(2 * x), 2 * activation.forward(x))


def moments(activation: Activation, q: float) -> Moments:
    """Moments of phi and phi' under N(0, q), q > 0."""
    if q != 1 and is_homogeneous(activation):
        unit = moments(activation, 1.0)
        return unit._replace(
            mean=unit.mean * math.sqrt(q),
            mean_slope=unit.mean_slope * math.sqrt(q),
            mean_convexity=unit.mean_convexity * math.sqrt(q),
            variance=unit.variance._replace(value=unit.variance.value * q),
            second=unit.second._replace(value=unit.second.value * q),
        )
    x, weights = _gaussian_nodes(math.sqrt(q), activation.kinks, _RULE)
    phi, slope = _values(activation, x)
    u_squared = x**2 / q
    first, second = u_squared - 1, u_squared**2 - 4 * u_squared + 1  # times density: d / d log s

    def response(f: Array, moving: float = 0.0) -> Response:
        value = np.float64(weights @ f)
        elasticity = np.float64(weights @ (f * first)) / 2 / value
        curvature = (np.float64(weights @ (f * second)) / 4 - moving) / value - elasticity**2
        return Response(value, elasticity, curvature)

    mean = np.float64(weights @ phi)
    centred = phi - mean
    by_log_q = np.float64(weights @ (centred * first)) / 2  # of the mean
    squares, slopes = centred**2, slope**2
    # The mean moves too, which adds -2 (d mean / d log q)^2 to d^2/d(log q)^2 of a variance.
    variance = response(squares, moving=2 * by_log_q**2)
    square = response(phi**2)
    slope_moment = response(slopes)
    return Moments(
        mean=mean,
        mean_slope=by_log_q,
        mean_convexity=np.float64(weights @ (centred * second)) / 4 - by_log_q,
        variance=variance,
        second=square,
        slope=slope_moment,
        variance_noise=np.float64(weights @ squares**2) / variance.value**2 - 1,
        second_noise=np.float64(weights @ (phi**2 - square.value) ** 2) / square.value**2,
        slope_fourth=np.float64(weights @ slopes**2) / slope_moment.value**2,
        overlap=np.float64(weights @ (slopes * phi**2)) / slope_moment.value / square.value,
    )


def pair_moments(activation: Activation, q: float, c: float, mean: float) -> PairMoments:
    """Moments of a pair of pre-activations with correlation c; `mean` is E[phi] under N(0, q).

    Both pre-activations are the sum of a shared g ~ N(0, |c| q) and an independent rest with
    variance (1 - |c|) q. phi is averaged over the rest; the product of these averages is averaged
    over g.
    """
    if q != 1 and is_homogeneous(activation):
        unit = pair_moments(activation, 1.0, c, mean / math.sqrt(q))
        return unit._replace(covariance=unit.covariance * q)
    if q > _MAX_PAIR_Q:
        at_most, at_q = moments(activation, _MAX_PAIR_Q), moments(activation, q)
        pair = pair_moments(activation, _MAX_PAIR_Q, c, at_most.mean)
        return pair._replace(
            covariance=pair.covariance * at_q.variance.value / at_most.variance.value,
            slope=pair.slope * at_q.slope.value / at_most.slope.value,
        )
    shared = math.sqrt(q * max(abs(c), _MIN_SHARE))
    rest = math.sqrt(q * max(1 - abs(c), _MIN_SHARE))
    centres = sorted({0.0, *activation.kinks, *(-k for k in activation.kinks)})
    near = [k + side * d * rest for k in centres for side in (-1, 1) for d in (2, 8)]
    g, weights = _gaussian_nodes(shared, [*centres, *near], _RULE_OF_PAIRS)
    x, inner = _rest_nodes(g, rest, activation.kinks)
    phi, slope = _values(activation, x)
    centred = phi - mean
    first, square, slope_1, slope_2 = (
        (inner * f).sum(-1) for f in (centred, centred**2, slope, slope**2)
    )

    def average(f: Array) -> float:
        return np.float64(weights @ (f * (f if c >= 0 else f[::-1])))

    variance = np.float64(weights @ square)
    return PairMoments(
        covariance=average(first),
        slope=average(slope_1),
        variance_noise=average(square) / variance**2 - 1,
        second_noise=(average(square + 2 * mean * first) - variance**2) / (variance + mean**2) ** 2,
        slope_square=average(slope_2) / np.float64(weights @ slope_2) ** 2,
    )


def saturated_share(activation: Activation, q: float, below: float) -> float:
    """P(|phi'(x)| < below * max |phi'|), x ~ N(0, q), to three digits."""
    u = np.linspace(-_REACH, _REACH, _GRID)
    _, slope = _values(activation, math.sqrt(q) * u)
    weights = _density(u)
    flat = np.abs(slope) < below * activation.steepest
    return float(weights[flat].sum() / weights.sum())


def _gaussian_nodes(sigma: float, ends: Sequence[float], rule: Rule) -> tuple[Array, Array]:
    """Nodes and weights of an average over N(0, sigma^2), with panels that end at `ends`."""
    reach = _REACH * sigma
    widening = _widening(min(1.0, sigma), reach)
    inside = [end for end in ends if abs(end) < reach]
    x, lengths = _panels(np.unique([*-widening, 0.0, *widening, *inside]), rule)
    return x, lengths * _density(x / sigma) / sigma


def _rest_nodes(g: Array, sigma: float, kinks: Sequence[float]) -> tuple[Array, Array]:
    """Nodes and weights of an average over N(g, sigma^2) for each g, (len(g), nodes)."""
    around_g = sigma * np.array([-_REACH, -3, 0, 3, _REACH])
    fixed = list(kinks)
    if sigma > 1:
        widening = _widening(1.0, _REACH * sigma)
        fixed += [*-widening, 0.0, *widening]
    ends = np.concatenate(
        [g[:, None] + around_g, np.broadcast_to(fixed, (len(g), len(fixed)))], axis=-1
    )
    ends = ends.clip(ends[:, :1], g[:, None] + _REACH * sigma)
    ends.sort(axis=-1)
    x, lengths = _panels(ends, _RULE_OF_PAIRS)
    return x, lengths * _density((x - g[:, None]) / sigma) / sigma


def _widening(first: float, last: float) -> Array:
    """first, 2 first, 4 first, 8 first, 32 first, 128 first, ... and last."""
    ends = [first]
    while ends[-1] < last:
        ends.append(ends[-1] * (2 if len(ends) < 4 else 4))
    return np.array([*ends[:-1], last])


def _panels(ends: Array, rule: Rule) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights of the panels between adjacent `ends`, (..., ends)."""
    middle, half = (ends[..., 1:] + ends[..., :-1]) / 2, (ends[..., 1:] - ends[..., :-1]) / 2
    nodes = middle[..., None] + half[..., None] * rule[0]
    weights = half[..., None] * rule[1]
    shape = (*ends.shape[:-1], -1)
    return nodes.reshape(shape), weights.reshape(shape)


def _density(u: Array) -> Array:
    density: Array = np.exp(-u * u / 2) / math.sqrt(2 * math.pi)
    return density


def _values(activation: Activation, x: Array) -> tuple[Array, Array]:
    """phi and phi' in float64."""
    z = torch.from_numpy(np.ascontiguousarray(x))
    a = activation.forward(z)
    return a.numpy(), activation.derivative(z, a).numpy()
