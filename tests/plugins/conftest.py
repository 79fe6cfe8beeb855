"""A workplace whose jobs end in every way a job can, and whose PATH has a Slurm cluster."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from workplace import Workplace

ACTIVATION = """
import multiprocessing, os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path
import torch
from fanin.nn.activations import Identity

@dataclass(frozen=True)
class Fate(Identity):
    mode: str = "live"

    def forward(self, z):
        threads = torch.get_num_threads()
        asked = os.environ["OMP_NUM_THREADS"]
        Path(f"{self.mode}.{os.getpid()}").write_text(f"{asked} {threads}")
        match self.mode:
            case "raise":
                raise RuntimeError("not today")
            case "exit":
                sys.exit(4)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die":
                os._exit(3)
            case "sleep":
                time.sleep(100)
            case "children":
                with multiprocessing.get_context("fork").Pool(1) as pool:
                    pool.map(abs, [1])
        return z
"""

CLUSTER = {
    "sbatch": """#!PYTHON
import os, re, subprocess, sys
last = int(re.search("--array=0-([0-9]+)", open(sys.argv[1]).read())[1])
for task in range(last + 1):
    names = dict(JOB_ID=7 + task, ARRAY_JOB_ID=7, ARRAY_TASK_ID=task, NTASKS=1, JOB_NUM_NODES=1,
                 NODEID=0, PROCID=0, LOCALID=0)
    job = subprocess.Popen(
        ["bash", sys.argv[1]],
        env=os.environ | {f"SLURM_{name}": str(value) for name, value in names.items()},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    open(f"FOLDER/job.{task}", "w").write(str(job.pid))
print("Submitted batch job 7")
""",
    "srun": """#!/bin/bash
while [[ $1 == --* ]]; do [[ $1 == --unbuffered ]] && shift 1 || shift 2; done
exec "$@"
""",
    "squeue": """#!/bin/bash
for file in FOLDER/job.*; do
    kill -0 $(cat $file) 2> /dev/null && state=RUNNING || state=OUT_OF_MEMORY
    echo 7_${file##*.} $state
done
""",
    "scancel": """#!/bin/bash
for file in FOLDER/job.*; do kill -TERM -- -$(cat $file); done
""",
}
"""Just enough of Slurm for one array, whose tasks run on this machine."""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch) -> Workplace:
    """With an activation that ends as it is told, and the commands of a cluster."""
    (tmp_path / "mine.py").write_text(ACTIVATION)
    (tmp_path / "options" / "activation").mkdir(parents=True)
    option = tmp_path / "options" / "activation" / "fate.yaml"
    option.write_text("_target_: mine.Fate\nmode: live")
    (tmp_path / "bin").mkdir()
    for name, text in CLUSTER.items():
        script = tmp_path / "bin" / name
        script.write_text(text.replace("PYTHON", sys.executable).replace("FOLDER", str(tmp_path)))
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Workplace(tmp_path)


@pytest.fixture
def require():
    """Skip where a launcher is not installed."""

    def require(launcher: str) -> None:
        package = {"ray": "ray", "submitit_local": "submitit", "submitit_slurm": "submitit"}
        if launcher in package and importlib.util.find_spec(package[launcher]) is None:
            pytest.skip(f"{package[launcher]} is not installed")

    return require


@pytest.fixture
def sweep():
    """The line of a sweep over the modes of the activation."""
    return lambda launcher, *modes: [
        "-m", "--config-dir=options", "activation=fate", f"activation.mode={','.join(modes)}",
        f"hydra/launcher={launcher}", "depth=1", "timing.repeats=1",
    ]  # fmt: skip


@pytest.fixture
def traces(workplace):
    """Read (process, threads set, torch's threads) of each process that ran a job of a mode."""

    def traces(mode: str) -> list[tuple[int, ...]]:
        paths = workplace.folder.glob(f"{mode}.*")
        lines = [(path.suffix[1:], *path.read_text().split()) for path in paths]
        return [tuple(int(number) for number in line) for line in lines]

    return traces
