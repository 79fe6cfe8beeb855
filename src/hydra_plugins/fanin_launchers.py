"""The launchers: they run a sweep's jobs in parallel, and a worker that dies costs only its job.

Hydra's own launcher plugins lose every result of a sweep if one worker is killed; these collect
each result separately. Hydra imports this module at every start, so heavy imports are in the
module of each launcher, which is imported only if that launcher is chosen.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from fanin.config.errors import SettingError
from fanin.config.project import PROJECT

if TYPE_CHECKING:
    from hydra_plugins._fanin_jobs import JobRunner


class FaninLauncher(Launcher):
    """A launcher's settings, and the module that runs jobs with them."""

    option: str
    """Its name in `hydra/launcher=`."""
    extra: str
    """The extra in pyproject.toml that it needs."""
    module: str
    """The module in hydra_plugins with `check(launcher)` and `launch(launcher, jobs, first)`."""

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
        """Import the module and check the settings. Raises SettingError."""
        self.hydra_context: HydraContext = hydra_context
        self.task_function: TaskFunction = task_function
        self.config: DictConfig = config
        try:
            self._module = import_module(f"hydra_plugins.{self.module}")
        except ModuleNotFoundError as error:
            raise SettingError(
                f"hydra/launcher={self.option}: is not installed; pip install -e '.[{self.extra}]'"
            ) from error
        self._module.check(self)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """Run every job. Returns a JobReturn for each, in order, whether or not it failed."""
        returns: list[JobReturn] = self._module.launch(self, job_overrides, initial_job_idx)
        return returns

    def job_runner(self) -> "JobRunner":
        """Make the object that runs jobs in other processes."""
        from hydra_plugins._fanin_jobs import JobRunner

        return JobRunner(self.hydra_context, self.config, self.task_function)


class WorkersLauncher(FaninLauncher):
    """`hydra/launcher=workers`: the cores of this machine, in processes started beforehand."""

    option, extra, module = "workers", "", "_fanin_workers"

    def get_ready(self) -> None:
        """Start the imports for the workers, once the jobs have passed their first check."""
        self._module.get_ready(self)


class JoblibLauncher(WorkersLauncher):
    """`hydra/launcher=joblib`: an old name of `workers`."""

    option = "joblib"

    def get_ready(self) -> None:
        print("hydra/launcher=joblib is an alias of hydra/launcher=workers", file=sys.stderr)
        super().get_ready()


class LocalLauncher(FaninLauncher):
    """`hydra/launcher=submitit_local`: this machine, used like a cluster."""

    option, extra, module = "submitit_local", "slurm", "_fanin_submitit"


class SlurmLauncher(FaninLauncher):
    """`hydra/launcher=submitit_slurm`: a Slurm cluster."""

    option, extra, module = "submitit_slurm", "slurm", "_fanin_submitit"


class RayLauncher(FaninLauncher):
    """`hydra/launcher=ray`: a Ray cluster, or one started on this machine."""

    option, extra, module = "ray", "ray", "_fanin_ray"


class FaninPresets(SearchPathPlugin):
    """Adds experiments/ and our launchers' presets to fanin, but not to other Hydra apps.

    Hydra warns when a file in conf/hydra/launcher/ has the name of a preset that an installed
    plugin stored; so the plugin's preset is removed.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        places = [Path(place.path.removeprefix("file://")) for place in search_path.get_path()]
        if PROJECT / "conf" not in [place.resolve() for place in places]:
            return
        search_path.append("fanin", "experiments://")
        stored = ConfigStore.instance().repo["hydra"]["launcher"]
        for preset in (PROJECT / "conf" / "hydra" / "launcher").glob("*.yaml"):
            stored.pop(preset.name, None)
