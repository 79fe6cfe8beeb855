"""A new run, before anything is computed: its name, MLflow experiment, params and tags."""

import os
from collections.abc import Sequence

import torch

from fanin.config.command_line import format_overrides
from fanin.config.job_spec import JobSpec
from fanin.config.project import PROJECT
from fanin.config.settings import GroupChoices, Tracking
from fanin.measure.params import Params
from fanin.runner.fingerprint import code_version, config_hash
from fanin.runner.run_params import params_of
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.provenance import provenance_tags
from fanin.tracking.run_record import RunRecord
from fanin.tracking.tags import OUTPUT_DIR


def new_record(spec: JobSpec) -> RunRecord:
    """The record of a run before anything is computed."""
    values = spec.settings.as_values()
    params = params_of(values, spec.choices)
    return RunRecord(
        uri=mask_passwords(spec.settings.tracking.uri),
        experiment=experiment_name(spec.settings.tracking, spec.choices),
        name=run_name(params, spec.overrides),
        folder=str(spec.folder),
        parent=spec.settings.tracking.parent,
        params=dict(params),
        tags=common_tags(spec.overrides)
        | {
            OUTPUT_DIR: str(spec.folder),
            "config.hash": config_hash(values),
            "code.version": code_version(values),
        },
    )


def experiment_name(tracking: Tracking, choices: GroupChoices) -> str:
    """The MLflow experiment: from the setting, MLflow's variable, the experiment file, or fanin."""
    variable = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    return tracking.experiment or variable or choices["experiment"] or "fanin"


def run_name(params: Params, overrides: Sequence[str]) -> str:
    """The run's name with its other overrides at the end: `kaiming relu 50x100 seed=3`."""
    in_name = ("init", "activation", "depth", "hidden_size", "experiment")
    settings = [override.partition("=") for override in overrides]
    others = [
        f"{name.lstrip('+')}={value}"
        for name, _, value in settings
        if name.lstrip("+") not in in_name and not name.startswith(("tracking.", "claims."))
    ]
    return " ".join(["{init} {activation} {depth}x{hidden_size}".format_map(params), *others])


def common_tags(overrides: Sequence[str]) -> dict[str, str]:
    """The tags that both a run and a sweep have."""
    return provenance_tags(PROJECT / "run.py") | {
        "torch.version": torch.__version__,
        "overrides": mask_passwords(format_overrides(overrides)),
    }
