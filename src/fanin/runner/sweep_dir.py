"""Messages between a sweep and its jobs, as files in the sweep's folder."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from fanin.tracking.run_record import FILE, RunRecord

_ENDED = ".ended"
_SUPERSEDED = ".taken_over"
_SWEEP = ".sweep"


def mark_finished(sweep: Path, job: int, folder: str) -> None:
    """Mark a job as ended. One file per job, since appending is not safe on every file system."""
    (sweep / _ENDED).mkdir(exist_ok=True)
    (sweep / _ENDED / str(job)).write_text(folder)


def count_finished(sweep: Path) -> int:
    """Return how many jobs have ended."""
    return len(os.listdir(sweep / _ENDED)) if (sweep / _ENDED).is_dir() else 0


def read_record(job: int, sweep: Path, parent: str) -> RunRecord | None:
    """Read the record of a job of that parent; None if the job has not ended."""
    marker = sweep / _ENDED / str(job)
    path = Path(marker.read_text(), FILE) if marker.exists() else None
    record = RunRecord.read(path) if path and path.exists() else None
    # A reused folder may hold the record of another sweep's job.
    return record if record and record.parent == parent else None


def begin(sweep: Path, record_id: str) -> None:
    """Start a sweep in this folder, and remove the messages of an earlier one."""
    (sweep / _SWEEP).write_text(record_id)
    shutil.rmtree(sweep / _ENDED, ignore_errors=True)
    (sweep / _SUPERSEDED).unlink(missing_ok=True)


def supersede(before: Path, sweep: Path, record_id: str) -> None:
    """Tell the workers of a sweep whose process is gone that it continues elsewhere.

    Workers then start no further jobs. The folder's path comes from a store, so nothing is written
    to a folder that does not hold this sweep.
    """
    if before.resolve() != sweep.resolve() and _holds(before, record_id):
        (before / _SUPERSEDED).touch()


def _holds(folder: Path, record_id: str) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return (folder / _SWEEP).read_text() == record_id
    return False


def is_superseded(sweep: Path) -> bool:
    """Whether the sweep continues in another folder."""
    return (sweep / _SUPERSEDED).exists()
