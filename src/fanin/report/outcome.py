"""What came out of one job, as figures and tables take it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fanin.signal.profile import Profile


@dataclass(frozen=True)
class Outcome:
    """A job that has ended well: its params, what was measured, and what that means.

    advice: what to try instead, where the signal does not survive. job: its number in the sweep.
    name, run_id: of its run; the id is that of the store, None where the store does not have it.
    """

    params: Mapping[str, str]
    profile: Profile
    verdict: str
    because: str
    advice: str | None = None
    job: int | None = None
    name: str = ""
    run_id: str | None = None
