"""What the rooms of the ground floor share: every option that conf/ offers, by its file."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.nn import functional

CONF = Path(__file__).parents[2] / "conf"

# PyTorch's own, without the linear branch that its softplus takes above 20.
TORCH = {
    "elu": functional.elu,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "hardtanh": functional.hardtanh,
    "identity": lambda z: 1 * z,
    "leaky_relu": functional.leaky_relu,
    "mish": functional.mish,
    "relu": functional.relu,
    "selu": functional.selu,
    "sigmoid": functional.sigmoid,
    "silu": functional.silu,
    "softplus": lambda z: functional.softplus(z, threshold=500),
    "softsign": functional.softsign,
    "tanh": functional.tanh,
}


def names(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def make(group, name, **settings):
    return instantiate(OmegaConf.load(CONF / group / f"{name}.yaml"), **settings)


@pytest.fixture(scope="session", params=names("activation"))
def activation_name(request):
    return request.param


@pytest.fixture(scope="session")
def activation(activation_name):
    return make("activation", activation_name)


@pytest.fixture(scope="session")
def counterpart(activation_name):
    """PyTorch's function of the same name."""
    if activation_name not in TORCH:
        pytest.skip(f"PyTorch has no {activation_name}")
    return TORCH[activation_name]


@pytest.fixture(scope="session", params=names("init"))
def init_name(request):
    return request.param


@pytest.fixture(scope="session")
def make_init(init_name):
    """The init of that file, with settings of one's own."""
    return lambda **settings: make("init", init_name, **settings)


@pytest.fixture(scope="session")
def init(make_init):
    return make_init()


@pytest.fixture(scope="session", params=names("loss"))
def loss_name(request):
    return request.param


@pytest.fixture(scope="session")
def loss(loss_name):
    return make("loss", loss_name)
