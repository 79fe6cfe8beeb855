"""Init schemes: how weights and biases are drawn, and the variance that gives.

A scheme draws stacks of layers, weights (layers, fan_in, fan_out) and biases
(layers, 1, fan_out), from a generator on the CPU in float32. `variance(fan_in, fan_out)` and
`bias_variance` are the variances of one weight and one bias, all that mean-field theory needs
to know of most schemes.

A scheme may also look at what it is to work with: at the activation before anything is drawn
(`given`), and at the data afterwards (`fit`).

A new scheme of a known class is a YAML file in conf/init; of a new class, also a subclass.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from fanin.nn.activations import Activation
from fanin.nn.linear import linear

Layers = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Init(ABC):
    """`bias_std`: the std of the biases, drawn from a normal distribution; 0 for none."""

    bias_std: float = 0.0

    def __post_init__(self) -> None:
        _at_least_zero(bias_std=self.bias_std)

    @abstractmethod
    def variance(self, fan_in: int, fan_out: int) -> float:
        """The variance of one weight of a layer with these fans."""

    @abstractmethod
    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        """Weights, (layers, fan_in, fan_out)."""

    def biases(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        """Biases, (layers, 1, fan_out). With a std of 0 nothing is drawn."""
        if self.bias_std == 0:
            return torch.zeros(layers, 1, fan_out)
        return self.bias_std * torch.randn(layers, 1, fan_out, generator=generator)

    def bias_variance(self, fan_in: int, fan_out: int) -> float:
        """The variance of one bias of a layer with these fans."""
        return self.bias_std**2

    def variance_for(self, second_moment: float, fan_in: int, fan_out: int) -> float:
        """The variance of one weight of a layer whose inputs have this second moment."""
        return self.variance(fan_in, fan_out)

    def norm_variance_factor(self, fan_in: int, fan_out: int) -> float:
        """How much a layer's |x @ w| varies from draw to draw: as a share of independent weights'.

        1 for independent weights, 0 where every length is kept.
        """
        return 1.0

    def fit_tolerance(self) -> float | None:
        """How far from 1 `fit` may leave the std of pre-activations; None where it does not fit."""
        return None

    def given(self, activation: Activation) -> "Init":
        """The scheme for networks with this activation. ValueError where there is none."""
        return self

    def fit(self, layers: Layers, activation: Activation, inputs: Tensor) -> int | None:
        """Fit drawn parameters to the data, in place; the number of changes made, if it does so.

        layers: (w, b) of each layer in order, (replicas, fan_in, fan_out) and
        (replicas, 1, fan_out), the linear output layer at the end. inputs: (batch, features).
        """
        return None


@dataclass(frozen=True, kw_only=True)
class Normal(Init):
    """w ~ N(0, std^2), whatever the layer's size."""

    std: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_zero(std=self.std)

    def variance(self, fan_in: int, fan_out: int) -> float:
        return self.std * self.std  # inf where it is too large

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        return self.std * torch.randn(layers, fan_in, fan_out, generator=generator)


@dataclass(frozen=True, kw_only=True)
class VarianceScaling(Init):
    """Var(w) = scale / fan, with the fan and the distribution that are named.

    mode: fan_in, fan_out or fan_avg, which is (fan_in + fan_out) / 2.
    distribution: normal, uniform, or truncated_normal (cut at two standard deviations of the
    normal it is cut from, which is widened so that the variance stays as stated).
    bias_std: None draws the biases as the weights are drawn, which is nn.Linear's rule.

    LeCun et al. 1998, Glorot and Bengio 2010 and He et al. 2015 are parameters of it.
    """

    bias_std: float | None = 0.0  # type: ignore[assignment]
    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "normal"

    def __post_init__(self) -> None:
        _at_least_zero(scale=self.scale, bias_std=self.bias_std or 0.0)
        _one_of(mode=self.mode, choices=("fan_in", "fan_out", "fan_avg"))
        _one_of(distribution=self.distribution, choices=tuple(_UNIT_VARIANCE))

    def variance(self, fan_in: int, fan_out: int) -> float:
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        return self.scale / fan[self.mode]

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        std = math.sqrt(self.variance(fan_in, fan_out))
        return std * _UNIT_VARIANCE[self.distribution]((layers, fan_in, fan_out), generator)

    def biases(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        if self.bias_std is not None:
            return super().biases(layers, fan_in, fan_out, generator)
        std = math.sqrt(self.variance(fan_in, fan_out))
        return std * _UNIT_VARIANCE[self.distribution]((layers, 1, fan_out), generator)

    def bias_variance(self, fan_in: int, fan_out: int) -> float:
        return self.variance(fan_in, fan_out) if self.bias_std is None else self.bias_std**2


@dataclass(frozen=True, kw_only=True)
class Orthogonal(Init):
    """w = sqrt(scale) Q, Q with orthonormal columns, or rows where fan_out is the larger.

    Q is uniform over such matrices: the Q of a normal matrix's QR, with R's diagonal made
    positive (Mezzadri 2007, section 5). Saxe et al. 2013.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_zero(scale=self.scale)

    def variance(self, fan_in: int, fan_out: int) -> float:
        return self.scale / max(fan_in, fan_out)

    def norm_variance_factor(self, fan_in: int, fan_out: int) -> float:
        return max(0.0, 1 - fan_out / fan_in)

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        tall = torch.randn(layers, max(fan_in, fan_out), min(fan_in, fan_out), generator=generator)
        q, r = torch.linalg.qr(tall)
        q *= r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
        oriented: Tensor = q if fan_in >= fan_out else q.mT
        return math.sqrt(self.scale) * oriented


@dataclass(frozen=True, kw_only=True)
class LSUV(Init):
    """Orthonormal weights, then each layer scaled until its pre-activations have std 1.

    Layer by layer in order, on the batch as the scaled layers before hand it on: a layer's
    weights are divided by the std of its pre-activations, over batch and units, until that is
    within `tolerance` of 1 or this was done `steps` times. Biases stay as drawn. Mishkin and
    Matas 2016, algorithm 1.

    A layer is left alone where no division would help: its inputs are all zero, or its
    pre-activations equal but for rounding, or no longer finite.
    """

    tolerance: float = 0.01
    steps: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_zero(tolerance=self.tolerance)
        if self.tolerance >= 1:
            raise ValueError(f"tolerance={self.tolerance:g}: use a number below 1")
        if self.steps < 1:
            raise ValueError(f"steps={self.steps}: use a whole number, 1 or more")
        if self.bias_std >= 1:
            raise ValueError(
                f"bias_std={self.bias_std:g}: use a number below 1, "
                "which is the std that weights and biases shall have together"
            )

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Of a weight as drawn."""
        return Orthogonal().variance(fan_in, fan_out)

    def variance_for(self, second_moment: float, fan_in: int, fan_out: int) -> float:
        """Of a weight when fitted: that which makes the pre-activations' variance 1."""
        if second_moment == 0:
            return self.variance(fan_in, fan_out)
        return (1 - self.bias_variance(fan_in, fan_out)) / (fan_in * second_moment)

    def norm_variance_factor(self, fan_in: int, fan_out: int) -> float:
        return Orthogonal().norm_variance_factor(fan_in, fan_out)

    def fit_tolerance(self) -> float:
        return self.tolerance

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        return Orthogonal().weights(layers, fan_in, fan_out, generator)

    def fit(self, layers: Layers, activation: Activation, inputs: Tensor) -> int:
        """The number of divisions, of all layers together, in the replica that took most."""
        x = inputs
        taken = torch.zeros(len(layers[0][0]), dtype=torch.int64, device=inputs.device)
        for w, b in layers:
            z = linear(x, w, b)
            for _ in range(self.steps):
                std = _std(z)
                helps = (x != 0).any(-1).any(-1) & (std > 0)
                wanted = helps & ((std - 1).abs() > self.tolerance)
                if not wanted.any():
                    break
                w.div_(torch.where(wanted, std, 1)[:, None, None])
                taken += wanted
                z = linear(x, w, b)
            x = activation.forward(z)
        return int(taken.max())


def _std(z: Tensor) -> Tensor:
    """The std of each replica's pre-activations, n - 1 below.

    Taken of z over its largest entry, so that no square is too large or too small. 0 where they
    differ by rounding only, and where one is not finite.
    """
    rounding = 4 * torch.finfo(z.dtype).eps
    z = z.float() if z.dtype.itemsize < 4 else z
    largest = z.abs().amax((-2, -1))
    deviation = z / largest[:, None, None]
    deviation -= deviation.mean((-2, -1), keepdim=True)
    count = max(z[0].numel() - 1, 1)
    std = (deviation.square().sum((-2, -1)) / count).sqrt()
    return torch.where(std > rounding, std * largest, 0)


def _normal(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return math.sqrt(3) * (2 * torch.rand(shape, generator=generator) - 1)


def _truncated_normal(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """By inverting the distribution function between -2 and 2."""
    inside = math.erf(2 / math.sqrt(2))
    z = math.sqrt(2) * (inside * (2 * torch.rand(shape, generator=generator) - 1)).erfinv()
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    return z / math.sqrt(1 - 4 * density / inside)


_UNIT_VARIANCE = {
    "normal": _normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
}


def _at_least_zero(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}={value:g}: use a finite number, 0 or more")


def _one_of(*, choices: tuple[str, ...], **setting: str) -> None:
    for name, value in setting.items():
        if value not in choices:
            raise ValueError(f"{name}={value}: use one of {', '.join(choices)}")
