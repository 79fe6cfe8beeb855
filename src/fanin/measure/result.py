"""The result of one run, as the runner makes it and as figures and tables show it."""

from dataclasses import dataclass

from fanin.measure.params import Params
from fanin.measure.profile import Profile


@dataclass(frozen=True)
class RunResult:
    """A finished run: its params, its measurements, and their meaning.

    verdict: one word, see verdict.py. explanation: the measurement behind it, in a sentence.
    advice: what to try instead, if the signal does not survive. job: the job's number in its
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
