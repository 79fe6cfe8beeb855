"""Which units count as dead and which activations as saturated."""

import math
from dataclasses import dataclass

import pytest
import torch

from fanin.measure import reductions
from fanin.measure.reductions import dead_and_saturated
from fanin.nn.activations import (
    Activation,
    HardTanh,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softsign,
    Tanh,
)

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def columns(values, batch=4):
    """A layer whose units have these values on every input."""
    return torch.tensor(values).expand(1, 1, batch, len(values)).clone()


@every_dtype
@pytest.mark.parametrize(
    ("activation", "values", "expected"),
    [
        (ReLU(), [-1.0, 0.0, 1.0, 2.0], 0.5),
        (ReLU(), [1.0, 2.0], 0.0),
        (ReLU(), [-1.0, -2.0], 1.0),
        (Tanh(), [-12.0, 0.0, 3.0, 12.0, 40.0], 0.6),
        (Sigmoid(), [-30.0, -5.0, 0.0, 5.0, 30.0], 0.4),
        (LeakyReLU(), [-1.0, -100.0, 5.0], 0.0),
        (Identity(), [0.0, -1.0], 0.0),
    ],
    ids=str,
)
def test_dead_units_are_counted(activation, values, expected, dtype):
    z = columns(values).to(dtype)
    share, _ = dead_and_saturated(activation, z, activation.forward(z))
    assert share.dtype == torch.float64
    assert share.item() == pytest.approx(expected, abs=1e-7)


def test_a_unit_that_one_input_reaches_is_not_dead():
    z = torch.full((2, 3, 4, 5), -1.0)
    z[1, 2, 3, :2] = 1
    share, _ = dead_and_saturated(ReLU(), z, z.relu())
    assert share[1, 2].item() == pytest.approx(0.6)
    assert share.sum().item() == pytest.approx(5.6)


@pytest.mark.parametrize("steepness", [1.0, 1e-3, 1e3])
def test_dead_is_below_a_millionth_of_the_steepest(steepness):
    @dataclass(frozen=True)
    class Scaled(Activation):
        def forward(self, z):
            return steepness * z.tanh()

        def derivative(self, z, a):
            return steepness * (1 - z.tanh().square())

    # 1 - tanh(z)^2 is 4 exp(-2 z) far out: 2e-6 at 7.25, 0.5e-6 at 7.95.
    z = columns([7.25, 7.95]).double()
    dead, saturated = dead_and_saturated(Scaled(), z, Scaled().forward(z))
    assert (dead.item(), saturated.item()) == (0.5, 1)


@every_dtype
@pytest.mark.parametrize(
    ("activation", "values", "expected"),
    [
        # tanh' = 1 - tanh^2 is 0.05 at 2.1780; sigmoid' / 0.25 at 4.3565; softsign' at 3.4721.
        (Tanh(), [-2.3, -2.1, 0.0, 2.1, 2.3], 0.4),
        (Sigmoid(), [-4.6, -4.2, 0.0, 4.2, 4.6], 0.4),
        (Softsign(), [-3.6, -3.4, 0.0, 3.4, 3.6], 0.4),
        (HardTanh(), [-1.1, 0.9, 0.0, 3.0], 0.5),
        (ReLU(), [-1.0, 1.0], math.nan),
        (LeakyReLU(), [-1.0, 1.0], math.nan),
        (Identity(), [-1e3, 1e3], math.nan),
    ],
    ids=str,
)
def test_saturated_entries_are_counted(activation, values, expected, dtype):
    z = columns(values).to(dtype)
    _, share = dead_and_saturated(activation, z, activation.forward(z))
    assert (share.shape, share.dtype) == ((1, 1), torch.float64)
    assert share.item() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_entries_are_saturated_one_by_one_and_units_die_as_a_whole():
    z = torch.zeros(2, 3, 4, 5)
    z[1, 2, :3] = 50.0
    dead, saturated = dead_and_saturated(Tanh(), z, z.tanh())
    assert dead.sum() == 0
    assert saturated[1, 2].item() == pytest.approx(3 / 4)
    assert saturated.sum().item() == pytest.approx(3 / 4)


@dataclass(frozen=True)
class HalfSquare(Activation):
    """Its derivative is z itself, and not a copy."""

    def forward(self, z):
        return 0.5 * z * z

    def derivative(self, z, a):
        return z


def test_counting_the_dead_leaves_a_pass_as_it_was():
    for activation in (ReLU(), Tanh(), HalfSquare()):
        z = torch.randn(2, 2, 6, 5)
        a = activation.forward(z)
        z_before, a_before = z.clone(), a.clone()
        dead_and_saturated(activation, z, a)
        assert torch.equal(z, z_before)
        assert torch.equal(a, a_before)


@pytest.mark.parametrize("chunk", [1, 100, 161])
@pytest.mark.parametrize(("share", "activation"), [(0, ReLU()), (1, Tanh())], ids=str)
def test_chunks_do_not_show(share, activation, chunk, monkeypatch):
    z = torch.randn(5, 2, 8, 50) - 1.5
    a = activation.forward(z)
    whole = dead_and_saturated(activation, z, a)[share]
    assert 0 < whole.min() < whole.max() < 1
    monkeypatch.setattr(reductions, "_CHUNK", chunk)
    assert torch.equal(dead_and_saturated(activation, z, a)[share], whole)
