"""Theory against measurement: the medians of many seeds, for every init and activation.

    python -m benchmarks.theory                    widths 100 and 400, about an hour on 2 cores
    python -m benchmarks.theory --width 100

Networks of depth 50 on N(0, 1) inputs; the stds at layers 1, 10 and 50 and the gradients at
layers 1 and 40 (which are 49 and 10 layers below the last). Writes results/theory_WIDTH.csv and
prints the medians that lie outside theory's band, the middle two thirds of seeds.
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
from fanin.nn.parameters import draw
from fanin.signal import statistics
from fanin.signal.theory import BANDED, GRADIENT, PERCENTILE, describe, predict

DEPTH, REPLICAS, BLOCK = 50, 256, 16
BATCHES = {100: 200, 400: 20}
LAYERS = {GRADIENT: (1, 40)}
COLUMNS = "init activation curve layer theory low high median spread_measured spread_theory off"


def measure(init: Init, activation: Activation, width: int) -> dict[str, np.ndarray]:
    """name -> (depth, replicas); gradients over the last layer's."""
    batch = Gaussian().load(BATCHES[width])
    loss = MSE()
    targets = loss.prepare(batch.targets, torch.float32)
    found: dict[str, list[torch.Tensor]] = {name: [] for name in BANDED}
    for first in range(0, REPLICAS, BLOCK):
        parameters = draw(
            init, range(first, first + BLOCK), depth=DEPTH, inputs=100, width=width, outputs=1
        )
        init.fit(parameters.layers(), activation, batch.inputs)
        network = Network(parameters, activation, loss, batch.inputs, targets).run()
        norms = statistics.norm(network.delta)
        found["preactivation/std"].append(statistics.std(network.z))
        found["activation/std"].append(statistics.std(network.a))
        found[GRADIENT].append(norms / norms[-1:])
    return {name: torch.cat(values, dim=1).numpy() for name, values in found.items()}


def compare(width: int) -> list[dict[str, object]]:
    rows = []
    inputs = describe(Gaussian().load(BATCHES[width]).inputs)
    for init_name in options("init"):
        for name in options("activation"):
            activation = option("activation", name, Activation)
            try:
                init = option("init", init_name, Init).given(activation)
            except ValueError:  # no critical point
                continue
            prediction = predict(init, activation, inputs, depth=DEPTH, width=width)
            for curve, values in measure(init, activation, width).items():
                layers = LAYERS.get(curve, (1, 10, DEPTH))
                found = [row(curve, layer, values, prediction) for layer in layers]
                rows += [[init_name, name, *one] for one in found]
            print(f"{width} {init_name} {name}", flush=True)
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
