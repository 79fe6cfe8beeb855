"""The input of the runner: a single run, or one job of a sweep."""

from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fanin.config.complete import complete_values
from fanin.config.resolvers import is_single_run
from fanin.config.schema import check, group_choices, reject_sweep_options
from fanin.config.settings import GroupChoices, Settings


@dataclass(frozen=True)
class JobSpec:
    """One run: its settings, the option chosen in each group, its folder, its overrides.

    sweep_folder: the folder of the sweep that the job belongs to; None for a single run.
    """

    settings: Settings
    choices: GroupChoices
    folder: Path
    overrides: tuple[str, ...]
    sweep_folder: Path | None = None


def job_spec(config: DictConfig) -> JobSpec:
    """Make the spec of the job that Hydra is about to run. Raises SettingError."""
    hydra = HydraConfig.get()
    check(config)
    if is_single_run():
        reject_sweep_options(config)
    choices = group_choices(hydra)
    return JobSpec(
        settings=Settings.from_values(complete_values(config)),
        choices=choices,
        folder=Path(hydra.runtime.output_dir),
        overrides=tuple(hydra.overrides.task),
        sweep_folder=None if is_single_run() else Path(hydra.runtime.cwd, hydra.sweep.dir),
    )
