"""The pipeline: configuration -> data -> network -> profile -> tracked run.

Configuration ends here: everything below takes plain Python arguments. `prepare` does all
that a user's settings can make fail, so that a wrong one is answered before a run is opened.
"""

import math
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
from fanin.device import find, name_of
from fanin.nn.activations import Activation
from fanin.nn.engines import ENGINES
from fanin.nn.init import Init
from fanin.nn.losses import Loss
from fanin.nn.matmul import RUNGS
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.report.progress import status
from fanin.report.summary import Outcome, say_where, screen, show
from fanin.signal.profile import measure
from fanin.signal.timing import time_passes, time_product
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
        "device.name": name_of(parts.device),
        "config.hash": record.config_hash(config),
    }
    store = open_store(config, choices)
    with store.run(record.run_name(params), tags, parent=config.tracking.parent) as tracked:
        network = make_network(config, parts)
        often = {"warmup": config.timing.warmup, "repeats": config.timing.repeats}
        times = time_passes(network, **often)
        product = time_product(network, **often) if config.timing.product else math.nan
        profile = measure(network, times, product)
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
    try:
        device = find(config.device.name)
    except ValueError as error:
        raise SettingError(f"device={error}") from error
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
    return ENGINES[config.engine](
        parameters,
        parts.activation,
        parts.loss,
        parts.inputs,
        parts.targets,
        RUNGS[config.matmul],
    )
