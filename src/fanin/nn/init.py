"""Init schemes: how weights and biases are drawn, and their variance.

A scheme draws stacks of layers from a generator on the CPU, in float32: weights
(layers, fan_in, fan_out) and biases (layers, 1, fan_out). `variance` and `bias_variance` are the
variances of one weight and one bias, which is all that mean-field theory needs of most schemes.

A scheme may depend on the activation (`resolve`, before anything is drawn) and on the data (`fit`,
afterwards).

A new scheme is a YAML file in conf/init, and a subclass of Init if no class here describes it.
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
    """bias_std: the std of the biases, which are normal; 0 for biases of zero."""

    bias_std: float = 0.0

    def __post_init__(self) -> None:
        _check_at_least_zero(bias_std=self.bias_std)

    @abstractmethod
    def variance(self, fan_in: int, fan_out: int) -> float:
        """The variance of one weight of a layer with this fan_in and fan_out."""

    @abstractmethod
    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        """Weights, (layers, fan_in, fan_out)."""

    def biases(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        """Biases, (layers, 1, fan_out). With a std of 0 the generator is not used."""
        if self.bias_std == 0:
            return torch.zeros(layers, 1, fan_out)
        return self.bias_std * torch.randn(layers, 1, fan_out, generator=generator)

    def bias_variance(self, fan_in: int, fan_out: int) -> float:
        """The variance of one bias of a layer with this fan_in and fan_out."""
        return self.bias_std**2

    def variance_for(self, second_moment: float, fan_in: int, fan_out: int) -> float:
        """The variance of one weight after `fit`, if the layer's inputs have this second moment."""
        return self.variance(fan_in, fan_out)

    def norm_variance_factor(self, fan_in: int, fan_out: int) -> float:
        """The variance of |x @ w|^2 over draws of w, relative to that of independent weights.

        1 for independent weights, 0 if w keeps every length.
        """
        return 1.0

    def fit_tolerance(self) -> float | None:
        """How far from 1 `fit` may leave the std of pre-activations; None if it does not fit."""
        return None

    def resolve(self, activation: Activation) -> "Init":
        """The scheme for networks with this activation. Raises ValueError if there is none."""
        return self

    def fit(self, layers: Layers, activation: Activation, inputs: Tensor) -> int | None:
        """Fit drawn parameters to the data, in place.

        Gives the number of changes made, None for a scheme that does not fit. layers: (w, b) of
        each layer in order, (replicas, fan_in, fan_out) and (replicas, 1, fan_out), the linear
        output layer last. inputs: (batch, features).
        """
        return None


@dataclass(frozen=True, kw_only=True)
class Normal(Init):
    """w ~ N(0, std^2), whatever the size of the layer."""

    std: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_at_least_zero(std=self.std)

    def variance(self, fan_in: int, fan_out: int) -> float:
        return self.std * self.std  # a power would raise OverflowError instead of giving inf

    def weights(self, layers: int, fan_in: int, fan_out: int, generator: Generator) -> Tensor:
        return self.std * torch.randn(layers, fan_in, fan_out, generator=generator)


@dataclass(frozen=True, kw_only=True)
class VarianceScaling(Init):
    """Var(w) = scale / fan.

    mode: the fan is fan_in, fan_out, or fan_avg = (fan_in + fan_out) / 2.
    distribution: normal, uniform, or truncated_normal (a wider normal, cut at two of its standard
    deviations, so that the variance is as stated).
    bias_std: None draws the biases from the distribution of the weights, as nn.Linear does.

    LeCun et al. 1998, Glorot and Bengio 2010 and He et al. 2015 are special cases.
    """

    bias_std: float | None = 0.0  # type: ignore[assignment]
    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "normal"

    def __post_init__(self) -> None:
        _check_at_least_zero(scale=self.scale, bias_std=self.bias_std or 0.0)
        _check_choice(mode=self.mode, choices=("fan_in", "fan_out", "fan_avg"))
        _check_choice(distribution=self.distribution, choices=tuple(_UNIT_VARIANCE))

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
    """w = sqrt(scale) Q, with orthonormal columns in Q, or rows if fan_out is larger.

    Q is uniform over such matrices: the Q of a normal matrix's QR, with R's diagonal made
    positive (Mezzadri 2007, section 5). Saxe et al. 2013.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_at_least_zero(scale=self.scale)

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

    The layers are scaled in order, on the batch that the scaled layers before pass on. A layer's
    weights are divided by the std of its pre-activations over batch and units, until that std is
    within `tolerance` of 1, at most `steps` times. Biases stay as drawn. Mishkin and Matas 2016,
    algorithm 1.

    A layer is left alone if no division would help: its inputs are all zero, or its
    pre-activations differ only by rounding, or are not finite.
    """

    tolerance: float = 0.01
    steps: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_at_least_zero(tolerance=self.tolerance)
        if self.tolerance >= 1:
            raise ValueError(f"tolerance={self.tolerance:g}: use a number below 1")
        if self.steps < 1:
            raise ValueError(f"steps={self.steps}: use a whole number, 1 or more")
        if self.bias_std >= 1:
            raise ValueError(
                f"bias_std={self.bias_std:g}: use a number below 1, "
                "the std that weights and biases together are scaled to"
            )

    def variance(self, fan_in: int, fan_out: int) -> float:
        """The variance of a weight as drawn."""
        return Orthogonal().variance(fan_in, fan_out)

    def variance_for(self, second_moment: float, fan_in: int, fan_out: int) -> float:
        """The variance of a fitted weight, which makes the variance of the pre-activations 1."""
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
        """The number of divisions in all layers together, in the replica that needed most."""
        x = inputs
        divisions = torch.zeros(len(layers[0][0]), dtype=torch.int64, device=inputs.device)
        for w, b in layers:
            z = linear(x, w, b)
            for _ in range(self.steps):
                std = _std(z)
                can_scale = (x != 0).any(-1).any(-1) & (std > 0)
                is_off = can_scale & ((std - 1).abs() > self.tolerance)
                if not is_off.any():
                    break
                w.div_(torch.where(is_off, std, 1)[:, None, None])
                divisions += is_off
                z = linear(x, w, b)
            x = activation.forward(z)
        return int(divisions.max())


def _std(z: Tensor) -> Tensor:
    """The std of each replica's pre-activations, with n - 1.

    z is divided by its largest entry first, so that no square over- or underflows. 0 if the entries
    differ only by rounding, or one is not finite.
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
    """Drawn by inverting the distribution function between -2 and 2."""
    inside = math.erf(2 / math.sqrt(2))
    z = math.sqrt(2) * (inside * (2 * torch.rand(shape, generator=generator) - 1)).erfinv()
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    return z / math.sqrt(1 - 4 * density / inside)


_UNIT_VARIANCE = {
    "normal": _normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
}


def _check_at_least_zero(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}={value:g}: use a finite number, 0 or more")


def _check_choice(*, choices: tuple[str, ...], **setting: str) -> None:
    for name, value in setting.items():
        if value not in choices:
            raise ValueError(f"{name}={value}: use one of {', '.join(choices)}")
