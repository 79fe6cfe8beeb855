"""The pipeline: configuration -> data -> network -> profile -> tracked run.

Configuration ends here: everything below takes plain Python arguments. `prepare` does all
that a user's settings can make fail, so that a wrong one is answered before a run is opened.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from fanin.config.schema import (
    CHOICES,
    PROJECT,
    Choices,
    SettingError,
    build,
    check_disk,
    chosen,
    complete,
    is_single_run,
    own_settings,
)
from fanin.measure.jacobian import INPUTS, spectrum
from fanin.measure.profile import measure
from fanin.measure.result import RunResult
from fanin.measure.timing import time_passes, time_product
from fanin.measure.verdict import explanation, verdict
from fanin.nn.activations import Activation
from fanin.nn.device import computes, find, memory_of, name_of
from fanin.nn.engines import ENGINES
from fanin.nn.init import Init
from fanin.nn.losses import Loss
from fanin.nn.matmul import RUNGS
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.report.comparison import Line
from fanin.report.description import command, experiment_tags, run_note
from fanin.report.progress import status
from fanin.report.terminal import (
    print_explanations,
    print_jacobian,
    print_links,
    print_location,
    print_waiting,
    screen,
    show,
)
from fanin.runner import cost
from fanin.runner.data import Batch, Data
from fanin.runner.results import add_spectrum, begin, experiment_of, fill
from fanin.runner.sweep_dir import is_superseded, mark_finished
from fanin.theory.advice import Task, candidate, expect, suggest
from fanin.theory.comparison import add_predictions
from fanin.theory.forecast import Forecast
from fanin.theory.input_stats import describe
from fanin.theory.jacobian_spectrum import jacobian_predictions
from fanin.tracking.journal import Connect, FlushResult, Journal
from fanin.tracking.run_record import Record
from fanin.tracking.store import (
    NOTE,
    Store,
    StoreError,
    connect,
    connect_once,
    look,
    without_password,
)
from fanin.tracking.ui import base

ARTIFACTS = PROJECT / "outputs" / "artifacts"
JOURNAL = Journal(PROJECT / "outputs" / "journal")

MAX_SECONDS = 3600
"""Of steps in Python: what takes longer was hardly meant."""


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
    if is_single_run():
        _run_alone(config)
    else:
        _run_job(config)


def _run_alone(config: DictConfig) -> None:
    hydra = HydraConfig.get()
    choices = chosen(hydra)
    folder = Path(hydra.runtime.output_dir)
    check_disk(f"hydra.run.dir={folder}", folder, cost.disk(config.depth))
    with status("building, running, measuring ..."):
        config = complete(config)
        parts = prepare(config, choices)
        store = open_store(config, choices)
        settle(config)
        record = begin(config, choices, hydra.overrides.task, hydra.runtime.output_dir)
        with naming_the_store(config), JOURNAL.run(record, lambda _: store, must_open=True):
            outcome = _measure(config, parts, record)
            record.tags[NOTE] = run_note(command(hydra.overrides.task), outcome)
    console = screen()
    show([Line({}, [outcome])], ["init", "activation", "depth", "hidden_size"], console)
    print_explanations([(record.name, outcome)], console)
    print_jacobian(outcome.profile, console)
    announce(record.name, config, choices, console)


def _run_job(config: DictConfig) -> None:
    """A sweep's job. Whatever becomes of it, the sweep is told by the record that it leaves."""
    hydra = HydraConfig.get()
    sweep, folder = Path(hydra.runtime.cwd, hydra.sweep.dir), hydra.runtime.output_dir
    if is_superseded(sweep):
        return
    choices = chosen(hydra)
    try:
        config = complete(config)
        record = begin(config, choices, hydra.overrides.task, folder)
        with JOURNAL.run(record, _connect_by(config)) as run_id:
            try:
                outcome = _measure(config, prepare(config, choices), record)
                line = command(hydra.overrides.task)
                if choices["experiment"]:  # the file is a sweep, of which this is one job
                    line = f"python run.py -m from_run={run_id}" if run_id else ""
                record.tags[NOTE] = run_note(line, outcome)
            except SystemExit as error:  # called by a class of the user's own
                raise RuntimeError(f"exit({error.code}) was called") from error
    finally:
        mark_finished(sweep, config.tracking.job, folder)


def _measure(config: DictConfig, parts: Parts, record: Record) -> RunResult:
    """Run the network and put into the record what it tells."""
    record.tags["device.name"] = name_of(parts.device)
    network, fit_steps = make_network(config, parts)
    often = {"warmup": config.timing.warmup, "repeats": config.timing.repeats}
    times = time_passes(network, **often)
    also: dict[str, float | np.ndarray] = {}
    if fit_steps is not None:
        also["summary/fit_steps"] = fit_steps
    if config.timing.product:
        also["summary/product_ms"] = time_product(network, **often)
    jacobian = spectrum(network) if config.jacobian and config.depth else None
    if jacobian:
        also |= jacobian.numbers()
    profile = measure(network, times, also)
    outcome = RunResult(record.params, profile, verdict(profile), explanation(profile))
    try:
        outcome = _beside_theory(outcome, config, parts, record)
    except Exception as error:  # an activation of the user's own may know one dtype only
        record.tags["theory.error"] = f"{type(error).__name__}: {error}"
    fill(record, config, outcome)
    if jacobian:
        add_spectrum(record, jacobian)
    return outcome


def _beside_theory(
    outcome: RunResult, config: DictConfig, parts: Parts, record: Record
) -> RunResult:
    """What was measured, with what theory has for it, and what to try instead."""
    task = task_of(config, parts, record.params)
    prediction = expect(parts.init, task)
    if prediction.point:
        record.tags["phase"] = prediction.point.phase
    also = {}
    if config.jacobian and config.depth:
        also = jacobian_predictions(
            parts.init, prediction, task.inputs.features, config.hidden_size
        )
    profile = add_predictions(outcome.profile, prediction, config.replicas, also)
    advice = None
    if config.depth and outcome.verdict != "healthy":
        has_scale = "scale" in config.init
        advice = suggest(parts.init, task, has_scale=has_scale).text + conflicting_settings(
            config, record
        )
    return replace(outcome, profile=profile, advice=advice)


def conflicting_settings(config: DictConfig, record: Record) -> str:
    """What an advised init takes the place of, beside its name: settings that must go."""
    own = own_settings(config, "init", record.params["init"])
    names = [f"init.{name}" for name in own if name != "bias_std"]  # which every init has
    return f"; with another init, without {' and '.join(names)}" if names else ""


def foresee(config: DictConfig, parts: Parts, chosen: Choices) -> Forecast | None:
    """The verdict before running, where theory has one; no network is built."""
    if config.depth == 0:
        return None
    try:
        return candidate((), parts.init, task_of(config, parts, chosen)).forecast
    except Exception:  # as in a run: a job that cannot be foreseen may still be run
        return None


def task_of(config: DictConfig, parts: Parts, chosen: Choices) -> Task:
    """What the network is to do, whatever its init; `chosen` has the options' names."""
    own = own_settings(config, "init", str(chosen["init"]))
    return Task(
        activation_name=str(chosen["activation"]),
        activation=parts.activation,
        inputs=describe(parts.inputs),
        depth=config.depth,
        width=config.hidden_size,
        outputs=parts.outputs,
        dtype=parts.dtype,
        bias_std=config.init.bias_std if "bias_std" in own else None,
    )


def announce(
    name: str,
    config: DictConfig,
    choices: Choices,
    console: Console,
    links: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Say where a run or a sweep is to be found, and whether some of it waits.

    links: a name -> an address in MLflow's UI.
    """
    address = without_password(config.tracking.uri)
    print_location(name, experiment_of(config, choices), address, console)
    print_links({what: f"{base(address)}/{link}" for what, link in links.items()}, console)
    waiting = JOURNAL.waiting(lambda record: record.uri == address)
    if waiting:
        print_waiting(waiting, address, console)


def open_store(config: DictConfig, choices: Choices) -> Store:
    """The store and MLflow experiment that a configuration names. Raises SettingError."""
    tracking = config.tracking
    _check_database(tracking.uri, cost.disk(config.depth))
    experiment = experiment_of(config, choices)
    with naming_the_store(config):
        return connect(tracking.uri, experiment, ARTIFACTS, tracking.timeout, experiment_tags())


def open_existing_store(config: DictConfig, choices: Choices) -> Store | None:
    """The same, where it is there already; nothing is made. Raises SettingError."""
    tracking = config.tracking
    with naming_the_store(config):
        return look(tracking.uri, experiment_of(config, choices), tracking.timeout)


@contextmanager
def naming_the_store(config: DictConfig) -> Iterator[None]:
    """What the store refuses is said with its address in front."""
    try:
        yield
    except StoreError as error:
        raise SettingError(
            f"tracking.uri={without_password(config.tracking.uri)}: {error}"
        ) from error


def _check_database(uri: str, needed: int) -> None:
    """A SQLite store is a file, or can become one. (Its driver would try for minutes.)"""
    if not uri.startswith("sqlite:///"):
        return
    path = Path(uri.removeprefix("sqlite:///"))
    if path.is_dir():
        raise SettingError(f"tracking.uri={uri}: is a folder; name a file in it")
    check_disk(f"tracking.uri={uri}", path.parent, needed)


def settle(config: DictConfig) -> FlushResult:
    """Bring to the store of a configuration what runs that are over have left for it."""
    here = without_password(config.tracking.uri)
    return JOURNAL.settle(_connect_by(config), lambda record: record.uri == here)


def flush_all_pending(timeout: int) -> FlushResult:
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
    opened = connect_once if uri.startswith("sqlite:") else connect
    return lambda record: opened(uri, record.experiment, ARTIFACTS, timeout)


def prepare(config: DictConfig, choices: Choices) -> Parts:
    """Make what the groups of a complete configuration name. Raises SettingError."""
    try:
        device = find(config.device.name)
    except ValueError as error:
        raise SettingError(f"device={error}") from error
    dtype = getattr(torch, config.dtype)
    if not computes(device, dtype):
        others = [name for name in CHOICES["dtype"] if computes(device, getattr(torch, name))]
        instead = f"use {', '.join(others)} or device=cpu" if others else "use device=cpu"
        raise SettingError(
            f"dtype={config.dtype}: device={device.type} cannot compute with it; {instead}"
        )
    _check_memory(config, device, dtype, inputs=1, outputs=1)  # data of the same batch comes next
    loss: Loss = build(config, "loss", Loss)
    batch = _load(build(config, "data", Data), config.batch_size)
    try:
        outputs = loss.outputs(loss.prepare(batch.all_targets, dtype))
    except ValueError as error:
        wrong = f"loss={choices['loss']}: {error}, which data={choices['data']} has not"
        raise SettingError(wrong) from error
    activation = build(config, "activation", Activation)
    parts = Parts(
        init=_given(build(config, "init", Init), activation, choices),
        activation=activation,
        loss=loss,
        inputs=batch.inputs.to(device, dtype),
        targets=loss.prepare(batch.targets, dtype).to(device),
        outputs=outputs,
        device=device,
        dtype=dtype,
    )
    _check_memory(config, device, dtype, parts.inputs.shape[1], outputs)
    size = size_of(config, parts.inputs.shape[1], outputs)
    _check_steps(config, size, device)
    if config.jacobian:
        _check_jacobian(config, size)
    return parts


def _given(init: Init, activation: Activation, choices: Choices) -> Init:
    try:
        return init.given(activation)
    except ValueError as error:
        wrong = f"init={choices['init']} activation={choices['activation']}: {error}"
        raise SettingError(wrong) from error
    except Exception as error:
        raise theory_error(choices, error) from error


def theory_error(choices: Choices, error: Exception) -> SettingError:
    """What an activation of the user's own raises, whom theory asks in float64."""
    said = f"theory cannot be worked out, it raises {type(error).__name__}: {error}"
    return SettingError(f"activation={choices['activation']}: {said}")


def _load(data: Data, batch_size: int) -> Batch:
    try:
        return data.load(batch_size)
    except MemoryError as error:
        settings = " ".join(f"data.{name}={value}" for name, value in vars(data).items())
        wrong = f"batch_size={batch_size} {settings}: too large for this machine; use smaller ones"
        raise SettingError(wrong) from error
    except ValueError as error:
        setting = str(error)
        prefix = "" if setting.startswith("batch_size=") else "data."
        raise SettingError(prefix + setting) from error


def size_of(config: DictConfig, inputs: int, outputs: int) -> cost.Size:
    """The sizes of the network that a configuration describes, for its data."""
    return cost.Size(
        depth=config.depth,
        inputs=inputs,
        width=config.hidden_size,
        outputs=outputs,
        batch=config.batch_size,
        replicas=config.replicas,
    )


def _check_memory(
    config: DictConfig, device: torch.device, dtype: torch.dtype, inputs: int, outputs: int
) -> None:
    """Refuse a network that does not fit into the memory of its device."""
    needed = cost.memory(
        size_of(config, inputs, outputs),
        itemsize=dtype.itemsize,
        engine=config.engine,
        matmul=config.matmul,
    )
    there = memory_of(device)
    if needed > there:
        instead = "matmul=builtin or smaller ones" if config.matmul == "einsum" else "smaller ones"
        raise SettingError(
            f"{_sizes(config)} matmul={config.matmul}: needs {needed / 2**30:,.0f} GiB and "
            f"device={device.type} has {there / 2**30:,.0f}; use {instead}"
        )


def estimate(config: DictConfig, parts: Parts) -> tuple[float, int]:
    """Seconds and bytes that a run takes, about."""
    size = size_of(config, parts.inputs.shape[1], parts.outputs)
    passes = config.timing.warmup + config.timing.repeats
    device = str(parts.device)
    seconds = cost.seconds(
        size, passes=passes, matmul=config.matmul, dtype=parts.dtype, device=device
    )
    how = {"engine": config.engine, "matmul": config.matmul}
    memory = cost.memory(size, itemsize=parts.dtype.itemsize, **how)
    if config.jacobian:
        seconds += cost.jacobian_seconds(size, INPUTS)
        memory += cost.jacobian_memory(size, INPUTS)
    return cost.JOB_SECONDS + seconds, memory


def _check_steps(config: DictConfig, size: cost.Size, device: torch.device) -> None:
    """Refuse a slow rung that would not come to an end."""
    passes = config.timing.warmup + config.timing.repeats
    needed = cost.python_seconds(size, matmul=config.matmul, passes=passes, device=device.type)
    if needed > MAX_SECONDS:
        raise SettingError(
            f"{_sizes(config)} matmul={config.matmul}: {passes} passes would take "
            f"{needed / 3600:,.1f} hours; use matmul=builtin or smaller ones"
        )


def _check_jacobian(config: DictConfig, size: cost.Size) -> None:
    """Refuse Jacobians too large for this machine or an hour."""
    there, needed = memory_of(torch.device("cpu")), cost.jacobian_memory(size, INPUTS)
    hours = cost.jacobian_seconds(size, INPUTS) / 3600
    wrong = f"{_sizes(config)} jacobian=true:"
    if needed > there:
        raise SettingError(
            f"{wrong} needs {needed / 2**30:,.0f} GiB more and this machine has "
            f"{there / 2**30:,.0f}; use jacobian=false or smaller ones"
        )
    if hours > MAX_SECONDS / 3600:
        raise SettingError(
            f"{wrong} would take {hours:,.1f} hours; use jacobian=false or smaller ones"
        )


def _sizes(config: DictConfig) -> str:
    names = ("depth", "hidden_size", "batch_size", "replicas")
    return " ".join(f"{name}={config[name]}" for name in names)


def make_network(config: DictConfig, parts: Parts) -> tuple[Network, int | None]:
    """The network, and how many steps its init took to fit it to the data, if it does so."""
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
    steps = parts.init.fit(parameters.layers(), parts.activation, parts.inputs)
    network = ENGINES[config.engine](
        parameters,
        parts.activation,
        parts.loss,
        parts.inputs,
        parts.targets,
        RUNGS[config.matmul],
    )
    return network, steps
