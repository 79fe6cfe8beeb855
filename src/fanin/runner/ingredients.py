"""From settings to the objects that they name, each checked before a run is opened."""

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
from fanin.runner.compute import Ingredients
from fanin.runner.data import Data
from fanin.runner.data_facts import DataFacts, facts_of_batch, facts_of_table, list_shortened
from fanin.runner.data_table import Batch, Table, as_classes
from fanin.runner.preflight import check_hours, check_jacobian, check_memory, size_of

Made = TypeVar("Made")


def prepare(settings: Settings, choices: GroupChoices) -> Ingredients:
    """Make the objects that the groups of complete settings name. Raises SettingError."""
    device, dtype = _find_device(settings)
    loss = build("loss", settings.loss, Loss)  # type: ignore[type-abstract]
    data = build("data", settings.data, Data)  # type: ignore[type-abstract]
    table = _checked(data.table, data)
    rows = min(settings.batch_size, len(table.inputs)) if table else settings.batch_size
    check_memory(settings, device, dtype, (rows, 1), outputs=1)  # a batch as large comes next
    batch = _checked(lambda: data.load(settings.batch_size), data, settings.batch_size)
    try:
        classes: tuple[str, ...] = ()
        if loss.takes_classes:
            batch, classes = as_classes(batch, _class_names(table))
        elif table and table.has_words:
            raise ValueError(
                f"needs numbers as targets, and {table.target[0]} has words "
                f"({list_shortened(table.classes)}); use loss=cross_entropy"
            )
        outputs = loss.outputs(loss.prepare(batch.all_targets, dtype))
    except ValueError as error:
        raise SettingError(f"loss={choices['loss']} data={choices['data']}: {error}") from error
    activation = build("activation", settings.activation, Activation)  # type: ignore[type-abstract]
    init = build("init", settings.init, Init)  # type: ignore[type-abstract]
    ingredients = Ingredients(
        init=_resolve(init, activation, choices),
        activation=activation,
        loss=loss,
        inputs=batch.inputs.to(device, dtype),
        targets=loss.prepare(batch.targets, dtype).to(device),
        outputs=outputs,
        device=device,
        dtype=dtype,
        data=_facts(settings, choices, table, batch, classes),
    )
    check_memory(settings, device, dtype, batch.inputs.shape, outputs)
    size = size_of(settings, batch.inputs.shape, outputs)
    check_hours(settings, size, device)
    if settings.jacobian:
        check_jacobian(settings, size)
    return ingredients


def _find_device(settings: Settings) -> tuple[torch.device, torch.dtype]:
    """The device, and a dtype that it computes with."""
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


def _resolve(init: Init, activation: Activation, choices: GroupChoices) -> Init:
    try:
        return init.resolve(activation)
    except ValueError as error:
        setting = f"init={choices['init']} activation={choices['activation']}"
        raise SettingError(f"{setting}: {error}") from error
    except Exception as error:
        raise theory_error(choices, error) from error


def theory_error(choices: GroupChoices, error: Exception) -> SettingError:
    """For what an activation of the user's own raises when theory calls it in float64."""
    reason = f"theory cannot be worked out, it raises {type(error).__name__}: {error}"
    return SettingError(f"activation={choices['activation']}: {reason}")


def _checked(make: Callable[[], Made], data: Data, batch_size: int | None = None) -> Made:
    """What a method of data returns; its errors with "data." in front."""
    try:
        return make()
    except MemoryError as error:
        size = {} if batch_size is None else {"batch_size": batch_size}
        names = {**size, **{f"data.{name}": value for name, value in vars(data).items()}}
        settings = " ".join(f"{name}={value}" for name, value in names.items())
        raise SettingError(f"{settings}: too large for this machine; use smaller ones") from error
    except ValueError as error:
        setting = str(error)
        prefix = "" if setting.startswith("batch_size=") else "data."
        raise SettingError(prefix + setting) from error


def _class_names(table: Table | None) -> tuple[str, ...]:
    """Of targets 0, 1, 2, ..., or of their columns."""
    if table is None:
        return ()
    return table.classes or (table.target if table.targets.ndim == 2 else ())


def _facts(
    settings: Settings,
    choices: GroupChoices,
    table: Table | None,
    batch: Batch,
    classes: tuple[str, ...],
) -> DataFacts:
    if table:
        return facts_of_table(table, batch, settings.batch_size, classes)
    return facts_of_batch(str(choices["data"]), settings.data["_target_"], batch, classes)
