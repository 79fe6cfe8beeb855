"""What a measured pass costs, against PyTorch's autograd and the bare matrix products.

    python -m benchmarks.one_pass               three minutes on 2 cores

Forward, backward and every statistic of a run's curves, against three peers in the same process:

    floor      the bare products of the pass, three per layer, into tensors made beforehand
    autograd   nn.Sequential, forward and backward, nothing measured
    hooks      the same, with hooks that take mean, std and the norms of gradients of each layer
    all hooks  also dead fraction and correlation: the curves of a run

They take turns, so that each round has its own ratio, whatever else the machine does meanwhile.
The table has the median of these ratios and their middle half. Before the clock starts, all are
checked against each other: they must have the same losses and the same curves.

Then time and memory against depth, each depth in its own process. Writes
results/one_pass.csv and results/one_pass_depth.csv.
"""

import argparse
import csv
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fanin.measure.profile import Profile, measure
from fanin.measure.timing import Times
from fanin.nn.activations import ReLU
from fanin.nn.init import VarianceScaling
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.runner.cost import Size

RESULTS = Path(__file__).parent / "results"
DEPTHS = (10, 100, 1000, 10_000)
PASSES_OF_A_DEPTH = 5


@dataclass(frozen=True)
class Case:
    """`seconds`: how long it is measured. `targets`: peer -> the largest acceptable ratio."""

    batch: int
    width: int
    depth: int
    replicas: int
    seconds: float
    targets: dict[str, float]

    @property
    def name(self) -> str:
        many = f"{self.replicas} replicas of " if self.replicas > 1 else ""
        return f"{many}{self.batch} x {self.width}, depth {self.depth}"


CASES = (
    Case(200, 100, 50, 1, 20, {"floor": 1.4, "autograd": 0.9, "hooks": 0.5}),
    Case(200, 512, 50, 1, 35, {"floor": 1.1, "autograd": 1.0}),
    Case(1024, 1024, 20, 1, 60, {"floor": 1.1, "autograd": 1.0}),
    Case(200, 100, 50, 32, 40, {"autograd": 0.6}),
)


def build(batch: int, width: int, depth: int, replicas: int) -> Network:
    """ReLU with He init on N(0, 1) inputs, with as many values per input as there are units."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, width, generator=generator)
    targets = torch.randn(batch, generator=generator)
    sizes = {"depth": depth, "inputs": width, "width": width, "outputs": 1}
    parameters = draw(VarianceScaling(scale=2.0), range(replicas), **sizes)
    return Network(parameters, ReLU(), MSE(), inputs, targets)


def fanin(network: Network) -> Profile:
    """A pass and all of its statistics; the times are zeros."""
    network.run()
    nothing = np.zeros(network.depth)
    return measure(network, Times(nothing, nothing, 0.0, 0.0))


def floor(network: Network) -> Callable[[], None]:
    """The products of a pass and nothing else, in tensors with the network's shapes."""

    def plain(stack: Tensor) -> list[Tensor]:
        """The layers of a stack; of a single replica as plain matrices, which is fastest."""
        return [layer[0] if len(layer) == 1 else layer for layer in torch.rand_like(stack)]

    x, z, delta = plain(network.a), plain(network.z), plain(network.delta)
    weights = plain(network.parameters.hidden[:1].expand(network.depth, -1, -1, -1))
    gradients = plain(network.parameters.hidden[:1].expand(network.depth, -1, -1, -1))
    product = torch.mm if x[0].ndim == 2 else torch.bmm

    def products() -> None:
        for layer in range(network.depth):
            product(x[layer], weights[layer], out=z[layer])
        for layer in reversed(range(network.depth)):
            product(z[layer], weights[layer].mT, out=delta[layer])
            product(x[layer].mT, z[layer], out=gradients[layer])

    return products


def sequential(network: Network, replica: int) -> nn.Sequential:
    """The same network, made of PyTorch's modules with the same weights."""
    model = nn.Sequential()
    for w, b in network.parameters.layers():
        linear = nn.Linear(*w.shape[-2:])
        with torch.no_grad():
            linear.weight.copy_(w[replica].mT)
            linear.bias.copy_(b[replica, 0])
        model.extend([linear, nn.ReLU()])
    return model[:-1]


def autograd(models: Iterable[nn.Module], inputs: Tensor, targets: Tensor) -> list[Tensor]:
    """Forward and backward of each; the losses."""
    losses = []
    for model in models:
        model.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        losses.append(loss.detach())
    return losses


@dataclass
class Hooks:
    """Takes a model's curves while autograd runs it; values stay tensors until the end.

    `everything`: also the dead fraction and the correlation of the activations.
    """

    model: nn.Sequential
    everything: bool
    values: dict[str, list[Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for linear, activation in zip(self.model[:-1:2], self.model[1::2], strict=True):
            linear.register_forward_hook(self.after_linear)
            activation.register_forward_hook(self.after_activation)

    def note(self, name: str, value: Tensor) -> None:
        self.values.setdefault(name, []).append(value)

    def after_linear(self, module: nn.Module, args: object, z: Tensor) -> None:
        self.note("preactivation/mean", z.detach().mean())
        self.note("preactivation/std", z.detach().std())
        z.register_hook(lambda grad: self.note("gradient/preactivation_norm", grad.norm()))

    def after_activation(self, module: nn.Module, args: object, a: Tensor) -> None:
        a = a.detach()
        self.note("activation/mean", a.mean())
        self.note("activation/std", a.std())
        if self.everything:
            self.note("activation/dead_fraction", (a == 0).all(0).float().mean())
            n = len(a)
            units = nn.functional.normalize(a)
            self.note("activation/correlation", (units.sum(0).square().sum() - n) / (n * (n - 1)))

    def run(self, inputs: Tensor, targets: Tensor) -> dict[str, list[float]]:
        self.values.clear()
        autograd([self.model], inputs, targets)
        for linear in self.model[:-1:2]:
            self.note("gradient/weight_norm", linear.weight.grad.norm())
            self.note("gradient/bias_norm", linear.bias.grad.norm())
        # Noted from the last layer to the first.
        self.values["gradient/preactivation_norm"].reverse()
        stacked = torch.stack([torch.stack(values) for values in self.values.values()])
        return dict(zip(self.values, stacked.tolist(), strict=True))


def contenders(case: Case) -> dict[str, Callable[[], object]]:
    """name -> contender, after a first pass of each that is compared with ours."""
    network = build(case.batch, case.width, case.depth, case.replicas)
    inputs, targets = network.inputs, network.targets[:, None]
    models = [sequential(network, replica) for replica in range(case.replicas)]
    works: dict[str, Callable[[], object]] = {
        "fanin": lambda: fanin(network),
        "pass": network.run,
        "floor": floor(network),
        "autograd": lambda: autograd(models, inputs, targets),
    }
    profile = fanin(network)
    losses = torch.stack(autograd(models, inputs, targets))
    torch.testing.assert_close(losses, network.loss, rtol=1e-4, atol=0)
    if case.replicas == 1:
        for name, everything in (("hooks", False), ("all hooks", True)):
            hooks = Hooks(sequential(network, 0), everything)
            for curve, values in hooks.run(inputs, targets).items():
                size = np.abs(profile.curves[curve]).max()
                np.testing.assert_allclose(
                    values, profile.curves[curve], rtol=1e-3, atol=1e-4 * size, err_msg=curve
                )
            works[name] = lambda hooks=hooks: hooks.run(inputs, targets)
    return works


def run_rounds(works: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Seconds of each contender in every round; each round has a new random order."""
    times: dict[str, list[float]] = {name: [] for name in works}
    shuffle = random.Random(0)
    order = list(works)
    for work in works.values():
        work()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        shuffle.shuffle(order)
        for name in order:
            start = time.perf_counter()
            works[name]()
            times[name].append(time.perf_counter() - start)
    return times


def compare(case: Case) -> list[dict[str, object]]:
    """A row per ratio: fanin over each peer, and the bare pass and autograd over the floor."""
    times = run_rounds(contenders(case), case.seconds)
    pairs = [("fanin", peer) for peer in times if peer not in ("fanin", "pass")]
    rows = []
    for name, peer in [*pairs, ("pass", "floor"), ("pass", "autograd"), ("autograd", "floor")]:
        ratios = [one / other for one, other in zip(times[name], times[peer], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        target = case.targets.get(peer) if name == "fanin" else None
        rows.append(
            {
                "case": case.name,
                "what": name,
                "over": peer,
                "ratio": f"{middle:.2f}",
                "low": f"{low:.2f}",
                "high": f"{high:.2f}",
                "target": target or "",
                "met": "" if target is None else "yes" if middle <= target else "no",
                "ms": f"{1e3 * statistics.median(times[name]):.3g}",
                "over_ms": f"{1e3 * statistics.median(times[peer]):.3g}",
                "rounds": len(ratios),
                "threads": torch.get_num_threads(),
            }
        )
    return rows


def measure_depth(depth: int) -> dict[str, float]:
    """Time per layer and memory of this process, and the memory that the stacks need.

    A network of 2 layers is run first, so that the libraries allocate what they need once. One
    thread: the times of two that wait for each other depend on how busy the machine is.
    """
    torch.set_num_threads(1)
    fanin(build(200, 100, 2, 1))
    before = _resident("VmRSS")
    network = build(200, 100, depth, 1)
    fanin(network)
    times = []
    for _ in range(PASSES_OF_A_DEPTH):
        start = time.perf_counter()
        fanin(network)
        times.append(time.perf_counter() - start)
    size = Size(depth=depth, inputs=100, width=100, outputs=1, batch=200, replicas=1)
    return {
        "depth": depth,
        "us_a_layer": round(1e6 * statistics.median(times) / depth, 1),
        "least_us_a_layer": round(1e6 * min(times) / depth, 1),
        "stacks_mb": round(4 * (2 * size.weights + 3 * size.stack) / 1e6, 1),
        "grown_mb": round((_resident("VmHWM") - before) / 1e6, 1),
    }


def _resident(which: str) -> int:
    """Bytes of memory of this process now (VmRSS), or at its peak (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition(f"{which}:")[2].split()[0])


def measure_depths() -> list[dict[str, float]]:
    rows = []
    for depth in DEPTHS:
        command = [sys.executable, "-m", "benchmarks.one_pass", "--depth", str(depth)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(json.loads(output))
        rows[-1]["grown_over_stacks"] = round(rows[-1]["grown_mb"] / rows[-1]["stacks_mb"], 2)
    return rows


def write(name: str, rows: list[dict]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}, float32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, help="one depth, printed as JSON")
    depth = parser.parse_args().depth
    if depth:
        print(json.dumps(measure_depth(depth)))
        return
    print(f"One pass and every statistic of it. {machine()}\n")
    print("| case | | over | ratio, median (middle half) | target | ms | over, ms |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    start, worked = time.perf_counter(), time.process_time()
    for case in CASES:
        rows += compare(case)
        for row in (row for row in rows if row["case"] == case.name):
            target = f"{row['target']}: {row['met']}" if row["target"] else ""
            spread = f"{row['ratio']} ({row['low']} to {row['high']})"
            cells = [row["case"], row["what"], row["over"], spread, target, row["ms"]]
            print(f"| {' | '.join(map(str, [*cells, row['over_ms']]))} |", flush=True)
    passed = (time.perf_counter() - start) * torch.get_num_threads()
    share = (time.process_time() - worked) / passed
    print(f"\nused {share:.0%} of its threads' time: other processes or waiting took the rest")
    write("one_pass", rows)
    if not torch.cuda.is_available():
        print("\nno CUDA device: no table of a GPU")
    depths = measure_depths()
    write("one_pass_depth", depths)
    print("\n| depth | us a layer | memory of the stacks, MB | memory taken, MB | over |")
    print("|---|---|---|---|---|")
    for row in depths:
        print(f"| {' | '.join(str(v) for k, v in row.items() if not k.startswith('least'))} |")


if __name__ == "__main__":
    main()
