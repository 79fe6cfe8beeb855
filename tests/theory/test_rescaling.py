"""Advice on the `scale` of inits that are classes of a user's own."""

from dataclasses import dataclass, field, replace

import pytest
import torch
from workplace import made

from fanin.nn.init import Init, VarianceScaling
from fanin.runner.data import Gaussian
from fanin.theory.advice import Catalogue, NetworkSpec, suggest
from fanin.theory.input_stats import describe

NOTHING = Catalogue(inits=(), activations=())
NETWORK = NetworkSpec(
    activation_name="relu",
    activation=made("activation", "relu"),
    inputs=describe(Gaussian().load(40).inputs),
    depth=6,
    width=100,
    outputs=1,
    dtype=torch.float32,
)


@dataclass(frozen=True, kw_only=True)
class Own(Init):
    """A user's scheme, which draws normal weights."""

    def weights(self, layers, fan_in, fan_out, generator):
        std = self.variance(fan_in, fan_out) ** 0.5
        return std * torch.randn(layers, fan_in, fan_out, generator=generator)


@dataclass(frozen=True, kw_only=True)
class Proportional(Own):
    """Var(w) = 4 scale / fan_in."""

    scale: float = 0.01

    def variance(self, fan_in, fan_out):
        return 4 * self.scale / fan_in


@dataclass(frozen=True, kw_only=True)
class Squared(Own):
    """The scale is that of the std."""

    scale: float = 0.01

    def variance(self, fan_in, fan_out):
        return 4 * self.scale**2 / fan_in


@dataclass(frozen=True, kw_only=True)
class Unrelated(Own):
    """The scale means something else."""

    scale: float = 0.5

    def variance(self, fan_in, fan_out):
        return 1e-4 / fan_in


@dataclass(frozen=True, kw_only=True)
class Named(Own):
    """The scale is no number."""

    scale: str = "small"

    def variance(self, fan_in, fan_out):
        return {"small": 1e-4, "large": 1e4}[self.scale] / fan_in


@dataclass(frozen=True, kw_only=True)
class Bounded(Proportional):
    """A scale that must be small."""

    def __post_init__(self):
        super().__post_init__()
        if self.scale > 0.1:
            raise ValueError(f"scale={self.scale}: use 0.1 or less")


@dataclass(frozen=True, kw_only=True)
class Fixed(Own):
    """A scale that nobody can set."""

    scale: float = field(default=0.01, init=False)

    def variance(self, fan_in, fan_out):
        return self.scale / fan_in


class Undecorated(Own):
    """Not a dataclass itself."""

    def __init__(self, scale=0.01):
        super().__init__()
        object.__setattr__(self, "scale", scale)

    def variance(self, fan_in, fan_out):
        return self.scale / fan_in


@dataclass(frozen=True, kw_only=True)
class WithGain(Proportional):
    """A scale to which the activation adds a gain."""

    def resolve(self, activation):
        return VarianceScaling(scale=100 * self.scale)


def test_a_scale_that_the_variance_is_proportional_to():
    assert suggest(Proportional(), NETWORK, NOTHING).settings == [("init.scale=0.5",)]


@pytest.mark.parametrize(
    "init",
    [Squared(), Named(), Unrelated(), Bounded(), Fixed(), Undecorated()],
    ids=lambda i: type(i).__name__,
)
def test_no_scale_is_advised_where_it_would_not_give_the_variance(init):
    suggestion = suggest(init, NETWORK, NOTHING)
    assert suggestion.settings == []
    assert suggestion.text.startswith("nothing that theory is sure of: ")


def test_the_scale_is_that_of_the_configured_init():
    configured = WithGain(scale=0.001)
    init = configured.resolve(NETWORK.activation)
    advised = suggest(init, NETWORK, NOTHING, configured=configured).settings
    assert advised == [("init.scale=0.02",)]


def test_biases_keep_their_size():
    network = replace(NETWORK, activation=made("activation", "tanh"), activation_name="tanh")
    init = Proportional(bias_std=0.05**0.5)
    assert suggest(init, network, NOTHING).settings == [("init.scale=0.4402",)]
