"""Where a run comes from: who started it, from which file, at which version of the code."""

import getpass
import json
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_LOGGED_ARTIFACTS,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)


@cache
def provenance_tags(script: Path) -> dict[str, str]:
    """Return MLflow's own tags for a run's origin, and `git.dirty`.

    Without a git checkout, git's tags are missing.
    """
    tags = {MLFLOW_SOURCE_NAME: str(script), MLFLOW_SOURCE_TYPE: "LOCAL"}
    with suppress(OSError, KeyError):  # a container's user may have no name
        tags[MLFLOW_USER] = getpass.getuser()
    with suppress(OSError, subprocess.CalledProcessError):
        tags[MLFLOW_GIT_COMMIT] = _run_git(script.parent, "rev-parse", "HEAD").strip()
        dirty = _run_git(script.parent, "status", "--porcelain") != ""
        tags["git.dirty"] = str(dirty).lower()
    return tags


def table_tag(file: str) -> dict[str, str]:
    """Return the tag that makes MLflow show a JSON artifact of columns and data as a table."""
    return {MLFLOW_LOGGED_ARTIFACTS: json.dumps([{"path": file, "type": "table"}])}


def _run_git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
