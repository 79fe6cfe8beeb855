"""What the rooms of the first floor share: networks to measure."""

import pytest
import torch

from fanin.data import Gaussian
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.signal.profile import measure
from fanin.signal.timing import time_passes


def _build(
    init,
    activation,
    *,
    depth,
    width=100,
    seeds=(0,),
    batch=200,
    inputs=None,
    targets=None,
    loss=None,
    dtype=torch.float32,
    device="cpu",
):
    """The chapter's: 200 inputs of 100 values, width 100, one output, mean squared error."""
    x, y, _ = Gaussian(features=100).load(batch)
    x = (x if inputs is None else inputs).to(device, dtype)
    loss = loss or MSE()
    y = loss.prepare(y[: len(x)] if targets is None else targets, dtype).to(device)
    parameters = draw(
        init,
        seeds,
        depth=depth,
        inputs=x.shape[1],
        width=width,
        outputs=loss.outputs(y),
        dtype=dtype,
        device=device,
    )
    return Network(parameters, activation, loss, x, y)


@pytest.fixture(scope="session")
def build():
    return _build


@pytest.fixture(scope="session")
def profile():
    """The profile of a network, after one pass."""
    return lambda network: measure(network, time_passes(network, warmup=0, repeats=1))
