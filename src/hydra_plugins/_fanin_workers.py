"""What the launchers share: a job whose process ended, and a check of their settings."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from fanin.config import SettingError


class ProcessEndedError(Exception):
    """The process that ran a job ended before the job did."""

    def __init__(self, how: str) -> None:
        known = f" ({how})" if how else ""
        super().__init__(f"its process ended: killed, out of memory, or exit{known}")


def failed(overrides: Sequence[str], error: BaseException) -> JobReturn:
    """What stands for a job that gave nothing back."""
    if isinstance(error, SystemExit):
        error = ProcessEndedError(f"exit status {error.code}")
    return JobReturn(overrides=list(overrides), status=JobStatus.FAILED, _return_value=error)


def check_whole(name: str, value: Any, note: str = "") -> None:
    """Refuse all but whole numbers from 1 on. Raises SettingError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingError(f"hydra.launcher.{name}={value}: use a whole number, 1 or more{note}")
