"""The devices of this machine."""

import os

import torch


def present() -> list[str]:
    """The names of those that are there, the fastest first."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    return [name for name, is_there in there.items() if is_there]


def find(name: str) -> torch.device:
    """The device of that name, `auto` for the fastest; a ValueError where there is none."""
    there = present()
    if name == "auto":
        return torch.device(there[0])
    if name not in there:
        raise ValueError(f"{name}: this machine has none; use auto or {', '.join(there)}")
    return torch.device(name)


def name_of(device: torch.device) -> str:
    """Such as "NVIDIA H100", or the kind where the kind is all that is known."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def memory_of(device: torch.device) -> int:
    """Bytes: the device's own memory, or the machine's where it has none."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def computes(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the device multiplies matrices of that dtype."""
    try:
        x = torch.ones(2, 2, device=device, dtype=dtype)
        return bool((x @ x == 2).all())
    except (RuntimeError, TypeError):
        return False
