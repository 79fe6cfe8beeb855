"""A place to run the command in for real, with a store of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

PROJECT = Path(__file__).resolve().parents[1]


def options(group: str) -> list[str]:
    """The options of a group in conf/."""
    return sorted(path.stem for path in (PROJECT / "conf" / group).glob("*.yaml"))


@dataclass(frozen=True)
class Workplace:
    """A folder with a store of its own, in which run.py is run as a user runs it."""

    folder: Path
    project: Path = PROJECT

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "MLFLOW_TRACKING_URI": self.uri,
            "PYTHONPATH": str(self.folder),
        }

    def command(self, *arguments: str) -> list[str]:
        places = [f"hydra.run.dir={self.folder}/run", f"hydra.sweep.dir={self.folder}/sweep"]
        return [sys.executable, str(self.project / "run.py"), *places, *arguments]

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run run.py from this folder; it must end with this status."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

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
