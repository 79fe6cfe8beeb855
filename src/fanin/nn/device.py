"""The devices of this machine, and the memory that a process may use on each."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import torch


def available_devices() -> list[str]:
    """The names of this machine's devices, the fastest first."""
    is_available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    return [name for name, available in is_available.items() if available]


def find_device(name: str) -> torch.device:
    """The device of that name, `auto` for the fastest. Raises ValueError if there is none."""
    available = available_devices()
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise ValueError(f"{name}: this machine has none; use auto or {', '.join(available)}")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """The model, such as "NVIDIA H100"; for other devices than CUDA's, the type."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def memory_of(device: torch.device) -> int:
    """Bytes: a GPU's own memory, or what this process may use of the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *cgroup_limits()])


def cgroup_limits(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Bytes: the memory limits of this process's control groups and of those above them.

    A container or a job of a cluster is such a group. membership has a line ID:CONTROLLERS:PATH
    for each hierarchy, with no controllers for cgroup v2. Inside a container PATH may be the
    host's; the container's own group is then the root of the mount.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, file = mount, "memory.max"
        elif "memory" in controllers.split(","):
            root, file = mount / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path).relative_to("/")
        for folder in (group, *group.parents):
            limit = _read_limit(root / folder / file)
            if limit is not None:
                yield limit


def _read_limit(file: Path) -> int | None:
    """The limit in bytes; None if the file is missing or says max. (v1 says about 2^63 instead.)"""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def can_multiply(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the device multiplies matrices of that dtype."""
    try:
        x = torch.ones(2, 2, device=device, dtype=dtype)
        return bool((x @ x == 2).all())
    except (RuntimeError, TypeError):
        return False
