"""The pipeline: configuration -> data -> network -> profile -> tracked run.

Configuration ends here: everything below takes plain Python arguments. `prepare` does all
that a user's settings can make fail, so that a wrong one is answered before a run is opened.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

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
from fanin.record import begin, experiment_of, fill
from fanin.report.progress import status
from fanin.report.summary import Outcome, say_waiting, say_where, screen, show
from fanin.signal.profile import measure
from fanin.signal.timing import time_passes, time_product
from fanin.signal.verdict import verdict
from fanin.sweep_folder import is_taken_over, say_ended
from fanin.tracking.journal import Connect, Journal, Settled
from fanin.tracking.record import Record
from fanin.tracking.store import Store, StoreError, connect, look, without_password

ARTIFACTS = PROJECT / "outputs" / "artifacts"
JOURNAL = Journal(PROJECT / "outputs" / "journal")


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


def run(config: DictConfig) -> None:
    """One run: prepared, computed, measured, tracked. Alone, it also says what it found."""
    if is_alone():
        _run_alone(config)
    else:
        _run_job(config)


def _run_alone(config: DictConfig) -> None:
    hydra = HydraConfig.get()
    choices = chosen(hydra)
    with status("building, running, measuring ..."):
        config = complete(config)
        parts = prepare(config, choices)
        store = open_store(config, choices)
        settle(config)
        record = begin(config, choices, hydra.overrides.task, hydra.runtime.output_dir)
        with JOURNAL.run(record, lambda _: store):
            outcome = _measure(config, parts, record)
    console = screen()
    show([outcome], ["init", "activation", "depth", "hidden_size"], console)
    announce(record.name, config, choices, console)


def _run_job(config: DictConfig) -> None:
    """A sweep's job. Whatever becomes of it, the sweep is told by the record that it leaves."""
    hydra = HydraConfig.get()
    sweep, folder = Path(hydra.sweep.dir), hydra.runtime.output_dir
    if is_taken_over(sweep):
        return
    choices = chosen(hydra)
    try:
        config = complete(config)
        record = begin(config, choices, hydra.overrides.task, folder)
        with JOURNAL.run(record, _connect_by(config)):
            try:
                _measure(config, prepare(config, choices), record)
            except SystemExit as error:  # called by a class of the user's own
                raise RuntimeError(f"exit({error.code}) was called") from error
    finally:
        say_ended(sweep, config.tracking.job, folder)


def _measure(config: DictConfig, parts: Parts, record: Record) -> Outcome:
    """Run the network and put into the record what it tells."""
    record.tags["device.name"] = name_of(parts.device)
    network = make_network(config, parts)
    often = {"warmup": config.timing.warmup, "repeats": config.timing.repeats}
    times = time_passes(network, **often)
    product = time_product(network, **often) if config.timing.product else math.nan
    profile = measure(network, times, product)
    outcome = Outcome(record.params, profile, verdict(profile))
    fill(record, config, outcome)
    return outcome


def announce(name: str, config: DictConfig, choices: Choices, console: Console) -> None:
    """Say where a run or a sweep is to be found, and whether some of it waits."""
    address = without_password(config.tracking.uri)
    say_where(name, experiment_of(config, choices), address, console)
    waiting = JOURNAL.waiting(lambda record: record.uri == address)
    if waiting:
        say_waiting(waiting, address, console)


def open_store(config: DictConfig, choices: Choices) -> Store:
    """The store and MLflow experiment that a configuration names. Raises SettingError."""
    tracking = config.tracking
    try:
        return connect(tracking.uri, experiment_of(config, choices), ARTIFACTS, tracking.timeout)
    except StoreError as error:
        raise SettingError(f"tracking.uri={without_password(tracking.uri)}: {error}") from error


def look_at_store(config: DictConfig, choices: Choices) -> Store | None:
    """The same, where it is there already; nothing is made. Raises SettingError."""
    tracking = config.tracking
    try:
        return look(tracking.uri, experiment_of(config, choices), tracking.timeout)
    except StoreError as error:
        raise SettingError(f"tracking.uri={without_password(tracking.uri)}: {error}") from error


def settle(config: DictConfig) -> Settled:
    """Bring to the store of a configuration what runs that are over have left for it."""
    here = without_password(config.tracking.uri)
    return JOURNAL.settle(_connect_by(config), lambda record: record.uri == here)


def settle_all(timeout: int) -> Settled:
    """The same for whatever store; one with a password has it from MLflow's own variable."""
    variable = os.environ.get("MLFLOW_TRACKING_URI", "")

    def address(record: Record) -> str:
        return variable if without_password(variable) == record.uri else record.uri

    return JOURNAL.settle(
        lambda record: connect(address(record), record.experiment, ARTIFACTS, timeout),
        lambda record: True,
    )


def _connect_by(config: DictConfig) -> Connect:
    uri, timeout = config.tracking.uri, config.tracking.timeout
    return lambda record: connect(uri, record.experiment, ARTIFACTS, timeout)


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


def estimate(config: DictConfig, parts: Parts) -> tuple[float, int]:
    return 0.0, 0


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
