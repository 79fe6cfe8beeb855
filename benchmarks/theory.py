"""Theory against measurement: the medians of many seeds, for every init and activation.

    python -m benchmarks.theory                    widths 100 and 400, half an hour on 2 cores
    python -m benchmarks.theory --width 100

256 networks of depth 50 on N(0, 1) inputs for each; the stds at layers 1, 10 and 50 and the
gradients at layers 1 and 40 (which are 49 and 10 layers below the last). Writes
results/theory_WIDTH.csv and prints the medians that lie outside theory's band, the middle two
thirds of seeds.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from fanin.config import option, options
from fanin.data import Gaussian
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import Parameters, draw
from fanin.signal import statistics
from fanin.signal.theory import BANDED, GRADIENT, PERCENTILE, describe, predict

DEPTH, REPLICAS, BLOCK = 50, 256, 16
BATCHES = {100: 50, 400: 10}
LAYERS = {GRADIENT: (1, 40)}
COLUMNS = "init activation curve layer theory low high median spread_measured spread_theory off"


Found = dict[str, np.ndarray]
"""name -> (depth, replicas); gradients over the last layer's."""


def given(name: str, activation: Activation) -> Init | None:
    """The option of init for this activation; None where there is no critical point."""
    try:
        return option("init", name, Init).given(activation)
    except ValueError:
        return None


def measure(name: str, activations: dict[str, Activation], width: int) -> dict[str, Found]:
    """Of each activation, under the same weights."""
    batch = Gaussian().load(BATCHES[width])
    loss = MSE()
    targets = loss.prepare(batch.targets, torch.float32)
    found: dict[str, dict[str, list[torch.Tensor]]] = {
        activation: {curve: [] for curve in BANDED} for activation in activations
    }
    for first in range(0, REPLICAS, BLOCK):
        drawn: dict[Init, Parameters] = {}
        seeds = range(first, first + BLOCK)
        for activation, phi in activations.items():
            init = given(name, phi)
            if init not in drawn or init.left_by_fit() is not None:
                drawn = {init: draw(init, seeds, depth=DEPTH, inputs=100, width=width, outputs=1)}
                init.fit(drawn[init].layers(), phi, batch.inputs)
            network = Network(drawn[init], phi, loss, batch.inputs, targets).run()
            norms = statistics.norm(network.delta)
            curves = statistics.std(network.z), statistics.std(network.a), norms / norms[-1:]
            for curve, values in zip(BANDED, curves, strict=True):
                found[activation][curve].append(values)
    return {
        activation: {curve: torch.cat(values, dim=1).numpy() for curve, values in curves.items()}
        for activation, curves in found.items()
    }


def compare(width: int) -> list[dict[str, object]]:
    rows = []
    inputs = describe(Gaussian().load(BATCHES[width]).inputs)
    for name in options("init"):
        every = {act: option("activation", act, Activation) for act in options("activation")}
        activations = {act: phi for act, phi in every.items() if given(name, phi)}
        for act, curves in measure(name, activations, width).items():
            init = given(name, activations[act])
            prediction = predict(init, activations[act], inputs, depth=DEPTH, width=width)
            for curve, values in curves.items():
                for layer in LAYERS.get(curve, (1, 10, DEPTH)):
                    rows += [[name, act, *row(curve, layer, values, prediction)]]
        print(f"width {width}, {name}: done", flush=True)
    return [dict(zip(COLUMNS.split(), row, strict=True)) for row in rows]


def row(curve, layer, values, prediction):
    with np.errstate(all="ignore"):
        logs = np.log(values[layer - 1])
        low, median, high = np.percentile(logs, (16, 50, 84))
    at = layer - 1
    spread = prediction.spreads[curve][at]
    typical = np.log(prediction.at(curve)[at])
    return [
        curve,
        layer,
        f"{prediction.curves[curve][at]:.5g}",
        f"{prediction.at(curve, -PERCENTILE)[at]:.5g}",
        f"{prediction.at(curve, PERCENTILE)[at]:.5g}",
        f"{np.exp(median):.5g}",
        f"{(high - low) / 2 / PERCENTILE:.5f}",
        f"{spread:.5f}",
        f"{(median - typical) / spread:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, action="append", choices=BATCHES)
    for width in parser.parse_args().width or BATCHES:
        rows = compare(width)
        path = Path(__file__).parent / "results" / f"theory_{width}.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS.split())
            writer.writeheader()
            writer.writerows(rows)
        outside = [r for r in rows if not abs(float(r["off"])) <= PERCENTILE]
        print(f"width {width}: {len(rows) - len(outside)} of {len(rows)} medians in the band; not:")
        for r in outside:
            print(*r.values())


if __name__ == "__main__":
    main()
