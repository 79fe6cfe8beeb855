"""Fixtures of all rooms."""

from pathlib import Path

import pytest
import torch
from workplace import Workplace

from fanin.measure.profile import measure
from fanin.measure.timing import time_passes
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.runner.data import Gaussian


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Layers this small gain nothing from a second thread, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def seeded():
    """A test that draws numbers draws the same ones each time."""
    torch.manual_seed(0)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


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
