"""The clock: which time goes to which layer. How long anything takes is not tested."""

from itertools import accumulate
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fanin.measure import timing
from fanin.measure.timing import time_passes
from fanin.nn.activations import Tanh
from fanin.nn.init import VarianceScaling


@pytest.fixture
def make(build):
    return lambda depth, **sizes: build(
        VarianceScaling(), Tanh(), depth=depth, width=20, batch=10, seeds=(0, 1), **sizes
    )


def scripted(monkeypatch, seconds):
    """A clock whose k-th reading comes `seconds[k]` after the one before."""
    ticks = iter(accumulate(seconds))
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))


def check_structure(times, depth):
    assert times.forward.shape == times.backward.shape == (depth,)
    for layers, total in (
        (times.forward, times.forward_total),
        (times.backward, times.backward_total),
    ):
        assert isinstance(total, float)
        assert (layers >= 0).all()
        assert total > 0


@pytest.mark.parametrize("depth", [0, 1, 2, 6])
@pytest.mark.parametrize(("warmup", "repeats"), [(0, 1), (2, 1), (1, 4)])
def test_a_time_a_layer_and_a_total(make, depth, warmup, repeats):
    check_structure(time_passes(make(depth), warmup=warmup, repeats=repeats), depth)


def test_a_total_holds_its_layers_and_the_output_layer(make):
    times = time_passes(make(4), warmup=1, repeats=1)
    assert times.forward_total > times.forward.sum()
    assert times.backward_total > times.backward.sum()


def test_each_lap_goes_to_its_layer(make, monkeypatch):
    # Forward: layers 1 to 3, then the output; backward: the output, then layers 3 to 1.
    scripted(monkeypatch, [0, 1, 2, 3, 4, 100, 5, 6, 7, 8])
    times = time_passes(make(3), warmup=0, repeats=1)
    np.testing.assert_allclose(times.forward, [1e3, 2e3, 3e3])
    np.testing.assert_allclose(times.backward, [8e3, 7e3, 6e3])
    assert times.forward_total == pytest.approx(10e3)
    assert times.backward_total == pytest.approx(26e3)


def test_times_are_medians_over_the_repeats(make, monkeypatch):
    laps = [1, 9, 2]  # of layer 1; the output layer takes 1, 5, 9
    outs = [1, 5, 9]
    scripted(
        monkeypatch,
        [s for a, b in zip(laps, outs, strict=True) for s in (50, a, b, 50, b, a)],
    )
    times = time_passes(make(1), warmup=0, repeats=3)
    np.testing.assert_allclose(times.forward, [2e3])
    np.testing.assert_allclose(times.backward, [2e3])
    assert times.forward_total == pytest.approx(11e3)
    assert times.backward_total == pytest.approx(11e3)


@pytest.mark.parametrize(("warmup", "repeats"), [(0, 1), (3, 2)])
def test_warm_up_passes_are_run_and_not_timed(make, monkeypatch, warmup, repeats):
    network, passes = make(2), []
    reading, readings = timing.time.perf_counter, []

    def clock():
        readings.append(len(passes))
        return reading()

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=clock))
    forward, backward = network.forward, network.backward
    network.forward = lambda *args: (passes.append("forward"), forward(*args))
    network.backward = lambda *args: (passes.append("backward"), backward(*args))
    time_passes(network, warmup=warmup, repeats=repeats)
    assert passes == ["forward", "backward"] * (warmup + repeats)
    assert min(readings) >= 2 * warmup
    assert len(readings) == repeats * 2 * (network.depth + 2)


def test_the_network_holds_the_last_pass(make):
    network, plain = make(3), make(3).run()
    time_passes(network, warmup=1, repeats=2)
    for name in ("z", "a", "delta", "out", "loss"):
        assert torch.equal(getattr(network, name), getattr(plain, name))
    for mine, theirs in zip(
        vars(network.gradients).values(), vars(plain.gradients).values(), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_a_device_that_runs_ahead_is_stopped_only_before_and_after(monkeypatch):
    happened = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            happened.append("record")
            self.at = len(happened) ** 2

        def elapsed_time(self, after):
            happened.append("read")
            return float(after.at - self.at)

    backend = SimpleNamespace(Event=Event, synchronize=lambda: happened.append("wait"))
    monkeypatch.setattr(torch, "imagined", backend, raising=False)

    def half(after_layer):
        for _ in range(3):
            after_layer()

    laps = timing._device_laps(half, SimpleNamespace(type="imagined"))
    assert laps == [3**2 - 2**2, 4**2 - 3**2, 5**2 - 4**2]
    assert happened == ["wait", *["record"] * 4, "wait", *["read"] * 3]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("depth", [0, 1, 6])
def test_a_gpu_is_timed_on_its_own_timeline(make, depth):
    network = make(depth, device="cuda")
    times = time_passes(network, warmup=2, repeats=3)
    check_structure(times, depth)
    assert times.forward_total >= 0.5 * times.forward.sum()  # medians of different passes
    for stack in (network.z, network.a, network.delta):
        assert stack.is_cuda
        assert stack.isfinite().all()
