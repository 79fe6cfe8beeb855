"""The pipeline: configuration -> data -> network -> profile -> tracked run.

Configuration ends here: everything below takes plain Python arguments. `prepare` does all
that a user's settings can make fail, so that a wrong one is answered before a run is opened.
"""

import math
import os
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from fanin import record
from fanin.config import PROJECT, Choices, SettingError, build, chosen, complete, is_alone
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
    outputs: int
    device: torch.device
    dtype: torch.dtype


def run(config: DictConfig) -> Outcome:
    """One job: prepared, computed, measured, tracked. Alone, it also says what it found."""
    hydra = HydraConfig.get()
    if not is_alone():
        try:
            return _tracked(config)
        except Exception:
            path = Path(hydra.runtime.output_dir) / "traceback.txt"
            path.write_text(traceback.format_exc())
            raise
        finally:
            record.finish(Path(hydra.sweep.dir))
    with status("building, running, measuring ..."):
        outcome = _tracked(config)
    console = screen()
    show([outcome], ["init", "activation", "depth", "hidden_size"], console)
    name = record.run_name(outcome.params, hydra.overrides.task)
    announce(name, config, chosen(hydra), console)
    return outcome


def announce(name: str, config: DictConfig, choices: Choices, console: Console) -> None:
    """Say where a run or a sweep is to be found."""
    address = without_password(config.tracking.uri)
    say_where(name, experiment_of(config, choices), address, console)


def _tracked(config: DictConfig) -> Outcome:
    hydra = HydraConfig.get()
    choices = chosen(hydra)
    folder = Path(hydra.runtime.output_dir)
    config = complete(config)
    parts = prepare(config, choices)
    params = record.params(config, choices)
    name = record.run_name(params, hydra.overrides.task)
    tags = record.tags(hydra.overrides.task) | {
        "device.name": name_of(parts.device),
        "config.hash": record.config_hash(config),
    }
    store = open_store(config, choices)
    with store.run(name, tags, params=params, parent=config.tracking.parent) as tracked:
        network = make_network(config, parts)
        often = {"warmup": config.timing.warmup, "repeats": config.timing.repeats}
        times = time_passes(network, **often)
        product = time_product(network, **often) if config.timing.product else math.nan
        profile = measure(network, times, product)
        outcome = Outcome(params, profile, verdict(profile))
        files = record.write(folder, config, profile)  # first: a store may be away
        numbers = [(name, 0, value) for name, value in profile.numbers.items()]
        tracked.log(metrics=[*profile.points(), *numbers], tags={"verdict": outcome.verdict})
        for path in files:
            tracked.attach(path)
    return outcome


def open_store(config: DictConfig, choices: Choices) -> Store:
    """The store and MLflow experiment that a configuration names. Raises SettingError."""
    try:
        return connect(
            config.tracking.uri, experiment_of(config, choices), PROJECT / "outputs" / "artifacts"
        )
    except StoreError as error:
        uri = without_password(config.tracking.uri)
        raise SettingError(f"tracking.uri={uri}: {error}") from error


def experiment_of(config: DictConfig, choices: Choices) -> str:
    """The MLflow experiment: the one set, or the experiment file's name, or ours."""
    return config.tracking.experiment or choices["experiment"] or "fanin"


def prepare(config: DictConfig, choices: Choices) -> Parts:
    """Make what the groups of a complete configuration name. Raises SettingError."""
    try:
        device = find(config.device.name)
    except ValueError as error:
        raise SettingError(f"device={error}") from error
    if device.type == "mps" and config.dtype == "float64":
        raise SettingError("dtype=float64: device=mps has none; use float32 or device=cpu")
    dtype = getattr(torch, config.dtype)
    loss: Loss = build(config, "loss", Loss)
    batch = _load(build(config, "data", Data), config.batch_size)
    try:
        outputs = loss.outputs(loss.prepare(batch.all_targets, dtype))
    except ValueError as error:
        wrong = f"loss={choices['loss']}: {error}, which data={choices['data']} has not"
        raise SettingError(wrong) from error
    parts = Parts(
        init=build(config, "init", Init),
        activation=build(config, "activation", Activation),
        loss=loss,
        inputs=batch.inputs.to(device, dtype),
        targets=loss.prepare(batch.targets, dtype).to(device),
        outputs=outputs,
        device=device,
        dtype=dtype,
    )
    _check_memory(config, parts)
    return parts


def _load(data: Data, batch_size: int) -> Batch:
    try:
        return data.load(batch_size)
    except MemoryError as error:
        raise SettingError(f"batch_size={batch_size}: too large for this machine") from error
    except ValueError as error:
        setting = str(error)
        prefix = "" if setting.startswith("batch_size=") else "data."
        raise SettingError(prefix + setting) from error


def _check_memory(config: DictConfig, parts: Parts) -> None:
    """Refuse a network whose stacks alone are larger than the machine's memory."""
    depth, width, inputs = config.depth, config.hidden_size, parts.inputs.shape[1]
    first, last = (inputs * width, width) if depth else (0, inputs)
    weights = first + max(depth - 1, 0) * width**2 + last * parts.outputs
    entries = config.replicas * (2 * weights + 3 * depth * config.batch_size * width)
    needed = entries * parts.dtype.itemsize
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise SettingError(
            f"depth={depth} hidden_size={width} batch_size={config.batch_size} "
            f"replicas={config.replicas}: needs {needed / 2**30:,.0f} GiB and this machine has "
            f"{there / 2**30:,.0f}; use smaller ones"
        )


def make_network(config: DictConfig, parts: Parts) -> Network:
    parameters = draw(
        parts.init,
        range(config.seed, config.seed + config.replicas),
        depth=config.depth,
        inputs=parts.inputs.shape[1],
        width=config.hidden_size,
        outputs=parts.outputs,
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
