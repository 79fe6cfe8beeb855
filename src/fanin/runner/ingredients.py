"""Makes the objects that the settings name, and checks each before a run is opened."""

from collections.abc import Callable
from typing import TypeVar

import torch

from fanin.config.complete import build
from fanin.config.errors import SettingError
from fanin.config.schema import CHOICES
from fanin.config.settings import GroupChoices, Settings
from fanin.nn.activations import Activation
from fanin.nn.device import can_multiply, find_device
from fanin.nn.init import Init
from fanin.nn.losses import Loss
from fanin.runner.compute import Ingredients, assemble, fit_targets
from fanin.runner.data import Data
from fanin.runner.data_facts import DataFacts, describe_batch, describe_table, list_shortened
from fanin.runner.data_table import Batch, Table
from fanin.runner.preflight import check_hours, check_jacobian, check_memory, size_of

Made = TypeVar("Made")


def prepare(settings: Settings, choices: GroupChoices) -> Ingredients:
    """Make the objects that the groups of completed settings name. Raises SettingError."""
    device, dtype = _find_device(settings)
    loss = build("loss", settings.loss, Loss)  # type: ignore[type-abstract]
    data = build("data", settings.data, Data)  # type: ignore[type-abstract]
    table = _checked(data.table, data)
    rows = min(settings.batch_size, len(table.inputs)) if table else settings.batch_size
    check_memory(settings, device, dtype, (rows, 1), outputs=1)  # before such a batch is made
    batch = _checked(lambda: data.load(settings.batch_size), data, settings.batch_size)
    try:
        if table and table.has_words and not loss.takes_classes:
            raise ValueError(
                f"needs numbers as targets, and {table.target[0]} has words "
                f"({list_shortened(table.classes)}); use loss=cross_entropy"
            )
        batch, classes = fit_targets(loss, batch, _class_names(table))
        outputs = loss.outputs(loss.prepare(batch.all_targets, dtype))
    except ValueError as error:
        raise SettingError(f"loss={choices['loss']} data={choices['data']}: {error}") from error
    activation = build("activation", settings.activation, Activation)  # type: ignore[type-abstract]
    init = build("init", settings.init, Init)  # type: ignore[type-abstract]
    facts = _describe_data(settings, choices, table, batch, classes)
    try:
        ingredients = assemble(init, activation, loss, batch, facts, device, dtype)
    except ValueError as error:
        setting = f"init={choices['init']} activation={choices['activation']}"
        raise SettingError(f"{setting}: {error}") from error
    except Exception as error:
        raise theory_error(choices, error) from error
    check_memory(settings, device, dtype, batch.inputs.shape, outputs)
    size = size_of(settings, batch.inputs.shape, outputs)
    check_hours(settings, size, device)
    if settings.jacobian:
        check_jacobian(settings, size)
    return ingredients


def _find_device(settings: Settings) -> tuple[torch.device, torch.dtype]:
    """The device and the dtype. Raises SettingError if the device cannot compute with it."""
    try:
        device = find_device(settings.device["name"])
    except ValueError as error:
        raise SettingError(f"device={error}") from error
    dtype = getattr(torch, settings.dtype)
    if not can_multiply(device, dtype):
        others = [name for name in CHOICES["dtype"] if can_multiply(device, getattr(torch, name))]
        instead = f"use {', '.join(others)} or device=cpu" if others else "use device=cpu"
        raise SettingError(
            f"dtype={settings.dtype}: device={device.type} cannot compute with it; {instead}"
        )
    return device, dtype


def theory_error(choices: GroupChoices, error: Exception) -> SettingError:
    """The error to report if a user-defined activation fails when theory calls it in float64."""
    reason = f"theory cannot be computed; the activation raises {type(error).__name__}: {error}"
    return SettingError(f"activation={choices['activation']}: {reason}")


def _checked(make: Callable[[], Made], data: Data, batch_size: int | None = None) -> Made:
    """Call a method of data; add "data." to the setting that an error names."""
    try:
        return make()
    except MemoryError as error:
        size = {} if batch_size is None else {"batch_size": batch_size}
        values = {**size, **{f"data.{name}": value for name, value in vars(data).items()}}
        names = " ".join(f"{name}={value}" for name, value in values.items())
        raise SettingError(f"{names}: too large for this machine; use smaller values") from error
    except ValueError as error:
        setting = str(error)
        prefix = "" if setting.startswith("batch_size=") else "data."
        raise SettingError(prefix + setting) from error


def _class_names(table: Table | None) -> tuple[str, ...]:
    """The names of targets 0, 1, 2, ..., or of the columns of targets; empty if unknown."""
    if table is None:
        return ()
    return table.classes or (table.target if table.targets.ndim == 2 else ())


def _describe_data(
    settings: Settings,
    choices: GroupChoices,
    table: Table | None,
    batch: Batch,
    classes: tuple[str, ...],
) -> DataFacts:
    if table:
        return describe_table(table, batch, settings.batch_size, classes)
    return describe_batch(str(choices["data"]), settings.data["_target_"], batch, classes)
