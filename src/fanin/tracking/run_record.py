"""A run record: everything about a run that goes to the store, as typed values and in a file.

The record is written to the run's output folder before it is sent to the store, so that no result
is lost if a server is down.
"""

import json
import os
import time
import uuid
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from fanin.measure.params import ParamValue
from fanin.tracking.dataset import Dataset
from fanin.tracking.param_texts import parse_params

FILE = "record.json"
FORMAT = 3
"""The file format. Files of format 2 have no data set. Files of format 1 also have no format
number, and all their params are texts."""


class RunStatus(str, Enum):
    """The states of a run, named as in MLflow."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    __str__ = str.__str__


def now() -> int:
    """Return the time in milliseconds since 1970, as MLflow counts it."""
    return time.time_ns() // 1_000_000


@dataclass
class RunRecord:
    """One run.

    id: 32 hex digits that fanin chose, the same however often the run is delivered.
    uri, experiment: where the run belongs. folder: has the run's files, and this record once the
    run is over. parent: the store's id of the sweep that the run is a job of. run_id: the store's
    id of the run, if the store answered when the run started. metrics: (name, step, value).
    files: names in the folder. dataset: the data of the run. started, ended: milliseconds since
    1970.
    """

    uri: str
    experiment: str
    name: str
    folder: str
    parent: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    run_id: str | None = None
    status: RunStatus = RunStatus.RUNNING
    started: int = field(default_factory=now)
    ended: int | None = None
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[tuple[str, int, float]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    dataset: Dataset | None = None

    @classmethod
    def read(cls, path: Path) -> "RunRecord":
        """Read a record of this or an earlier format. Raises OSError or ValueError."""
        try:
            return cls._from_json(json.loads(path.read_text()))
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: is not a record of a run") from error

    @classmethod
    def read_from(cls, folder: Path, record_id: str | None) -> "RunRecord | None":
        """Read the record with that id, or return None if the folder does not hold it."""
        try:
            record = cls.read(folder / FILE)
        except (OSError, ValueError):
            return None
        return record if record_id and record.id == record_id else None

    @classmethod
    def _from_json(cls, values: dict[str, Any]) -> "RunRecord":
        number = values.pop("format", 1)
        if number not in (1, 2, FORMAT):
            raise ValueError(f"format {number} belongs to a newer fanin")
        if number == 1:
            values["params"] = parse_params(values["params"])
        values["status"] = RunStatus(values["status"])
        values["metrics"] = [(name, step, value) for name, step, value in values["metrics"]]
        values["dataset"] = Dataset(**values["dataset"]) if values.get("dataset") else None
        return cls(**values)

    def write(self, path: Path) -> None:
        """Write all or nothing, even if the process is killed or the power fails."""
        unfinished = path.with_name(f".{path.name}.part")
        text = json.dumps({"format": FORMAT, **vars(self)}, default=vars)
        with unfinished.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
