"""Activations, each with its derivative.

`forward(z)` gives a = phi(z) and `derivative(z, a)` gives phi'(z), element by element, in the
shape and dtype of z. A derivative also gets the value, because several are shortest in terms of
it. At a kink the derivative is the one that PyTorch chooses, so that both agree everywhere.

A new activation is a subclass with these two methods and a YAML file in conf/activation.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor


class Activation(ABC):
    """kinks: where phi or one of its derivatives jumps; theory splits its integrals there."""

    kinks: ClassVar[tuple[float, ...]] = ()

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """phi(z)."""

    @abstractmethod
    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        """phi'(z), given a = phi(z)."""

    @cached_property
    def steepest(self) -> float:
        """The largest |phi'|, from a grid on [-10, 10], to about four digits."""
        z = torch.linspace(-10, 10, 20_001)
        return self.derivative(z, self.forward(z)).abs().max().item()

    @cached_property
    def bounded(self) -> bool:
        """Whether phi is flat far out on both sides, so that large pre-activations saturate it."""
        far = torch.tensor([-1e9, 1e9])
        return bool((self.derivative(far, self.forward(far)).abs() < 1e-6 * self.steepest).all())


@dataclass(frozen=True)
class Identity(Activation):
    """phi(z) = z: the purely linear stack."""

    def forward(self, z: Tensor) -> Tensor:
        return z

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return torch.ones_like(z)


@dataclass(frozen=True)
class ReLU(Activation):
    """max(z, 0). Nair and Hinton 2010."""

    kinks = (0.0,)

    def forward(self, z: Tensor) -> Tensor:
        return z.relu()

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return a.sign()  # a is 0 or above


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """z where positive, slope * z elsewhere. Maas et al. 2013."""

    kinks = (0.0,)
    slope: float = 0.01

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, z, self.slope * z)

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return torch.where(z > 0, torch.ones_like(z), self.slope)


@dataclass(frozen=True)
class Tanh(Activation):
    """tanh(z)."""

    def forward(self, z: Tensor) -> Tensor:
        return z.tanh()

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return 1 - a * a


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-z))."""

    def forward(self, z: Tensor) -> Tensor:
        return z.sigmoid()

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return a * (1 - a)


@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp(z)). Dugas et al. 2001."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.logaddexp(z, torch.zeros_like(z))

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return z.sigmoid()


@dataclass(frozen=True)
class ELU(Activation):
    """z where positive, alpha * (exp(z) - 1) elsewhere. Clevert et al. 2016, eq. 15."""

    kinks = (0.0,)
    alpha: float = 1.0

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, z, self.alpha * z.clamp(max=0).expm1())

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return torch.where(z > 0, 1.0, self.alpha * z.clamp(max=0).exp())


@dataclass(frozen=True)
class SELU(Activation):
    """scale * ELU(z, alpha), with the constants that keep mean 0 and variance 1.

    Klambauer et al. 2017, eqs. 2 and 14.
    """

    kinks = (0.0,)
    alpha: float = 1.6732632423543772
    scale: float = 1.0507009873554805

    def forward(self, z: Tensor) -> Tensor:
        return self.scale * ELU(self.alpha).forward(z)

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return self.scale * ELU(self.alpha).derivative(z, a)


@dataclass(frozen=True)
class GELU(Activation):
    """z * Phi(z), Phi the normal distribution function. Hendrycks and Gimpel 2016."""

    def forward(self, z: Tensor) -> Tensor:
        return z * _normal_cdf(z)

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        density = (-0.5 * z * z).exp() / math.sqrt(2 * math.pi)
        return _normal_cdf(z) + z * density


@dataclass(frozen=True)
class GELUTanh(Activation):
    """GELU with Phi(z) replaced by (1 + tanh(u)) / 2, u = sqrt(2/pi) (z + 0.044715 z^3).

    Hendrycks and Gimpel 2016, section 2.
    """

    def forward(self, z: Tensor) -> Tensor:
        return 0.5 * z * (1 + self._tanh(z)[0])

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        t, slope = self._tanh(z)
        return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * slope

    @staticmethod
    def _tanh(z: Tensor) -> tuple[Tensor, Tensor]:
        """tanh(u) and du/dz. Beyond 10 the tanh is 1 to the last bit, so z may be clamped there."""
        z = z.clamp(-10, 10)
        c = math.sqrt(2 / math.pi)
        return (c * (z + 0.044715 * z**3)).tanh(), c * (1 + 3 * 0.044715 * z * z)


@dataclass(frozen=True)
class SiLU(Activation):
    """z * sigmoid(z), also called swish. Elfwing et al. 2017, eq. 5."""

    def forward(self, z: Tensor) -> Tensor:
        return z * z.sigmoid()

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        s = z.sigmoid()
        return s * (1 + z * (1 - s))


@dataclass(frozen=True)
class Mish(Activation):
    """z * tanh(softplus(z)). Misra 2019."""

    def forward(self, z: Tensor) -> Tensor:
        return z * Softplus().forward(z).tanh()

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        t = Softplus().forward(z).tanh()
        return t + z * z.sigmoid() * (1 - t * t)


@dataclass(frozen=True)
class Softsign(Activation):
    """z / (1 + |z|). Bergstra et al. 2009; compared with tanh in Glorot and Bengio 2010."""

    kinks = (0.0,)

    def forward(self, z: Tensor) -> Tensor:
        return z / (1 + z.abs())

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return (1 / (1 + z.abs())).square()


@dataclass(frozen=True)
class HardTanh(Activation):
    """z, clipped to [-1, 1]. Collobert 2004."""

    kinks = (-1.0, 1.0)

    def forward(self, z: Tensor) -> Tensor:
        return z.clamp(-1, 1)

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return (z.abs() < 1).to(z.dtype)


@dataclass(frozen=True)
class Erf(Activation):
    """erf(z): the sigmoid whose mean-field integrals have closed forms. Williams 1997."""

    def forward(self, z: Tensor) -> Tensor:
        return z.erf()

    def derivative(self, z: Tensor, a: Tensor) -> Tensor:
        return (-z * z).exp() * (2 / math.sqrt(math.pi))


_IN_PLACE: dict[type[Activation], Callable[..., Tensor]] = {
    ReLU: lambda z, out: torch.clamp(z, min=0, out=out),
    Tanh: torch.tanh,
    Sigmoid: torch.sigmoid,
    Erf: torch.erf,
}


def make_in_place(activation: Activation) -> Callable[..., object]:
    """The function (z, out=a) that writes phi(z) into a, in one step if PyTorch has one."""
    # Looked up by the exact class: a subclass may have another forward.
    return _IN_PLACE.get(type(activation), lambda z, out: out.copy_(activation.forward(z)))


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 * (1 + (z / math.sqrt(2)).erf())
