"""What the runner is given of a sweep: its line, and its jobs, composed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanin.config.compose import ConfigTemplate, Values
from fanin.config.saved_sweep import LineSetting
from fanin.config.settings import Claims, GroupChoices, Sweeping, Tracking


@dataclass(frozen=True)
class ComposedJob:
    """One job: its overrides, the template of its configuration, and its values on it.

    template: None for a job that cannot be composed, and that sweep.exclude leaves out.
    """

    overrides: list[str]
    template: ConfigTemplate | None
    values: Values


@dataclass(frozen=True)
class SweepSpec:
    """A sweep whose every job has been composed.

    line: each override, typed or brought by a file or a tracked run. overrides: as typed.
    exclude: sweep.exclude, of the line or else of the experiment file, unchecked.
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
