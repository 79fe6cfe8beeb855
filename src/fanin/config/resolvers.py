"""The resolvers used in conf/ as ${...:}: the store, the devices and the cores of this machine."""

import os
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from fanin.config.project import PROJECT


def is_single_run() -> bool:
    """Whether Hydra runs a single job, not a sweep."""
    return bool(HydraConfig.get().mode != RunMode.MULTIRUN)


def store_uri() -> str:
    """The store that MLFLOW_TRACKING_URI names, or the database in outputs/."""
    default = f"sqlite:///{PROJECT}/outputs/mlflow.db"
    return absolute_uri(os.environ.get("MLFLOW_TRACKING_URI") or default)


def absolute_uri(uri: str) -> str:
    """The same address with an absolute path, for jobs that run in other folders."""
    path = uri.removeprefix("sqlite:///")
    if path == uri:
        return uri
    here = HydraConfig.get().runtime.cwd if HydraConfig.initialized() else os.getcwd()
    return f"sqlite:///{Path(here, path)}"


def present_devices() -> str:
    """For an experiment that sweeps every device present: `device: ${devices:}`."""
    from fanin.nn.device import available_devices  # imports torch, so only if used

    return ",".join(available_devices())


def cores() -> int:
    """How many cores this process may use, a container's limit included."""
    from joblib import cpu_count

    return int(cpu_count())


def cores_for_each(workers: int, total: int | None = None) -> int:
    """The cores of each worker; workers=-1 means one worker per core.

    The workers share this machine's cores, or `total`. A single run gets every core.
    """
    if HydraConfig.initialized() and is_single_run():
        return cores()
    total = total or cores()
    return max(1, total // workers) if workers > 0 else 1
