"""Three engines, one network: the same numbers, whoever runs the backward pass."""

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from workplace import PROJECT, options

from fanin.nn.activations import Activation, Tanh
from fanin.nn.engines import ENGINES
from fanin.nn.init import VarianceScaling
from fanin.nn.losses import MSE, CrossEntropy, Loss
from fanin.nn.matmul import RUNGS
from fanin.nn.network import Network
from fanin.nn.parameters import draw

LOSSES = {"mse": MSE(), "cross_entropy": CrossEntropy()}
OTHERS = pytest.mark.parametrize("engine", [name for name in ENGINES if name != "manual"])


def option(group: str, name: str) -> Activation:
    return instantiate(OmegaConf.load(PROJECT / "conf" / group / f"{name}.yaml"))


def build(
    engine: str,
    activation: Activation,
    loss: Loss,
    *,
    depth: int = 3,
    width: int = 4,
    batch: int = 5,
    replicas: int = 2,
    rung: str = "builtin",
) -> Network:
    """A network in float64, with biases; the same for every engine."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(batch, 3, generator=generator, dtype=torch.float64)
    targets = loss.prepare(torch.arange(batch) % 3, torch.float64)
    parameters = draw(
        VarianceScaling(scale=2.0, bias_std=0.3),
        range(replicas),
        depth=depth,
        inputs=3,
        width=width,
        outputs=loss.outputs(targets),
        dtype=torch.float64,
    )
    return ENGINES[engine](parameters, activation, loss, inputs, targets, RUNGS[rung])


def assert_same(network: Network, manual: Network) -> None:
    for name in ("z", "a", "delta", "out", "loss"):
        ours, theirs = getattr(manual, name), getattr(network, name)
        torch.testing.assert_close(theirs, ours, rtol=1e-10, atol=1e-12, msg=name)
    for name, ours in vars(manual.gradients).items():
        theirs = getattr(network.gradients, name)
        torch.testing.assert_close(theirs, ours, rtol=1e-10, atol=1e-12, msg=name)


@OTHERS
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", options("activation"))
def test_agree_on_every_activation_and_loss(engine, activation, loss):
    phi = option("activation", activation)
    manual = build("manual", phi, LOSSES[loss]).run()
    assert_same(build(engine, phi, LOSSES[loss]).run(), manual)


@OTHERS
@given(
    depth=st.integers(0, 4),
    width=st.integers(1, 4),
    batch=st.integers(1, 5),
    replicas=st.integers(1, 3),
)
@settings(max_examples=30, deadline=None)
def test_agree_in_every_shape(engine, depth, width, batch, replicas):
    shape = {"depth": depth, "width": width, "batch": batch, "replicas": replicas}
    for loss in LOSSES.values():
        assert_same(
            build(engine, Tanh(), loss, **shape).run(), build("manual", Tanh(), loss, **shape).run()
        )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rung", RUNGS)
def test_any_rung_carries_any_engine(engine, rung):
    shape = {"depth": 2, "width": 2, "batch": 2}
    network = build(engine, Tanh(), MSE(), **shape, rung=rung).run()
    assert_same(network, build("manual", Tanh(), MSE(), **shape).run())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_pass_is_the_first_again(engine):
    network = build(engine, Tanh(), MSE()).run()
    first = network.gradients.hidden.clone()
    assert torch.equal(network.run().gradients.hidden, first)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_every_layer_is_announced_once_each_way(engine, depth):
    network = build(engine, Tanh(), MSE(), depth=depth)
    called: list[str] = []
    network.forward(lambda: called.append("forward"))
    network.backward(lambda: called.append("backward"))
    assert called == ["forward"] * (depth + 1) + ["backward"] * (depth + 1)
