"""What a sweep and its jobs, in whichever processes, tell each other through the sweep's folder."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from fanin.tracking.run_record import FILE, RunRecord

_ENDED = ".ended"
_SUPERSEDED = ".taken_over"
_SWEEP = ".sweep"


def mark_finished(sweep: Path, job: int, folder: str) -> None:
    """Say that a job has ended, however it did. A file each: appending is not safe everywhere."""
    (sweep / _ENDED).mkdir(exist_ok=True)
    (sweep / _ENDED / str(job)).write_text(folder)


def count_finished(sweep: Path) -> int:
    """How many jobs have ended so far."""
    return len(os.listdir(sweep / _ENDED)) if (sweep / _ENDED).is_dir() else 0


def read_record(job: int, sweep: Path, parent: str) -> RunRecord | None:
    """The record of a job of that parent, if the job has ended."""
    marker = sweep / _ENDED / str(job)
    path = Path(marker.read_text(), FILE) if marker.exists() else None
    record = RunRecord.read(path) if path and path.exists() else None
    # A folder that was used before may hold the record of another sweep's job.
    return record if record and record.parent == parent else None


def begin(sweep: Path, record_id: str) -> None:
    """A sweep begins in this folder, where another may have been."""
    (sweep / _SWEEP).write_text(record_id)
    shutil.rmtree(sweep / _ENDED, ignore_errors=True)
    (sweep / _SUPERSEDED).unlink(missing_ok=True)


def supersede(before: Path, sweep: Path, record_id: str) -> None:
    """Tell the jobs of a sweep whose process is gone that it goes on elsewhere.

    Jobs that workers have not begun yet are then not begun. A store says where the folder is:
    nothing is written to one that does not hold this very sweep.
    """
    if before != sweep and _holds(before, record_id):
        (before / _SUPERSEDED).touch()


def _holds(folder: Path, record_id: str) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return (folder / _SWEEP).read_text() == record_id
    return False


def is_superseded(sweep: Path) -> bool:
    """Whether the sweep goes on elsewhere."""
    return (sweep / _SUPERSEDED).exists()
