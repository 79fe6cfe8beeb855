"""Timing: how long a pass takes, layer by layer and in total.

The times include no statistics. A device that runs ahead of its host records events on its own
timeline, since stopping it after each layer would slow it down.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from fanin.nn.network import Network

Array = np.ndarray
Pass = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class Times:
    """Medians over the timed passes, in milliseconds.

    `forward` and `backward` are (depth,), from layer 1. The totals include the output layer and
    the loss.
    """

    forward: Array
    backward: Array
    forward_total: float
    backward_total: float


def time_passes(network: Network, *, warmup: int, repeats: int) -> Times:
    """Run `warmup` passes, then `repeats` timed ones. The network holds the last pass."""
    device = network.inputs.device
    laps = _laps(device)
    for _ in range(warmup):
        network.run()
    passes = [
        (laps(network.forward, device), laps(network.backward, device)) for _ in range(repeats)
    ]
    network.collect()
    forward, backward = (np.array(laps) for laps in zip(*passes, strict=True))
    return Times(
        forward=np.median(forward[:, :-1], axis=0),
        backward=np.median(backward[:, :0:-1], axis=0),
        forward_total=float(np.median(forward.sum(axis=1))),
        backward_total=float(np.median(backward.sum(axis=1))),
    )


def time_product(network: Network, *, warmup: int, repeats: int) -> float:
    """Milliseconds of the bare product of the inputs with the first layer's weights.

    (batch, inputs) @ (inputs, units) for the first replica, by the network's own matmul.
    """
    weights = network.parameters.layers()[0][0][0]
    device = network.inputs.device
    laps = _laps(device)

    def product(after_layer: Callable[[], None]) -> None:
        network.matmul(network.inputs, weights)
        after_layer()

    times = [laps(product, device)[0] for _ in range(warmup + repeats)]
    return float(np.median(times[warmup:]))


def _laps(device: torch.device) -> Callable[[Pass, torch.device], list[float]]:
    return _host_laps if device.type == "cpu" else _device_laps


def _host_laps(half: Pass, device: torch.device) -> list[float]:
    """Milliseconds per layer, by the host's clock."""
    ticks = [time.perf_counter()]
    half(lambda: ticks.append(time.perf_counter()))
    return [1e3 * (after - before) for before, after in pairwise(ticks)]


def _device_laps(half: Pass, device: torch.device) -> list[float]:
    """Milliseconds per layer, by events on the device's own timeline."""
    backend = getattr(torch, device.type)
    events: list[torch.Event] = []

    def tick() -> None:
        events.append(backend.Event(enable_timing=True))
        events[-1].record()

    backend.synchronize()
    tick()
    half(tick)
    backend.synchronize()
    return [before.elapsed_time(after) for before, after in pairwise(events)]
