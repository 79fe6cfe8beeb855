"""The table of statistics: one entry for each curve of a run.

The names of curves, the plots and their labels, and the documentation follow from the table. A new
statistic is a new entry, and a function in reductions.py if none there computes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from fanin.measure import reductions
from fanin.measure.timing import Times
from fanin.nn.network import Network

STD, GRADIENT = "activation/std", "gradient/preactivation_norm"
"""The two curves that verdicts, theory and figures look at first."""


class Readings:
    """The inputs of the statistics: a network that holds a pass, its times, and shared reductions.

    A reduction is computed when a statistic first needs it. Each is (depth, replicas).
    """

    def __init__(self, network: Network, times: Times) -> None:
        self.network = network
        self.times = times

    @cached_property
    def z_mean_and_std(self) -> tuple[Tensor, Tensor]:
        return reductions.mean_and_std(self.network.z)

    @cached_property
    def a_mean_std_and_correlation(self) -> tuple[Tensor, Tensor, Tensor]:
        return reductions.mean_std_and_correlation(self.network.a)

    @cached_property
    def dead_and_saturated(self) -> tuple[Tensor, Tensor]:
        network = self.network
        return reductions.dead_and_saturated(network.activation, network.z, network.a)


@dataclass(frozen=True)
class Statistic:
    """One curve of a run, a value per layer and replica.

    name: of the curve in MLflow. label: of its axis in a plot. meaning: a sentence, with the unit.
    scale: of its axis; "log" for positive values over many powers of ten. direction: the half
    of the pass that it belongs to; the first non-finite layer there ends the curve.

    read: gives (depth, replicas), in float64 on the CPU. applies: whether a network has the curve.

    opposite: the curve drawn beneath this one on the interactive page, if this one is drawn on top.
    per_replica: False if all replicas share one value, (depth, 1): there is no band, and the curve
    does not end when values stop being finite.
    """

    name: str
    label: str
    meaning: str
    scale: Literal["log", "linear"]
    direction: Literal["forward", "backward"]
    read: Callable[[Readings], Tensor]
    applies: Callable[[Network], bool] = lambda network: True
    opposite: str | None = None
    per_replica: bool = True


def _weight_gradient_norm(readings: Readings) -> Tensor:
    gradients = readings.network.gradients
    return torch.cat([reductions.norm(stack) for stack in (gradients.first, gradients.hidden)])


_TABLE = (
    Statistic(
        name="preactivation/mean",
        label="mean pre-activation",
        meaning="Mean of the pre-activations z over batch and units, in units of z.",
        scale="linear",
        direction="forward",
        read=lambda readings: readings.z_mean_and_std[0],
        opposite="activation/saturated_fraction",
    ),
    Statistic(
        name="preactivation/std",
        label="std of pre-activations",
        meaning="Standard deviation of z over batch and units, in units of z.",
        scale="log",
        direction="forward",
        read=lambda readings: readings.z_mean_and_std[1],
        opposite="gradient/weight_norm",
    ),
    Statistic(
        name="activation/mean",
        label="mean activation",
        meaning="Mean of the activations a over batch and units, in units of a.",
        scale="linear",
        direction="forward",
        read=lambda readings: readings.a_mean_std_and_correlation[0],
        opposite="gradient/bias_norm",
    ),
    Statistic(
        name=STD,
        label="std of activations",
        meaning="Standard deviation of a over batch and units, in units of a.",
        scale="log",
        direction="forward",
        read=lambda readings: readings.a_mean_std_and_correlation[1],
        opposite=GRADIENT,
    ),
    Statistic(
        name="activation/dead_fraction",
        label="share of dead units",
        meaning="Share of units whose derivative is zero on every input "
        f"(below {reductions.DEAD_BELOW:g} of its largest value), from 0 to 1.",
        scale="linear",
        direction="forward",
        read=lambda readings: readings.dead_and_saturated[0],
    ),
    Statistic(
        name="activation/saturated_fraction",
        label="share saturated",
        meaning="Share of activations whose derivative is below "
        f"{reductions.SATURATED_BELOW:.0%} of its largest value, from 0 to 1; "
        "only for bounded activations.",
        scale="linear",
        direction="forward",
        read=lambda readings: readings.dead_and_saturated[1],
        applies=lambda network: network.activation.bounded,
    ),
    Statistic(
        name="activation/correlation",
        label="mean cosine of inputs",
        meaning="Mean cosine between the activation vectors of different inputs, from -1 to 1.",
        scale="linear",
        direction="forward",
        read=lambda readings: readings.a_mean_std_and_correlation[2],
        opposite="activation/dead_fraction",
    ),
    Statistic(
        name=GRADIENT,
        label="norm of dL/dz",
        meaning="L2 norm of dL/dz over all entries of the layer, in units of loss per unit of z.",
        scale="log",
        direction="backward",
        read=lambda readings: reductions.norm(readings.network.delta),
    ),
    Statistic(
        name="gradient/weight_norm",
        label="norm of dL/dW",
        meaning="L2 norm of dL/dW over all entries of the layer, in units of loss per unit of W.",
        scale="log",
        direction="backward",
        read=_weight_gradient_norm,
    ),
    Statistic(
        name="gradient/bias_norm",
        label="norm of dL/db",
        meaning="L2 norm of dL/db over all units of the layer, in units of loss per unit of b.",
        scale="log",
        direction="backward",
        read=lambda readings: reductions.norm(readings.network.gradients.biases),
    ),
    Statistic(
        name="time/forward_ms",
        label="ms forward",
        meaning="Time that the layer takes forward, median of the timed passes, in milliseconds.",
        scale="log",
        direction="forward",
        read=lambda readings: torch.from_numpy(readings.times.forward)[:, None],
        opposite="time/backward_ms",
        per_replica=False,
    ),
    Statistic(
        name="time/backward_ms",
        label="ms backward",
        meaning="Time that the layer takes backward, median of the timed passes, in milliseconds.",
        scale="log",
        direction="backward",
        read=lambda readings: torch.from_numpy(readings.times.backward)[:, None],
        per_replica=False,
    ),
)

STATISTICS = {statistic.name: statistic for statistic in _TABLE}
CURVES = tuple(STATISTICS)
