"""The protocol that writes runs to a store, and what its implementations share."""

from pathlib import Path
from typing import Protocol

from fanin.tracking.run_record import RunRecord
from fanin.tracking.tags import PARENT, RECORD_ID

MAX_NAME_LENGTH = 250
"""Characters of a run's name. PostgreSQL refuses more."""


class Writer(Protocol):
    """Writes the runs of one experiment. Raises whatever MLflow or its drivers raise."""

    def create_run(self, record: RunRecord) -> str:
        """Start a run with the record's tags and params, and return its id in the store."""

    def log_params(self, run_id: str, record: RunRecord) -> None:
        """Add the params that the run does not have yet."""

    def complete_run(self, run_id: str, record: RunRecord) -> None:
        """Add files, tags, metrics and the data set, and end the run.

        A second call changes nothing.
        """


def initial_tags(record: RunRecord) -> dict[str, str]:
    """Return the tags that a run starts with."""
    parent = {} if record.parent is None else {PARENT: record.parent}
    return {**record.tags, RECORD_ID: record.id, **parent}


def shorten_name(record: RunRecord) -> str:
    """Return the run's name, cut to a length that every store takes."""
    return record.name[:MAX_NAME_LENGTH]


def list_files(record: RunRecord) -> list[str]:
    """Return the paths of the record's files."""
    return [str(Path(record.folder, name)) for name in record.files]
