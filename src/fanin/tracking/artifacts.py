"""Finds a run's artifacts after the project folder was moved.

A store keeps absolute paths. In a SQLite store of fanin the artifacts are next to the database, so
they are found wherever the folder is now.
"""

import re
from pathlib import Path

from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

FOLDER = "artifacts"


def find_moved_artifacts(location: str, run_id: str, database: Path) -> Path | None:
    """Return the folder next to a SQLite database that now has a run's artifacts.

    location: where the store says they are, `.../artifacts/RUN/artifacts`, a path or a URI.
    Returns None, so that the caller uses `location`, if

    - run_id is not a run's id, or location is not a local path;
    - location exists;
    - the old store's folder exists, and the run has no folder next to the database.
    """
    is_id = re.fullmatch("[0-9a-f]{32}", run_id)  # else it could name any folder
    if not is_id or not is_local_uri(location):  # type: ignore[no-untyped-call]
        return None
    old = Path(local_file_uri_to_path(location))  # type: ignore[no-untyped-call]
    old_store = old.parent.parent.parent
    new = database.parent / FOLDER / run_id / FOLDER
    if old.exists() or (old_store.exists() and not new.exists()):
        return None
    return new
