"""What runs a sweep's jobs side by side, so that a worker that dies costs its own job alone.

The launchers of Hydra's plugins lose every result of a sweep when one worker is killed. Those
here keep a plugin's way of running a job and gather each result by itself. Hydra imports this
module at each start: all that is heavy stands in a room of its own, imported when it is chosen.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from fanin.config.errors import SettingError
from fanin.config.project import PROJECT


class FaninLauncher(Launcher):
    """A launcher's settings, and the room that runs jobs by them."""

    option: str
    extra: str
    room: str

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = {
            name: OmegaConf.to_container(value, resolve=True)
            if OmegaConf.is_config(value)
            else value
            for name, value in settings.items()
        }

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context: HydraContext = hydra_context
        self.task_function: TaskFunction = task_function
        self.config: DictConfig = config
        try:
            self._room = import_module(f"hydra_plugins.{self.room}")
        except ModuleNotFoundError as error:
            raise SettingError(
                f"hydra/launcher={self.option}: is not installed; pip install -e '.[{self.extra}]'"
            ) from error
        self._room.check(self)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """Run every job; a JobReturn for each, in order, whatever became of it."""
        returns: list[JobReturn] = self._room.launch(self, job_overrides, initial_job_idx)
        return returns


class WorkersLauncher(FaninLauncher):
    """`hydra/launcher=workers`: the cores of this machine, in processes made ready beforehand."""

    option, extra, room = "workers", "", "_fanin_forked"

    def get_ready(self) -> None:
        """Begin to import, as the driver is about to; the jobs have passed their first check."""
        self._room.get_ready(self)


class JoblibLauncher(FaninLauncher):
    """`hydra/launcher=joblib`: the cores of this machine."""

    option, extra, room = "joblib", "parallel", "_fanin_joblib"


class LocalLauncher(FaninLauncher):
    """`hydra/launcher=submitit_local`: this machine, in the way of a cluster."""

    option, extra, room = "submitit_local", "slurm", "_fanin_submitit"


class SlurmLauncher(FaninLauncher):
    """`hydra/launcher=submitit_slurm`: a Slurm cluster."""

    option, extra, room = "submitit_slurm", "slurm", "_fanin_submitit"


class RayLauncher(FaninLauncher):
    """`hydra/launcher=ray`: a Ray cluster, or one started on this machine."""

    option, extra, room = "ray", "ray", "_fanin_ray"


class FaninPresets(SearchPathPlugin):
    """In a run of fanin, and in no other program of Hydra's: experiments/, and our launchers.

    Lets conf/hydra/launcher/ have files of the names that the plugins gave their own settings.
    Hydra would hold such a file against the plugin's settings, an old rule of it that it warns
    of; so the plugin's are set aside.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        places = [Path(place.path.removeprefix("file://")) for place in search_path.get_path()]
        if PROJECT / "conf" not in [place.resolve() for place in places]:
            return
        search_path.append("fanin", "experiments://")
        stored = ConfigStore.instance().repo["hydra"]["launcher"]
        for preset in (PROJECT / "conf" / "hydra" / "launcher").glob("*.yaml"):
            stored.pop(preset.name, None)
