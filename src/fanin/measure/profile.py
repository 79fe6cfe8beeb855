"""The profile: all that one run measures, as curves over the layers and as numbers.

A curve has one value per layer, 1 to depth. With several replicas it is their median, and two
companions, `_low` and `_high`, are their 16th and 84th percentile: the middle two thirds of the
seeds lie between them. A replica that is no longer finite counts as larger than any other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fanin.measure import reductions
from fanin.measure.percentiles import BAND, percentile, with_band
from fanin.measure.statistics import STATISTICS, Readings
from fanin.measure.summaries import (
    FIRST_NONFINITE,
    INPUT_CORRELATION,
    LOSS,
    first_nonfinite_layer,
    median_growth,
    spread,
)
from fanin.measure.timing import Times
from fanin.nn.network import Network

Array = np.ndarray


@dataclass(frozen=True)
class Profile:
    """`curves`: name -> (depth,), nan for layers without a finite value. `numbers`: all finite."""

    depth: int
    curves: dict[str, Array]
    numbers: dict[str, float]

    def points(self) -> Iterator[tuple[str, int, float]]:
        """(name, layer, value) of every finite value, curve by curve."""
        for name, values in self.curves.items():
            for layer, value in enumerate(values.tolist(), start=1):
                if math.isfinite(value):
                    yield name, layer, value

    def rows(self) -> list[dict[str, float | int | None]]:
        """One row per layer, with None for values that are not finite."""
        return [
            {"layer": layer + 1}
            | {
                name: float(values[layer]) if math.isfinite(values[layer]) else None
                for name, values in self.curves.items()
            }
            for layer in range(self.depth)
        ]

    def ends(self, curve: str) -> tuple[float, float]:
        """The first and the last finite value of a curve; nan if it has none."""
        finite = self.curves[curve][np.isfinite(self.curves[curve])]
        return (float(finite[0]), float(finite[-1])) if len(finite) else (math.nan, math.nan)


def measure(
    network: Network, times: Times, extra_metrics: Mapping[str, float | Array] | None = None
) -> Profile:
    """Measure a network that holds a pass.

    extra_metrics: numbers measured elsewhere, one for the run or (replicas,).
    """
    readings = Readings(network, times)
    statistics = [entry for entry in STATISTICS.values() if entry.applies(network)]
    values = {entry.name: entry.read(readings).numpy() for entry in statistics}
    finite = {
        "forward": np.isfinite(values["preactivation/std"] + values["activation/std"]),
        "backward": np.isfinite(
            values["gradient/preactivation_norm"]
            + values["gradient/weight_norm"]
            + values["gradient/bias_norm"]
        ),
    }
    # A replica that is no longer finite ranks above all others, in every curve. (A nan that
    # remains is a statistic that the layer does not have, such as a correlation of zeros.)
    by_replica = {
        entry.name: np.where(finite[entry.direction], values[entry.name], math.inf)
        for entry in statistics
        if entry.per_replica
    }
    shared = {entry.name: values[entry.name][:, 0] for entry in statistics if not entry.per_replica}
    loss = network.loss_function.forward(network.out.cpu().double(), network.targets.cpu())
    loss[~loss.isfinite()] = math.inf
    numbers = {
        LOSS: float(percentile(loss.numpy(), 50)),
        INPUT_CORRELATION: reductions.correlation(network.inputs[None, None]).item(),
        "summary/std_growth": median_growth(by_replica["activation/std"]),
        "summary/gradient_growth": median_growth(by_replica["gradient/preactivation_norm"][::-1]),
        FIRST_NONFINITE: first_nonfinite_layer(finite["forward"], finite["backward"]),
        "summary/std_spread": spread(by_replica["activation/std"]),
        "summary/forward_ms": times.forward_total,
        "summary/backward_ms": times.backward_total,
    }
    for name, value in (extra_metrics or {}).items():
        numbers[name] = float(percentile(np.atleast_1d(value), 50))
    return _finite_profile(network.depth, dict(with_band(by_replica)) | shared, numbers)


def median(profiles: Sequence[Profile]) -> Profile:
    """Several profiles, at least one, as if they were replicas: the median, `_low` and `_high`.

    A shallower profile counts only at the layers that it has. Runs share one theory up to scale, so
    theory curves get only a median.
    """
    if len(profiles) == 1:
        return profiles[0]
    depth = max(profile.depth for profile in profiles)
    names = sorted({name for profile in profiles for name in profile.curves})
    theory = [name for name in names if "_theory" in name]
    measured = [name for name in names if name not in theory and not name.endswith(tuple(BAND))]
    curves = dict(with_band({name: _side_by_side(name, profiles, depth) for name in measured}))
    curves |= {name: percentile(_side_by_side(name, profiles, depth), 50) for name in theory}
    numbers = {name: _median_number(name, profiles) for p in profiles for name in p.numbers}
    return _finite_profile(depth, curves, numbers)


def _finite_profile(depth: int, curves: dict[str, Array], numbers: dict[str, float]) -> Profile:
    return Profile(
        depth=depth,
        curves={name: np.where(np.isfinite(c), c, math.nan) for name, c in curves.items()},
        numbers={name: value for name, value in numbers.items() if math.isfinite(value)},
    )


def _median_number(name: str, profiles: Sequence[Profile]) -> float:
    """The median of the profiles that have the number.

    A missing loss was not finite. Of the first non-finite layers, the smallest is taken.
    """
    missing = math.inf if name == LOSS else math.nan
    values = [profile.numbers.get(name, missing) for profile in profiles]
    return float(percentile(np.array(values), 0 if name == FIRST_NONFINITE else 50))


def _side_by_side(name: str, profiles: Sequence[Profile], depth: int) -> Array:
    """A curve of several profiles, (depth, profiles); a value that is not finite becomes inf.

    A missing cosine may be one of zeros, and a missing theory predicts nothing: both stay nan.
    """
    may_be_missing = name == "activation/correlation" or "_theory" in name
    curves = np.full((depth, len(profiles)), math.nan)
    for n, profile in enumerate(profiles):
        if name in profile.curves:
            values = profile.curves[name]
            missing = np.isnan(values) & (not may_be_missing)
            curves[: len(values), n] = np.where(missing, math.inf, values)
    return curves
