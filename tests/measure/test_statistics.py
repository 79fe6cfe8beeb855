"""The table of statistics: what its entries promise to plots, documentation and profiles."""

import numpy as np
import pytest
import torch

from fanin.measure import reductions, statistics
from fanin.measure.profile import measure
from fanin.measure.statistics import CURVES, STATISTICS, Readings, Statistic
from fanin.measure.timing import Times
from fanin.nn.activations import ReLU, Tanh
from fanin.nn.init import VarianceScaling

DEPTH, REPLICAS = 3, 2
TIMES = Times(np.ones(DEPTH), np.ones(DEPTH), 4.0, 4.0)


@pytest.fixture
def network(build):
    return build(VarianceScaling(), Tanh(), depth=DEPTH, seeds=range(REPLICAS), batch=8).run()


def test_the_curves_of_the_contract_are_in_the_table():
    assert set(CURVES) >= {
        "preactivation/mean",
        "preactivation/std",
        "activation/mean",
        "activation/std",
        "activation/dead_fraction",
        "activation/saturated_fraction",
        "activation/correlation",
        "gradient/preactivation_norm",
        "gradient/weight_norm",
        "gradient/bias_norm",
        "time/forward_ms",
        "time/backward_ms",
    }


@pytest.mark.parametrize("entry", STATISTICS.values(), ids=CURVES)
def test_every_entry_can_be_documented_and_drawn(entry):
    assert STATISTICS[entry.name] is entry
    assert entry.meaning[0].isupper()
    assert entry.meaning.endswith(".")
    if entry.name.startswith("gradient/"):
        assert entry.direction == "backward"
    assert entry.opposite is None or entry.opposite in STATISTICS


def test_labels_tell_curves_apart():
    assert len({entry.label for entry in STATISTICS.values()}) == len(STATISTICS)


@pytest.mark.parametrize("entry", STATISTICS.values(), ids=CURVES)
def test_every_entry_reads_a_value_per_layer_and_replica(entry, network):
    values = entry.read(Readings(network, TIMES))
    assert values.shape == (DEPTH, REPLICAS if entry.per_replica else 1)
    assert values.dtype == torch.float64


def test_a_stack_is_read_once_for_all_its_statistics(network, monkeypatch):
    read = []
    for name in ("mean_and_std", "mean_std_and_correlation", "dead_and_saturated"):
        reduction = getattr(reductions, name)
        monkeypatch.setattr(
            reductions, name, lambda *stacks, f=reduction, n=name: (read.append(n), f(*stacks))[1]
        )
    measure(network, TIMES)
    assert sorted(read) == ["dead_and_saturated", "mean_and_std", "mean_std_and_correlation"]


def test_only_bounded_activations_saturate(build, network):
    saturated = STATISTICS["activation/saturated_fraction"]
    assert saturated.applies(network)
    assert not saturated.applies(build(VarianceScaling(), ReLU(), depth=1))
    assert all(entry.applies(network) for entry in STATISTICS.values() if entry is not saturated)


def test_a_new_entry_is_measured_with_its_band(network, monkeypatch):
    largest = Statistic(
        name="activation/smallest",
        label="smallest activation",
        meaning="Smallest activation over batch and units, in units of a.",
        scale="linear",
        direction="forward",
        read=lambda readings: readings.network.a.amin((-2, -1)).double(),
    )
    monkeypatch.setitem(statistics.STATISTICS, largest.name, largest)
    curves = measure(network, TIMES).curves
    expected = network.a.amin((-2, -1)).double().numpy()
    np.testing.assert_allclose(curves["activation/smallest"], np.median(expected, axis=1))
    assert {"activation/smallest_low", "activation/smallest_high"} < set(curves)
