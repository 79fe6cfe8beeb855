"""Lets Hydra find the files in experiments/ as the group `experiment`.

A file is read only when it is chosen. (With Hydra's ConfigStore, all of them would be read at each
start and copied with each composition.)
"""

from pathlib import Path

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource

from fanin.config.experiment_file import load_experiment
from fanin.config.project import PROJECT

GROUP = "experiment"


class ExperimentSource(ConfigSource):
    """`experiments://`: a config source of Hydra with this one group."""

    @staticmethod
    def scheme() -> str:
        return "experiments"

    def load_config(self, config_path: str) -> ConfigResult:
        path = _place(self._normalize_file_name(config_path))
        if path is None or not path.is_file():
            raise ConfigLoadError(f"Config not found : {config_path}")
        header: dict[str, str | None] = {"package": "_global_"}
        return ConfigResult(self.provider, self.full_path(), load_experiment(path), header)

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        path = _place(config_path)
        return config_path == "" or (path is not None and path.is_dir())

    def is_config(self, config_path: str) -> bool:
        path = _place(self._normalize_file_name(config_path))
        return path is not None and path.is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        path = _place(config_path)
        here = sorted(child.name for child in path.iterdir()) if path else [GROUP]
        names: list[str] = []
        for name in here:
            self._list_add_result(names, f"{config_path}/{name}".strip("/"), name, results_filter)
        return sorted(names)


def _place(config_path: str) -> Path | None:
    group, _, rest = config_path.strip("/").partition("/")
    return PROJECT / "experiments" / rest if group == GROUP else None
