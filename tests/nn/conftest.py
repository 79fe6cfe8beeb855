"""Fixtures of nn: every option in conf/, from its file."""

import pytest
import torch
from torch.nn import functional
from workplace import made as make
from workplace import options as names

from fanin.nn.activations import Tanh

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
    """Makes the init of that file with other settings, resolved for tanh."""
    return lambda **settings: make("init", init_name, **settings).resolve(Tanh())


@pytest.fixture(scope="session")
def init(make_init):
    return make_init()


@pytest.fixture(scope="session", params=names("loss"))
def loss_name(request):
    return request.param


@pytest.fixture(scope="session")
def loss(loss_name):
    return make("loss", loss_name)
