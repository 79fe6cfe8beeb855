"""Estimates of what a run costs: memory, steps in Python, seconds, disk space.

They follow from the sizes of a network and a measured sample, to about a factor of two.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch

from fanin.measure import reductions
from fanin.nn.activations import ReLU, make_in_place
from fanin.nn.linear import bias_gradient, input_gradient, linear, weight_gradient
from fanin.nn.matmul import RUNGS

STEP_SECONDS = 1e-5
"""Seconds of one Python step on a processor, in the rungs that take one step per element."""

_PRODUCT_SECONDS = 1e-10  # of one multiplication of two float64 matrices, on a core
_SINGULAR_VALUES = 5  # cost of the singular values of a product, in such products
_ACCELERATOR_STEPS = 5  # a step there launches its kernels one by one
_LAYER_BYTES = 5_000  # the views and lists of one layer, of any size
_CURVE_BYTES = 400  # a layer's value of one curve: in a table, in its copy, and in the store
_CURVES = 32
_RUN_BYTES = 500_000  # Hydra's files, a configuration, a database's first pages
_SAMPLE_WORK = {"loops": 500, "rows": 500, "broadcast": 2**20, "einsum": 2**20, "builtin": 2**24}
_SAMPLE_ENTRIES = 2**17
_SAMPLE_SECONDS = 0.05
JOB_SECONDS = 0.06
"""Seconds that Hydra and a local store need for each job of a sweep."""
_STATISTICS = 5  # cost of all statistics of a layer, in stds


@dataclass(frozen=True)
class Size:
    """The sizes of a network and its batch, `depth` hidden layers of `width` units."""

    depth: int
    inputs: int
    width: int
    outputs: int
    batch: int
    replicas: int

    @property
    def weights(self) -> int:
        """The number of weights of all replicas."""
        return self.replicas * sum(n * fan_in * fan_out for n, fan_in, fan_out in self.layers())

    @property
    def stack(self) -> int:
        """The entries of one quantity, such as activations, in all hidden layers and replicas."""
        return self.depth * self.replicas * self.batch * self.width

    def layers(self) -> list[tuple[int, int, int]]:
        """(how many, fan_in, fan_out) of each kind of layer, the output layer last."""
        if self.depth == 0:
            return [(1, self.inputs, self.outputs)]
        hidden = (self.depth - 1, self.width, self.width)
        return [(1, self.inputs, self.width), hidden, (1, self.width, self.outputs)]

    def products(self) -> Iterator[tuple[int, int, int, int]]:
        """(how many, rows, inner, columns) of each kind of product in one pass of one replica.

        These are the forward product, the gradient of the weights, and the gradient of the layer's
        input (except in the first layer).
        """
        for number, (layers, fan_in, fan_out) in enumerate(self.layers()):
            yield layers, self.batch, fan_in, fan_out
            yield layers, fan_in, self.batch, fan_out
            if number:
                yield layers, self.batch, fan_out, fan_in


def memory(size: Size, *, itemsize: int, engine: str = "manual", matmul: str = "builtin") -> int:
    """The peak memory of a run in bytes, on the device that holds the network.

    Counts weights, gradients and three stacks; autograd's graph has copies of them.
    """
    copies = 1 if engine == "manual" else 2
    entries = copies * (2 * size.weights + 3 * size.stack)
    largest = max(rows * inner * columns for _, rows, inner, columns in size.products())
    if matmul == "einsum":
        entries += largest  # it holds every product at once
    return entries * itemsize + size.depth * _LAYER_BYTES


def python_steps(size: Size, *, matmul: str, passes: int) -> int:
    """The Python steps of the rungs that go element by element; 0 for the others.

    `loops` takes one step per multiplication, `rows` one per entry of the result.
    """
    if matmul not in ("loops", "rows"):
        return 0
    return passes * size.replicas * _work(size, matmul)


def _work(size: Size, matmul: str) -> int:
    """The work of a pass of one replica: multiplications, or entries of the results for `rows`."""
    return sum(
        count * rows * columns * (1 if matmul == "rows" else inner)
        for count, rows, inner, columns in size.products()
    )


def python_seconds(size: Size, *, matmul: str, passes: int, device: str = "cpu") -> float:
    """The seconds of those steps at a fixed cost per step, so the same on any machine."""
    slower = 1 if device == "cpu" else _ACCELERATOR_STEPS
    steps = python_steps(size, matmul=matmul, passes=passes)
    return steps * STEP_SECONDS * slower


def jacobian_seconds(size: Size, inputs: int) -> float:
    """The seconds for the singular values of every Jacobian, at a fixed cost per operation."""
    largest, least = max(size.inputs, size.width), min(size.inputs, size.width)
    products = max(size.depth - 1, 0) * size.inputs * size.width**2
    values = _SINGULAR_VALUES * largest * least**2
    return size.replicas * inputs * (products + values) * _PRODUCT_SECONDS


def jacobian_memory(size: Size, inputs: int) -> int:
    """Bytes on the CPU: three copies of one replica's product, and the slopes of all replicas."""
    slopes = 3 * size.depth * size.replicas * inputs * size.width
    return 8 * (3 * inputs * size.inputs * size.width + slopes)


def disk(depth: int, jobs: int = 1) -> int:
    """Bytes that runs leave on disk: in their folders, and as much again in a store."""
    return jobs * (_RUN_BYTES + depth * _CURVES * _CURVE_BYTES)


def seconds(
    size: Size,
    *,
    passes: int,
    matmul: str = "builtin",
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> float:
    """The seconds of the draws, the passes and the statistics, from a layer measured now.

    Equal layers are measured once, in some milliseconds. Not included: Hydra and the store (see
    JOB_SECONDS). Autograd, and activations that cost more than relu, may add a half.
    """
    layers = [
        (count, _Layer(size.replicas, size.batch, fan_in, fan_out))
        for count, fan_in, fan_out in size.layers()
    ]
    typical = layers[1][1] if size.depth > 1 else layers[0][1]
    sample = _sample(typical, matmul)
    least = _layer_seconds(_Layer(1, 1, 1, 1), matmul, dtype, device)
    rate = max(_layer_seconds(sample, matmul, dtype, device) - least, 0) / sample.work(matmul)
    work = sum(count * layer.work(matmul) for count, layer in layers)
    one_pass = (size.depth + 1) * least + rate * work
    draw_seconds, statistics_seconds = _entry_seconds(dtype, device)
    return passes * one_pass + size.weights * draw_seconds + 3 * size.stack * statistics_seconds


class _Layer(NamedTuple):
    replicas: int
    batch: int
    fan_in: int
    fan_out: int

    def work(self, matmul: str) -> int:
        """The work of the layer as in `_work`, the gradient of its input included."""
        replicas, batch, fan_in, fan_out = self
        if matmul == "rows":
            return replicas * (batch * fan_out + fan_in * fan_out + batch * fan_in)
        return 3 * replicas * batch * fan_in * fan_out


def _sample(layer: _Layer, matmul: str) -> _Layer:
    """A smaller layer of similar shape, quick to measure."""
    while layer.work(matmul) > _SAMPLE_WORK[matmul]:
        replicas, *sizes = layer
        if replicas > 1:
            layer = _Layer(-(-replicas // 2), *sizes)
        else:
            largest = max(sizes)
            layer = _Layer(1, *(-(-size // 2) if size == largest else size for size in sizes))
    return layer


@cache
def _layer_seconds(layer: _Layer, matmul: str, dtype: torch.dtype, device: str) -> float:
    """Measure one layer, forward and back."""
    replicas, batch, fan_in, fan_out = layer

    def new(rows: int, columns: int) -> torch.Tensor:
        return torch.ones(replicas, rows, columns, dtype=dtype, device=device)

    x, w, b = new(batch, fan_in), new(fan_in, fan_out), new(1, fan_out)
    z, a = new(batch, fan_out), new(batch, fan_out)
    delta, w_grad = new(batch, fan_in), new(fan_in, fan_out)
    relu, rung = ReLU(), RUNGS[matmul]
    relu_in_place = make_in_place(relu)

    def run() -> None:
        linear(x, w, b, out=z, matmul=rung)
        relu_in_place(z, out=a)
        input_gradient(z, w, out=delta, matmul=rung)
        delta.mul_(relu.derivative(x, x))
        weight_gradient(x, z, out=w_grad, matmul=rung)
        bias_gradient(z, out=b)

    return _measure_seconds(run, device)


@cache
def _entry_seconds(dtype: torch.dtype, device: str) -> tuple[float, float]:
    """The seconds to draw one weight, and to compute all statistics of one entry."""
    x = torch.randn(1, 1, 256, _SAMPLE_ENTRIES // 256).to(device, dtype)
    draw_seconds = _measure_seconds(lambda: torch.randn(x.shape).to(device, dtype), device)
    std_seconds = _measure_seconds(lambda: reductions.std(x), device)
    return draw_seconds / x.numel(), std_seconds * _STATISTICS / 3 / x.numel()


def _measure_seconds(work: Callable[[], object], device: str) -> float:
    """The shortest of several times: other work on the machine only adds to a time."""
    synchronize = getattr(torch, device.partition(":")[0]).synchronize
    times: list[float] = []
    while len(times) < 5 or (len(times) < 30 and sum(times) < _SAMPLE_SECONDS):
        start = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
