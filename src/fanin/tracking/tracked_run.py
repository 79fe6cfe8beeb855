"""A tracked run: the only place that reads and checks a run from a store.

Anyone may write to a shared store. So every field is checked here before it is used as a path or a
setting, or shown on a terminal.
"""

import math
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run

from fanin.measure.params import ParamValue
from fanin.tracking.param_texts import parse_params
from fanin.tracking.run_record import RunStatus
from fanin.tracking.tags import OUTPUT_DIR, RECORD_ID

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters except tab and line feed, direction marks, surrogates."""


@dataclass(frozen=True)
class TrackedRun:
    """A run that a store holds. Its texts have no control characters.

    status: a text if RunStatus does not have the word. started: milliseconds since 1970, 0 if the
    store has none. params: values, parsed from the store's texts. metrics: the value of each curve
    at the last step. record_id: 32 hex digits, or None if the tag is
    anything else.
    """

    id: str
    name: str
    status: RunStatus | str
    started: int
    params: dict[str, ParamValue]
    tags: dict[str, str]
    metrics: dict[str, float]
    record_id: str | None = None

    @classmethod
    def read(cls, run: Run) -> "TrackedRun":
        """Check each field of a run from MLflow's client. Drops broken numbers; never raises."""
        tags = _printable_texts(run.data.tags)
        params = parse_params(_printable_texts(run.data.params))
        record_id = run.data.tags.get(RECORD_ID) or ""
        return cls(
            id=to_printable(run.info.run_id),
            name=to_printable(run.info.run_name),
            status=_read_status(to_printable(run.info.status)),
            started=_read_time(run.info.start_time),
            params={name: _check_value(value) for name, value in params.items()},
            tags=tags,
            metrics=_read_metrics(run.data.metrics),
            record_id=record_id if re.fullmatch("[0-9a-f]{32}", record_id) else None,
        )

    @property
    def output_dir(self) -> Path:
        """The folder named in a tag. Trust it only if `RunRecord.read_from` finds the record there.

        The current folder if the run lacks the tag.
        """
        return Path(self.tags.get(OUTPUT_DIR) or ".")


def to_printable(text: object) -> str:
    """Return the text without the characters that change what a terminal shows; "" for None."""
    return "" if text is None else _UNPRINTABLE.sub("", str(text))


def _printable_texts(texts: Mapping[str, object]) -> dict[str, str]:
    return {to_printable(name): to_printable(text) for name, text in texts.items()}


def _check_value(value: object) -> ParamValue:
    """Clean the texts again: a literal's escape sequences are characters only once parsed."""
    if isinstance(value, list):
        return [_check_value(item) for item in value]
    if isinstance(value, dict):
        return {to_printable(key): _check_value(item) for key, item in value.items()}
    if isinstance(value, int) and value.bit_length() > sys.float_info.max_exp:
        return math.inf if value > 0 else -math.inf  # str and float both refuse it
    if isinstance(value, int | float | None):
        return value
    return to_printable(value)


def _read_status(word: str) -> RunStatus | str:
    with suppress(ValueError):
        return RunStatus(word)
    return word


def _read_time(value: object) -> int:
    return value if isinstance(value, int) else 0


def _read_metrics(values: Mapping[str, object]) -> dict[str, float]:
    return {
        to_printable(name): float(value)
        for name, value in values.items()
        if isinstance(value, int | float)
    }
