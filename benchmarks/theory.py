"""Theory against measurement: the medians of many seeds, for every init and activation.

    python -m benchmarks.theory                    widths 100 and 400, half an hour on 2 cores
    python -m benchmarks.theory --width 100

For each, 256 networks of depth 50 on N(0, 1) inputs: the stds at layers 1, 10 and 50, and the
gradients at layers 1 and 40 (49 and 10 layers below the last). Writes results/theory_WIDTH.csv and
prints the medians outside theory's band, the middle two thirds of seeds.
"""

import argparse
import csv
import math
from pathlib import Path

import numpy as np
import torch

from fanin.config.complete import build_option
from fanin.config.options import option_names
from fanin.measure import reductions
from fanin.measure.statistics import GRADIENT
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import Parameters, draw
from fanin.runner.data import Gaussian
from fanin.theory.input_stats import describe
from fanin.theory.mean_field import BANDED, PERCENTILE, Prediction, predict

DEPTH, REPLICAS, BLOCK = 50, 256, 16
BATCHES = {100: 50, 400: 10}
LAYERS = {GRADIENT: (1, 40)}


Curves = dict[str, np.ndarray]
"""name -> (depth, replicas); gradients over the last layer's."""


def resolved_init(name: str, activation: Activation) -> Init | None:
    """The option of init for this activation; None if there is no critical point."""
    try:
        return build_option("init", name, Init).resolve(activation)
    except ValueError:
        return None


def measure(name: str, activations: dict[str, Activation], width: int) -> dict[str, Curves]:
    """The curves of each activation, with the same weights."""
    batch = Gaussian().load(BATCHES[width])
    loss = MSE()
    targets = loss.prepare(batch.targets, torch.float32)
    blocks: dict[str, dict[str, list[torch.Tensor]]] = {
        activation: {curve: [] for curve in BANDED} for activation in activations
    }
    for first in range(0, REPLICAS, BLOCK):
        drawn: dict[Init, Parameters] = {}
        seeds = range(first, first + BLOCK)
        for activation, phi in activations.items():
            init = resolved_init(name, phi)
            if init not in drawn:
                drawn = {init: draw(init, seeds, depth=DEPTH, inputs=100, width=width, outputs=1)}
            parameters = drawn[init]
            if init.fit_tolerance() is not None:
                parameters = Parameters(*(stack.clone() for stack in vars(parameters).values()))
                init.fit(parameters.layers(), phi, batch.inputs)
            network = Network(parameters, phi, loss, batch.inputs, targets).run()
            norms = reductions.norm(network.delta)
            curves = reductions.std(network.z), reductions.std(network.a), norms / norms[-1:]
            for curve, values in zip(BANDED, curves, strict=True):
                blocks[activation][curve].append(values)
    return {
        activation: {curve: torch.cat(values, dim=1).numpy() for curve, values in curves.items()}
        for activation, curves in blocks.items()
    }


def compare(width: int) -> list[dict[str, str]]:
    """A row per init and activation: how far each median is off, in stds over seeds."""
    rows = []
    inputs = describe(Gaussian().load(BATCHES[width]).inputs)
    for name in option_names("init"):
        every = {
            act: build_option("activation", act, Activation) for act in option_names("activation")
        }
        activations = {act: phi for act, phi in every.items() if resolved_init(name, phi)}
        for act, curves in measure(name, activations, width).items():
            init = resolved_init(name, activations[act])
            prediction = predict(init, activations[act], inputs, depth=DEPTH, width=width)
            rows.append({"init": name, "activation": act})
            for curve, values in curves.items():
                for layer in LAYERS.get(curve, (1, 10, DEPTH)):
                    off = stds_off(curve, layer, values, prediction)
                    rows[-1][f"{curve} {layer}"] = f"{off:.2f}"
        print(f"width {width}, {name}: done", flush=True)
    return rows


def stds_off(curve: str, layer: int, values: np.ndarray, prediction: Prediction) -> float:
    """How far the median is off, in stds over seeds; nan if float32 cannot hold the prediction."""
    with np.errstate(all="ignore"):
        off = np.log(np.median(values[layer - 1])) - np.log(prediction.at(curve)[layer - 1])
        return float(off / prediction.spreads[curve][layer - 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, action="append", choices=BATCHES)
    for width in parser.parse_args().width or BATCHES:
        rows = compare(width)
        path = Path(__file__).parent / "results" / f"theory_{width}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        print_outside(width, rows)


def print_outside(width: int, rows: list[dict[str, str]]) -> None:
    """Print how many medians lie in the band, and those that do not."""
    medians = [
        (row["init"], row["activation"], name, float(off))
        for row in rows
        for name, off in list(row.items())[2:]
    ]
    known = [one for one in medians if math.isfinite(one[-1])]
    outside = [one for one in known if abs(one[-1]) > PERCENTILE]
    print(f"width {width}: {len(known) - len(outside)} of {len(known)} medians in the band,")
    print(f"{len(medians) - len(known)} beyond float32; the middle one is off by")
    print(f"{np.median([abs(one[-1]) for one in known]):.2f} standard deviations. Outside:")
    for one in outside:
        print(*one)


if __name__ == "__main__":
    main()
