"""What a sweep and its jobs, in whichever processes, tell each other through the sweep's folder."""

from pathlib import Path

from fanin.tracking.record import FILE, Record

_ENDED = ".ended"
_TAKEN_OVER = ".taken_over"


def say_ended(sweep: Path, job: int, folder: str) -> None:
    """A job's last word, whatever became of it."""
    with (sweep / _ENDED).open("a") as file:
        file.write(f"{job} {folder}\n")


def count_ended(sweep: Path) -> int:
    """How many jobs have ended so far."""
    path = sweep / _ENDED
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ended(sweep: Path) -> dict[int, Record]:
    """What the jobs that have ended left, by number."""
    path = sweep / _ENDED
    lines = path.read_text().splitlines() if path.exists() else []
    folders = dict(line.split(" ", 1) for line in lines)
    records = {int(job): Path(folder, FILE) for job, folder in folders.items()}
    return {job: Record.read(path) for job, path in sorted(records.items()) if path.exists()}


def clear(sweep: Path) -> None:
    """A sweep begins here, where another may have been."""
    for name in (_ENDED, _TAKEN_OVER):
        (sweep / name).unlink(missing_ok=True)


def take_over(before: Path, sweep: Path) -> None:
    """Tell the jobs of a sweep that is gone that it goes on elsewhere.

    Those that have not begun yet, in workers that live on, are not to begin.
    """
    if before.is_dir() and before != sweep:
        (before / _TAKEN_OVER).touch()


def is_taken_over(sweep: Path) -> bool:
    return (sweep / _TAKEN_OVER).exists()
