"""Checks of what a run costs, before it starts: memory, hours, disk space.

Each check raises SettingError that says what is needed, what is available, and what would work.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from fanin.config.errors import SettingError
from fanin.config.settings import Settings
from fanin.measure.jacobian import INPUTS
from fanin.nn.device import memory_of
from fanin.runner import cost

MAX_SECONDS = 3600
"""Limit for steps in Python and for singular values: a longer run is probably a mistake."""

_SMALLER = "a smaller depth, hidden_size, batch_size or replicas"


def check_disk(setting: str, folder: Path, needed: int) -> None:
    """Check that a folder, which need not exist, is writable and has room for `needed` bytes.

    setting: the setting that names the folder, such as hydra.run.dir=/tmp/x.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise SettingError(f"{setting}: cannot write to {existing}; choose another folder")
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise SettingError(
            f"{setting}: needs {_format_bytes(needed)} and its disk has {_format_bytes(free)} "
            "free; choose a folder on another disk"
        )


def _format_bytes(count: int) -> str:
    """Such as 700 kB and 12 MB."""
    units = ("kB", "MB", "GB", "TB")
    steps = min(max((len(str(count)) - 4) // 3, 0), len(units) - 1)
    return f"{count / 1000 ** (steps + 1):,.3g} {units[steps]}"


def size_of(settings: Settings, inputs: Sequence[int], outputs: int) -> cost.Size:
    """The sizes of the network that the settings describe, for inputs (batch, features)."""
    batch, features = inputs
    return cost.Size(
        depth=settings.depth,
        inputs=features,
        width=settings.hidden_size,
        outputs=outputs,
        batch=batch,
        replicas=settings.replicas,
    )


def check_memory(
    settings: Settings,
    device: torch.device,
    dtype: torch.dtype,
    inputs: Sequence[int],
    outputs: int,
) -> None:
    """Refuse a network that does not fit into the memory of its device.

    inputs: (batch, features). outputs: of the network.
    """
    needed = cost.memory(
        size_of(settings, inputs, outputs),
        itemsize=dtype.itemsize,
        engine=settings.engine,
        matmul=settings.matmul,
    )
    available = memory_of(device)
    if needed > available:
        instead = f"matmul=builtin or {_SMALLER}" if settings.matmul == "einsum" else _SMALLER
        raise SettingError(
            f"{_format_sizes(settings)} matmul={settings.matmul}: needs {needed / 2**30:,.0f} GiB "
            f"and device={device.type} has {available / 2**30:,.0f}; use {instead}"
        )


def check_hours(settings: Settings, size: cost.Size, device: torch.device) -> None:
    """Refuse a slow rung of the ladder of products that would take hours."""
    passes = settings.timing.warmup + settings.timing.repeats
    needed = cost.python_seconds(size, matmul=settings.matmul, passes=passes, device=device.type)
    if needed > MAX_SECONDS:
        raise SettingError(
            f"{_format_sizes(settings)} matmul={settings.matmul}: {passes} passes would take "
            f"{needed / 3600:,.1f} hours; use matmul=builtin or {_SMALLER}"
        )


def check_jacobian(settings: Settings, size: cost.Size) -> None:
    """Refuse Jacobians too large for this machine or an hour."""
    available = memory_of(torch.device("cpu"))
    needed = cost.jacobian_memory(size, INPUTS)
    hours = cost.jacobian_seconds(size, INPUTS) / 3600
    setting = f"{_format_sizes(settings)} jacobian=true:"
    if needed > available:
        raise SettingError(
            f"{setting} needs {needed / 2**30:,.0f} GiB more and this machine has "
            f"{available / 2**30:,.0f}; use jacobian=false or {_SMALLER}"
        )
    if hours > MAX_SECONDS / 3600:
        raise SettingError(
            f"{setting} would take {hours:,.1f} hours; use jacobian=false or {_SMALLER}"
        )


def estimate(
    settings: Settings, device: torch.device, dtype: torch.dtype, size: cost.Size
) -> tuple[float, int]:
    """The seconds and the bytes that a run needs, to about a factor of two."""
    passes = settings.timing.warmup + settings.timing.repeats
    seconds = cost.seconds(
        size, passes=passes, matmul=settings.matmul, dtype=dtype, device=str(device)
    )
    memory = cost.memory(
        size, itemsize=dtype.itemsize, engine=settings.engine, matmul=settings.matmul
    )
    if settings.jacobian:
        seconds += cost.jacobian_seconds(size, INPUTS)
        memory += cost.jacobian_memory(size, INPUTS)
    return cost.JOB_SECONDS + seconds, memory


def _format_sizes(settings: Settings) -> str:
    names = ("depth", "hidden_size", "batch_size", "replicas")
    return " ".join(f"{name}={getattr(settings, name)}" for name in names)
