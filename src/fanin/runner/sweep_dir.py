"""What a sweep and its jobs, in whichever processes, tell each other through the sweep's folder."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from fanin.tracking.run_record import FILE, Record

_ENDED = ".ended"
_TAKEN_OVER = ".taken_over"
_SWEEP = ".sweep"


def mark_finished(sweep: Path, job: int, folder: str) -> None:
    """A job's last word, whatever became of it. A file each: appending is not safe everywhere."""
    (sweep / _ENDED).mkdir(exist_ok=True)
    (sweep / _ENDED / str(job)).write_text(folder)


def count_ended(sweep: Path) -> int:
    """How many jobs have ended so far."""
    return len(os.listdir(sweep / _ENDED)) if (sweep / _ENDED).is_dir() else 0


def left_by(job: int, sweep: Path, parent: str) -> Record | None:
    """The record that a job of that parent left, if it has ended."""
    word = sweep / _ENDED / str(job)
    left = Path(word.read_text(), FILE) if word.exists() else None
    record = Record.read(left) if left and left.exists() else None
    # Or else another sweep's, in a folder used again.
    return record if record and record.parent == parent else None


def clear(sweep: Path, record_id: str) -> None:
    """A sweep begins here, where another may have been."""
    (sweep / _SWEEP).write_text(record_id)
    shutil.rmtree(sweep / _ENDED, ignore_errors=True)
    (sweep / _TAKEN_OVER).unlink(missing_ok=True)


def supersede(before: Path, sweep: Path, record_id: str) -> None:
    """Tell the jobs of a sweep that is gone that it goes on elsewhere.

    Those that have not begun yet, in workers that live on, are not to begin. A store says where
    the folder is: nothing is written to one that does not hold this very sweep.
    """
    if before != sweep and _holds(before, record_id):
        (before / _TAKEN_OVER).touch()


def _holds(folder: Path, record_id: str) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return (folder / _SWEEP).read_text() == record_id
    return False


def is_superseded(sweep: Path) -> bool:
    return (sweep / _TAKEN_OVER).exists()
