"""The pipeline: configuration -> data -> network -> profile -> tracked run.

Configuration ends here: everything below takes plain Python arguments. `prepare` does all
that a user's settings can make fail, so that a wrong one is answered before a run is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor

from fanin import record
from fanin.config import PROJECT, SettingError, build, is_alone
from fanin.data import Batch, Data
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.nn.losses import Loss
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.report.progress import status
from fanin.report.summary import Outcome, say_where, screen, show
from fanin.signal.profile import measure
from fanin.signal.timing import time_passes
from fanin.signal.verdict import verdict
from fanin.tracking.store import Store, StoreError, connect, without_password


@dataclass(frozen=True)
class Parts:
    """What a configuration names, made."""

    init: Init
    activation: Activation
    loss: Loss
    inputs: Tensor
    targets: Tensor
    device: torch.device
    dtype: torch.dtype


def run(config: DictConfig) -> Outcome:
    """One job: prepared, computed, measured, tracked. Alone, it also says what it found."""
    if not is_alone():
        return _tracked(config)
    with status("building, running, measuring ..."):
        outcome = _tracked(config)
    console = screen()
    show([outcome], ["init", "activation", "depth", "hidden_size"], console)
    say_where(record.run_name(outcome.params), config.tracking.uri, console)
    return outcome


def _tracked(config: DictConfig) -> Outcome:
    hydra = HydraConfig.get()
    choices = hydra.runtime.choices
    parts = prepare(config, choices)
    params = record.params(config, choices)
    tags = record.tags(hydra.overrides.task) | {
        "device.name": _device_name(parts.device),
        "config.hash": record.config_hash(config),
    }
    store = open_store(config, choices)
    with store.run(record.run_name(params), tags, parent=config.tracking.parent) as tracked:
        network = make_network(config, parts)
        times = time_passes(network, warmup=config.timing.warmup, repeats=config.timing.repeats)
        profile = measure(network, times)
        outcome = Outcome(params, profile, verdict(profile))
        numbers = [(name, 0, value) for name, value in profile.numbers.items()]
        tracked.log(
            params=params,
            metrics=[*profile.points(), *numbers],
            tags={"verdict": outcome.verdict},
        )
        for path in record.write(Path(hydra.runtime.output_dir), config, profile):
            tracked.attach(path)
    return outcome


def open_store(config: DictConfig, choices: Mapping[str, str | None]) -> Store:
    """The store and MLflow experiment that a configuration names. Raises SettingError."""
    experiment = config.tracking.experiment or choices["experiment"] or "fanin"
    try:
        return connect(config.tracking.uri, experiment, PROJECT / "outputs" / "artifacts")
    except StoreError as error:
        uri = without_password(config.tracking.uri)
        raise SettingError(f"tracking.uri={uri}: {error}") from error


def prepare(config: DictConfig, choices: Mapping[str, str]) -> Parts:
    """Make what the groups name of settings that are in range. Raises SettingError."""
    device = find_device(config.device.name)
    if device.type == "mps" and config.dtype == "float64":
        raise SettingError("dtype=float64: device=mps has none; use float32 or device=cpu")
    dtype = getattr(torch, config.dtype)
    parts = {group: build(config, group) for group in ("init", "activation", "loss", "data")}
    inputs, targets = _load(parts.pop("data"), config.batch_size)
    try:
        targets = parts["loss"].prepare(targets, dtype)
    except ValueError as error:
        wrong = f"loss={choices['loss']}: {error}, which data={choices['data']} has not"
        raise SettingError(wrong) from error
    return Parts(
        **parts,
        inputs=inputs.to(device, dtype),
        targets=targets.to(device),
        device=device,
        dtype=dtype,
    )


def _load(data: Data, batch_size: int) -> Batch:
    try:
        return data.load(batch_size)
    except ValueError as error:
        setting = str(error)
        prefix = "" if setting.startswith("batch_size=") else "data."
        raise SettingError(prefix + setting) from error


def find_device(name: str) -> torch.device:
    """The device of that name. Raises SettingError where this machine has none."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in present.items() if there)
    if not present[name]:
        there = ", ".join(device for device, there in present.items() if there)
        raise SettingError(f"device={name}: this machine has none; use auto or {there}")
    return torch.device(name)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def make_network(config: DictConfig, parts: Parts) -> Network:
    parameters = draw(
        parts.init,
        range(config.seed, config.seed + config.replicas),
        depth=config.depth,
        inputs=parts.inputs.shape[1],
        width=config.hidden_size,
        outputs=parts.loss.outputs(parts.targets),
        dtype=parts.dtype,
        device=parts.device,
    )
    return Network(parameters, parts.activation, parts.loss, parts.inputs, parts.targets)
