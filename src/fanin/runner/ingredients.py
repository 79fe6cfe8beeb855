"""Makes the objects that the settings name, and checks each before a run is opened."""

import torch

from fanin.config.complete import build
from fanin.config.errors import SettingError
from fanin.config.schema import CHOICES
from fanin.config.settings import GroupChoices, Settings
from fanin.nn.activations import Activation
from fanin.nn.device import can_multiply, find_device
from fanin.nn.init import Init
from fanin.nn.losses import Loss
from fanin.runner.compute import Ingredients, assemble
from fanin.runner.data import Batch, Data
from fanin.runner.preflight import check_hours, check_jacobian, check_memory, size_of


def prepare(settings: Settings, choices: GroupChoices) -> Ingredients:
    """Make the objects that the groups of completed settings name. Raises SettingError."""
    device, dtype = _find_device(settings)
    check_memory(settings, device, dtype, inputs=1, outputs=1)  # data of the same batch comes next
    loss = build("loss", settings.loss, Loss)  # type: ignore[type-abstract]
    data = build("data", settings.data, Data)  # type: ignore[type-abstract]
    batch = _load(data, settings.batch_size)
    try:
        outputs = loss.outputs(loss.prepare(batch.all_targets, dtype))
    except ValueError as error:
        raise SettingError(
            f"loss={choices['loss']}: {error}; "
            f"the targets of data={choices['data']} do not fit this loss"
        ) from error
    activation = build("activation", settings.activation, Activation)  # type: ignore[type-abstract]
    init = build("init", settings.init, Init)  # type: ignore[type-abstract]
    try:
        ingredients = assemble(init, activation, loss, batch, device, dtype)
    except ValueError as error:
        setting = f"init={choices['init']} activation={choices['activation']}"
        raise SettingError(f"{setting}: {error}") from error
    except Exception as error:
        raise theory_error(choices, error) from error
    features = ingredients.inputs.shape[1]
    check_memory(settings, device, dtype, features, outputs)
    size = size_of(settings, features, outputs)
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


def _load(data: Data, batch_size: int) -> Batch:
    try:
        return data.load(batch_size)
    except MemoryError as error:
        settings = " ".join(f"data.{name}={value}" for name, value in vars(data).items())
        raise SettingError(
            f"batch_size={batch_size} {settings}: too large for this machine; use smaller values"
        ) from error
    except ValueError as error:
        setting = str(error)
        prefix = "" if setting.startswith("batch_size=") else "data."
        raise SettingError(prefix + setting) from error
