"""The result of one run: what the runner makes, the store keeps, and figures and tables show."""

from dataclasses import dataclass

from fanin.measure.params import Params
from fanin.measure.profile import Profile


@dataclass(frozen=True)
class RunResult:
    """A run that ended well: its params, what was measured, and what that means.

    verdict: one word, see verdict.py. explanation: the measurement behind it, in a sentence.
    advice: what to try instead, where the signal does not survive. job: the job's number in its
    sweep. name, run_id: of the MLflow run; the id is None until the store has the run.
    """

    params: Params
    profile: Profile
    verdict: str
    explanation: str
    advice: str | None = None
    job: int | None = None
    name: str = ""
    run_id: str | None = None
