"""A record: all that a store is to hold of one run, as plain values and in a file of its own.

It is written to the run's output folder before the store is asked, so that nothing that was
computed depends on a server's health.
"""

import json
import os
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

FILE = "record.json"


def now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


@dataclass
class Record:
    """One run.

    id: ours, the same however often the run is delivered. uri, experiment: where it belongs.
    folder: where its files are, and this record once the run is over. parent: the store's id of
    the sweep that it is a job of. run_id: the store's, where it was there when the run was begun.
    metrics: (name, step, value). files: names in the folder.
    started, ended: milliseconds since 1970.
    """

    uri: str
    experiment: str
    name: str
    folder: str
    parent: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    run_id: str | None = None
    status: str = "RUNNING"
    started: int = field(default_factory=now)
    ended: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[tuple[str, int, float]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Record":
        values = json.loads(path.read_text())
        values["metrics"] = [tuple(point) for point in values["metrics"]]
        return cls(**values)

    @classmethod
    def of(cls, record_id: str | None, folder: Path) -> "Record | None":
        """The record with that id, where the folder holds it."""
        try:
            record = cls.read(folder / FILE)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if record.id == record_id else None

    def write(self, path: Path) -> None:
        """All or nothing, whenever the process is killed or the power goes."""
        unfinished = path.with_name(f".{path.name}.part")
        text = json.dumps(vars(self))
        with unfinished.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
