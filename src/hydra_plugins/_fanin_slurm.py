"""How the jobs of a Slurm cluster ended, according to squeue.

submitit itself asks sacct, and waits forever on a cluster without accounting.
"""

import getpass
import math
import subprocess
import time
from contextlib import suppress
from typing import Any

_SECONDS_BETWEEN_QUERIES = 5.0
_FINAL = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
)  # fmt: skip


class JobStates:
    """The state of each of this user's jobs, queried every few seconds."""

    def __init__(self) -> None:
        self._queried = -math.inf
        self._states: dict[str, str] | None = None

    def ended_state(self, job: Any) -> str | None:
        """The state that a submitit job ended in, as "STATE; ", or None while it may still run."""
        if time.monotonic() - self._queried > _SECONDS_BETWEEN_QUERIES:
            self._query()
        if self._states is None or self._states.get(job.job_id) not in (None, *_FINAL):
            return None
        with suppress(OSError):  # or a network file system may not show a new file
            job.paths.folder.chmod(job.paths.folder.stat().st_mode)
        state = self._states.get(job.job_id)  # Slurm forgets a job minutes after its end
        return f"{state}; " if state else ""

    def _query(self) -> None:
        command = ["squeue", "--user", getpass.getuser(), "--states", "all", "--array"]
        answer = subprocess.run(
            [*command, "--noheader", "--format", "%i %T"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode == 0:  # else the cluster does not answer for now
            self._states = dict(line.split() for line in answer.stdout.splitlines())
        self._queried = time.monotonic()
