"""Every option of every group composes, and makes what it names."""

import re

import pytest
import torch
from workplace import PROJECT, options

from fanin.config.compose import compose_overrides
from fanin.config.errors import SettingError
from fanin.config.settings import Settings
from fanin.measure.params import GROUPS
from fanin.nn.device import memory_of
from fanin.runner.compute import build_network
from fanin.runner.fingerprint import config_hash
from fanin.runner.ingredients import prepare
from fanin.runner.new_run import common_tags
from fanin.runner.preflight import estimate, size_of
from fanin.runner.run_params import params_of, public_values

CASES = [(group, option) for group in GROUPS for option in options(group)]


@pytest.fixture
def composed(monkeypatch):
    """Compose as run.py does: overrides -> (settings, choices)."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def make(*overrides: str):
        values, choices = compose_overrides(overrides)
        return Settings.from_values(values), choices

    return make


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("1,2,0.5\n3,4,1.5\n")
    return path


@pytest.mark.parametrize(("group", "option"), CASES)
def test_every_option_makes_a_network_that_runs(composed, table, group, option):
    if (
        group == "device"
        and option in ("cuda", "mps")
        and not getattr(torch, option).is_available()
    ):
        pytest.skip(f"no {option} here")
    extra = {"file": [f"data.path={table}"], "cross_entropy": ["data=digits"]}.get(option, [])
    config, choices = composed(f"{group}={option}", "depth=2", "batch_size=2", *extra)
    network, fit_steps = build_network(config, prepare(config, choices))
    assert (fit_steps is None) == (option != "lsuv")
    assert network.run().loss.isfinite().all()


@pytest.mark.parametrize(("group", "option"), CASES)
def test_every_option_opens_by_saying_what_it_is(group, option):
    first = (PROJECT / "conf" / group / f"{option}.yaml").read_text().splitlines()[0]
    assert re.match(r"# .{10,}", first)


@pytest.mark.parametrize("option", options("init"))
def test_every_init_has_a_bias_std(composed, option):
    config, _ = composed(f"init={option}")
    assert config.init["bias_std"] == (None if option == "torch_default" else 0)


def test_defaults_are_the_chapters(composed):
    config, choices = composed()
    assert (config.batch_size, config.data["features"], config.hidden_size) == (200, 100, 100)
    assert (choices["init"], choices["activation"], config.depth) == ("kaiming", "relu", 10)
    assert (choices["device"], config.init["bias_std"]) == ("auto", 0)
    assert prepare(config, choices).inputs.shape == (200, 100)


def test_an_estimate_counts_the_jacobian(composed):
    def estimated(*overrides: str) -> tuple[float, int]:
        config, choices = composed("depth=30", "hidden_size=500", "batch_size=2", *overrides)
        made = prepare(config, choices)
        size = size_of(config, made.inputs.shape, made.outputs)
        return estimate(config, made.device, made.dtype, size)

    seconds, memory = estimated()
    more_seconds, more_memory = estimated("jacobian=true")
    assert more_memory > memory
    assert more_seconds > seconds + 0.1


def test_jacobians_that_take_too_long_are_refused(composed):
    sizes = ["depth=1000", "replicas=5", "batch_size=1", "data.features=200000"]
    config, choices = composed(*sizes)
    prepare(config, choices)
    config, choices = composed(*sizes, "jacobian=true")
    line = (
        r"^depth=1000 .* jacobian=true: would take 1\.\d hours; use jacobian=false or a smaller "
        r"depth, hidden_size, batch_size or replicas$"
    )
    with pytest.raises(SettingError, match=line):
        prepare(config, choices)


def test_jacobians_without_room_are_refused(composed):
    """They need twelve times what the network itself does, where its first layer is the largest."""
    features = memory_of(torch.device("cpu")) // (40 * 1000)
    sizes = ["depth=1", "hidden_size=1000", "batch_size=1", f"data.features={features}"]
    config, choices = composed(*sizes, "device=cpu")
    prepare(config, choices)
    config, choices = composed(*sizes, "device=cpu", "jacobian=true")
    line = r"^depth=1 hidden_size=1000 .* jacobian=true: needs \d+ GiB more and this machine has"
    with pytest.raises(SettingError, match=line):
        prepare(config, choices)


def test_equal_runs_have_equal_hashes_wherever_they_are_tracked(composed):
    def hash_of(*overrides: str) -> str:
        return config_hash(composed(*overrides)[0].as_values())

    assert hash_of("tracking.experiment=here") == hash_of("tracking.experiment=there")
    assert hash_of("init.scale=2") == hash_of("init.scale=2.0") == hash_of()
    assert hash_of("seed=1") != hash_of("seed=2")
    assert hash_of("activation=gelu") != hash_of("activation=silu")


def test_no_password_reaches_the_record(composed, tmp_path):
    config, choices = composed("tracking.uri=postgresql://me:secret@host/db")
    values = config.as_values()
    assert params_of(values, choices)["tracking.uri"] == "postgresql://***@host/db"
    assert "secret" not in str(public_values(values))
    typed = ["tracking.parent=abc", "depth=1", "tracking.uri=http://me:secret@host"]
    assert common_tags(typed)["overrides"] == "depth=1 tracking.uri=http://***@host"
