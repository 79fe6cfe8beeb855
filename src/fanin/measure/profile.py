"""The profile: everything that one run tells, as curves over the layers and as numbers.

A curve has a value a layer, 1 to depth. With several replicas it is their median, and two
companions, `_low` and `_high`, are their 16th and 84th percentile: where the middle two
thirds of the seeds lie. A replica that is no longer finite counts as larger than any other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fanin.measure import statistics
from fanin.measure.timing import Times
from fanin.nn.network import Network

Array = np.ndarray


FIRST_NONFINITE = "summary/first_nonfinite_layer"
CURVES = (
    "preactivation/mean",
    "preactivation/std",
    "activation/mean",
    "activation/std",
    "activation/dead_fraction",
    "activation/saturated_fraction",
    "activation/correlation",
    "gradient/preactivation_norm",
    "gradient/weight_norm",
    "gradient/bias_norm",
    "time/forward_ms",
    "time/backward_ms",
)
NUMBERS = (
    "summary/loss",
    "summary/input_correlation",
    "summary/std_growth",
    "summary/gradient_growth",
    FIRST_NONFINITE,
    "summary/forward_ms",
    "summary/backward_ms",
    "summary/product_ms",
    "summary/fit_steps",
    "summary/jacobian_mean_square",
    "summary/jacobian_spread",
    "summary/jacobian_largest",
    "summary/jacobian_mean_square_theory",
    "summary/jacobian_spread_theory",
    "summary/std_spread",
    "summary/sigma_w2",
    "summary/sigma_b2",
    "summary/theory_q",
    "summary/theory_chi",
    "summary/theory_cosine",
    "summary/theory_xi_q",
    "summary/theory_xi_c",
    "summary/theory_std",
    "summary/theory_spread",
    "summary/theory_z",
)


@dataclass(frozen=True)
class Profile:
    """`curves`: name -> (depth,), nan where there is no finite value. `numbers`: all finite.

    An activation that is not bounded does not saturate, and has no curve for it.
    """

    depth: int
    curves: dict[str, Array]
    numbers: dict[str, float]

    def points(self) -> Iterator[tuple[str, int, float]]:
        """(name, layer, value) of every finite value, layer by layer of each curve."""
        for name, values in self.curves.items():
            for layer, value in enumerate(values.tolist(), start=1):
                if math.isfinite(value):
                    yield name, layer, value

    def rows(self) -> list[dict[str, float | int | None]]:
        """One row a layer, with None where there is no finite value."""
        return [
            {"layer": layer + 1}
            | {
                name: float(values[layer]) if math.isfinite(values[layer]) else None
                for name, values in self.curves.items()
            }
            for layer in range(self.depth)
        ]

    def ends(self, curve: str) -> tuple[float, float]:
        """The first and the last finite value of a curve; nan where it has none."""
        finite = self.curves[curve][np.isfinite(self.curves[curve])]
        return (float(finite[0]), float(finite[-1])) if len(finite) else (math.nan, math.nan)


def measure(
    network: Network, times: Times, also: Mapping[str, float | Array] | None = None
) -> Profile:
    """Read everything off a network that holds a pass, and off the clock.

    also: numbers that were found elsewhere, of the run or (replicas,).
    """
    z, a, delta, gradients = network.z, network.a, network.delta, network.gradients
    z_mean, z_std = statistics.mean_and_std(z)
    a_mean, a_std, correlation = statistics.mean_std_and_correlation(a)
    dead, saturated = statistics.dead_and_saturated(network.activation, z, a)
    weight_gradients = [statistics.norm(stack) for stack in (gradients.first, gradients.hidden)]
    measured = {
        "preactivation/mean": z_mean,
        "preactivation/std": z_std,
        "activation/mean": a_mean,
        "activation/std": a_std,
        "activation/dead_fraction": dead,
        "activation/saturated_fraction": saturated,
        "activation/correlation": correlation,
        "gradient/preactivation_norm": statistics.norm(delta),
        "gradient/weight_norm": torch.cat(weight_gradients),
        "gradient/bias_norm": statistics.norm(gradients.biases),
    }
    if not network.activation.bounded:
        del measured["activation/saturated_fraction"]
    seeds = {name: values.numpy() for name, values in measured.items()}

    forward_finite = np.isfinite(seeds["preactivation/std"] + seeds["activation/std"])
    backward_finite = np.isfinite(
        seeds["gradient/preactivation_norm"]
        + seeds["gradient/weight_norm"]
        + seeds["gradient/bias_norm"]
    )
    # A replica that has left the finite numbers ranks above all others, in every curve. (A nan
    # that remains is a statistic that a layer does not have, such as a correlation of zeros.)
    for name, values in seeds.items():
        finite = backward_finite if name.startswith("gradient/") else forward_finite
        values[~finite] = math.inf
    loss = network.loss_function.forward(network.out.cpu().double(), network.targets.cpu())
    loss[~loss.isfinite()] = math.inf
    numbers = {
        "summary/loss": float(percentile(loss.numpy(), 50)),
        "summary/input_correlation": statistics.correlation(network.inputs[None, None]).item(),
        "summary/std_growth": _growth(seeds["activation/std"]),
        "summary/gradient_growth": _growth(seeds["gradient/preactivation_norm"][::-1]),
        FIRST_NONFINITE: _first_nonfinite_layer(forward_finite, backward_finite),
        "summary/std_spread": _spread(seeds["activation/std"]),
        "summary/forward_ms": times.forward_total,
        "summary/backward_ms": times.backward_total,
    }
    for name, found in (also or {}).items():
        numbers[name] = float(percentile(np.atleast_1d(found), 50))
    curves = dict(_with_companions(seeds))
    curves |= {"time/forward_ms": times.forward, "time/backward_ms": times.backward}
    return Profile(
        depth=network.depth,
        curves={name: np.where(np.isfinite(c), c, math.nan) for name, c in curves.items()},
        numbers={name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def median(profiles: Sequence[Profile]) -> Profile:
    """Several profiles, at least one, as if they were replicas: the median, `_low` and `_high`.

    One that is less deep than the others counts as far as it goes. Of what theory says, which is
    the same for all but for their scale, only the median.
    """
    if len(profiles) == 1:
        return profiles[0]
    depth = max(profile.depth for profile in profiles)
    found = sorted({name for profile in profiles for name in profile.curves})
    theory = [name for name in found if "_theory" in name]
    measured = [n for n in found if n not in theory and not n.endswith(("_low", "_high"))]
    curves = dict(_with_companions({n: _side_by_side(n, profiles, depth) for n in measured}))
    curves |= {name: percentile(_side_by_side(name, profiles, depth), 50) for name in theory}
    numbers = {name: _middle(name, profiles) for p in profiles for name in p.numbers}
    return Profile(
        depth=depth,
        curves={name: np.where(np.isfinite(c), c, math.nan) for name, c in curves.items()},
        numbers={name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def _middle(name: str, profiles: Sequence[Profile]) -> float:
    """A number of several profiles: the median of those that have it.

    A loss that is missing was not finite; and the first layer is that of whichever met one first.
    """
    missing = math.inf if name == "summary/loss" else math.nan
    values = [profile.numbers.get(name, missing) for profile in profiles]
    return float(percentile(np.array(values), 0 if name == FIRST_NONFINITE else 50))


def _side_by_side(name: str, profiles: Sequence[Profile], depth: int) -> Array:
    """A curve of several profiles, (depth, profiles); one that is not finite ranks as inf.

    A cosine that is missing may be one of zeros, and a theory that is missing has nothing to say.
    """
    may_be_missing = name == "activation/correlation" or "_theory" in name
    curves = np.full((depth, len(profiles)), math.nan)
    for n, profile in enumerate(profiles):
        if name in profile.curves:
            values = profile.curves[name]
            missing = np.isnan(values) & (not may_be_missing)
            curves[: len(values), n] = np.where(missing, math.inf, values)
    return curves


def _with_companions(seeds: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    every = np.stack(list(seeds.values()))  # (curves, depth, replicas)
    companions = {"": 50, "_low": 16, "_high": 84} if every.shape[-1] > 1 else {"": 50}
    for ending, percent in companions.items():
        values = percentile(every, percent)
        yield from zip([name + ending for name in seeds], values, strict=True)


def percentile(values: Array, percent: float) -> Array:
    """Percentile along the last axis, interpolated, of the values that are not nan."""
    if values.shape[-1] == 1:
        return values[..., 0]
    ranked = np.sort(values, axis=-1)  # nan comes last
    last = np.maximum((~np.isnan(values)).sum(axis=-1, keepdims=True) - 1, 0)
    below, weight = np.divmod(percent / 100 * last, 1)
    low = np.take_along_axis(ranked, below.astype(int), axis=-1)
    high = np.take_along_axis(ranked, np.minimum(below.astype(int) + 1, last), axis=-1)
    with np.errstate(invalid="ignore"):  # inf - inf
        between = low + weight * (high - low)
    result: Array = np.where((weight == 0) | (low == high), low, between)
    return result[..., 0]


def growth(curve: Array) -> float:
    """Factor a layer, between the first and the last value that is not 0; nan without two such."""
    (layers,) = np.nonzero(np.isfinite(curve) & (curve > 0))
    if len(layers) < 2:
        return math.nan
    first, last = layers[0], layers[-1]
    log_ratio = math.log(curve[last]) - math.log(curve[first])
    return math.exp(log_ratio / (last - first))


def _growth(seeds: Array) -> float:
    """The median over the replicas that have such a factor; nan where none has."""
    return float(percentile(np.array([growth(curve) for curve in seeds.T]), 50))


def _spread(seeds: Array) -> float:
    """Std over the replicas of the log of the last layer's value; nan for fewer than two."""
    last = seeds[-1] if len(seeds) else seeds.ravel()
    positive = np.log(last[np.isfinite(last) & (last > 0)])
    return float(positive.std(ddof=1)) if len(positive) > 1 else math.nan


def _first_nonfinite_layer(forward: Array, backward: Array) -> float:
    """The layer at which a pass, 1 to depth and back to 1, first meets a value that is not finite.

    In whichever replica meets one first; nan where none does.
    """
    layers = np.arange(1, len(forward) + 1)
    finite = np.concatenate([forward, backward[::-1]]).all(axis=1)
    broken = np.concatenate([layers, layers[::-1]])[~finite]
    return float(broken[0]) if len(broken) else math.nan
