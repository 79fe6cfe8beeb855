"""The input of the runner for a sweep: its command line and its composed jobs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanin.config.compose import ConfigTemplate, Values
from fanin.config.saved_sweep import LineSetting
from fanin.config.settings import Claims, GroupChoices, Sweeping, Tracking


@dataclass(frozen=True)
class ComposedJob:
    """One job: its overrides, the template of its configuration, and the values set on it.

    template: None for a job that cannot be composed and is excluded by sweep.exclude.
    """

    overrides: list[str]
    template: ConfigTemplate | None
    values: Values


@dataclass(frozen=True)
class SweepSpec:
    """A sweep with all its jobs composed.

    line: every override, typed or from an experiment file or a tracked run. overrides: as typed.
    exclude: sweep.exclude from the command line or else the experiment file, not checked yet.
    config_yaml: the sweep's own configuration, for multirun.yaml.
    """

    line: tuple[LineSetting, ...]
    jobs: tuple[ComposedJob, ...]
    tracking: Tracking
    claims: Claims
    sweep: Sweeping
    choices: GroupChoices
    overrides: tuple[str, ...]
    folder: Path
    launcher: str
    exclude: Any
    config_yaml: str
