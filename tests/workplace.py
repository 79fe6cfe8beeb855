"""A place to run the command in for real, with a store of its own."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import in_process
import ready
import store_template
from hydra.utils import instantiate
from mlflow import MlflowClient
from omegaconf import OmegaConf

PROJECT = Path(__file__).resolve().parents[1]


TROUBLE = """
import os, signal, sys, time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
import torch
from fanin.nn.activations import ReLU

TICKETS = Path(__file__).parent / "tickets"

def admitted():
    for ticket in TICKETS.glob("*"):
        with suppress(FileNotFoundError):  # another job was faster
            ticket.unlink()
            return True
    return False

@dataclass(frozen=True)
class Trouble(ReLU):
    how: str = "none"

    def forward(self, z):
        match self.how:
            case "raise":
                raise RuntimeError("not today")
            case "exit":
                sys.exit(3)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die":
                os._exit(3)
            case "sleep" if z.dtype == torch.float32:  # theory's integrals are float64
                time.sleep(0.05)
            case "wait" if z.dtype == torch.float32 and not hasattr(self, "admitted"):
                while not admitted():
                    time.sleep(0.02)
                object.__setattr__(self, "admitted", True)
            case "picky":
                assert z.dim() != 2, "no matrices"  # which theory asks of, and no pass
        return super().forward(z)
"""


def options(group: str) -> list[str]:
    """The options of a group in conf/."""
    return sorted(path.stem for path in (PROJECT / "conf" / group).glob("*.yaml"))


def made(group: str, name: str, **settings):
    """The object that an option in conf/ describes."""
    return instantiate(OmegaConf.load(PROJECT / "conf" / group / f"{name}.yaml"), **settings)


@dataclass(frozen=True)
class Workplace:
    """A folder with a store of its own, in which run.py is run as a user runs it."""

    folder: Path
    project: Path = PROJECT
    address: str = ""
    migrates: bool = False
    """Whether a store that is not there is migrated, as a user's is, and not copied."""

    @classmethod
    def with_own_project(cls, folder: Path, address: str = "") -> "Workplace":
        """One whose project may be written to, with a journal of its own."""
        project, here = folder / "project", folder / "here"
        for path in (project, here):
            path.mkdir()
        shutil.copy(PROJECT / "run.py", project)
        for name in ("conf", "experiments"):
            shutil.copytree(PROJECT / name, project / name)
        return cls(here, project, address)

    @property
    def uri(self) -> str:
        return self.address or f"sqlite:///{self.folder}/mlflow.db"

    def environment(self) -> dict[str, str]:
        template = {store_template.FOLDER: ""} if self.migrates else {}
        return (
            os.environ
            | template
            | {
                "MLFLOW_TRACKING_URI": self.uri,
                "PYTHONPATH": str(self.folder),
                "FANIN_PROJECT": str(self.project),
                "OMP_NUM_THREADS": "1",  # torch's threads wait for each other by spinning
            }
        )

    def command(self, *arguments: str) -> list[str]:
        places = [f"hydra.run.dir={self.folder}/run", f"hydra.sweep.dir={self.folder}/sweep"]
        return [sys.executable, str(self.project / "run.py"), *places, *arguments]

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run run.py from this folder, in a ready process; it must end with this status."""
        return self._run(self.command(*arguments), status)

    def run_here(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run run.py in this very process: quickly, for what ends before it computes anything."""
        done = in_process.run(self.command(*arguments), self.folder, self.environment())
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def start(self, *arguments: str) -> ready.Process:
        """Start it in the background, in a ready process that leads a group."""
        return ready.Process(self.command(*arguments), self.folder, self.environment())

    def start_afresh(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in the background in a process that imports everything, as a user's does."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests themselves run in the background, SIGINT is ignored, and inherited so.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            start_new_session=True,
        )

    def run_afresh(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end in a process that imports everything, as a user's does."""
        with self.start_afresh(*arguments) as process:
            out, err = process.communicate(timeout=ready.TIMEOUT)
        assert process.returncode == 0, out + err
        return subprocess.CompletedProcess(process.args, 0, out, err)

    def fanin(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run python -m fanin; it must end with this status."""
        return self._run([sys.executable, "-m", "fanin", *arguments], status)

    def _run(self, command: list[str], status: int) -> subprocess.CompletedProcess[str]:
        done = ready.run(command, self.folder, self.environment())
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def ended(self, sweep: str = "sweep") -> int:
        """How many jobs of the sweep have ended so far."""
        return len(list((self.folder / sweep / ".ended").glob("*")))

    def children(self, experiment: str = "fanin") -> list:
        """The jobs' runs, oldest first."""
        return [r for r in self.runs(experiment) if "mlflow.parentRunId" in r.data.tags]

    def parents(self, experiment: str = "fanin") -> list:
        return [r for r in self.runs(experiment) if "sweep.hash" in r.data.tags]

    def extend(self) -> None:
        """Add the activation `trouble`, whose option `how` says what comes of a job.

        how=wait: each job waits in its first pass until it is admitted.
        """
        (self.folder / "mine.py").write_text(TROUBLE)
        folder = self.folder / "options" / "activation"
        folder.mkdir(parents=True)
        (folder / "trouble.yaml").write_text("_target_: mine.Trouble\nhow: none\n")

    def admit(self, jobs: int) -> None:
        """Let so many more jobs of how=wait pass."""
        tickets = self.folder / "tickets"
        tickets.mkdir(exist_ok=True)
        for _ in range(jobs):
            (tickets / uuid4().hex).touch()

    def runs(self, experiment: str = "fanin") -> list:
        """All runs of an experiment, oldest first."""
        client = self.client()
        found = client.get_experiment_by_name(experiment)
        return client.search_runs([found.experiment_id], order_by=["start_time"]) if found else []

    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.uri)

    def curve(self, run, name: str) -> dict[int, float]:
        """layer -> value."""
        history = self.client().get_metric_history(run.info.run_id, name)
        return {metric.step: metric.value for metric in history}
