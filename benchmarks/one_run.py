"""Where the time of one tracked run goes: milliseconds of CPU, part by part.

    python -m benchmarks.one_run                    a minute

A sweep of init=xavier,kaiming depth=10,50 into a SQLite store, one job after the other on one
thread: of 4 jobs, and of 64; a job is what is between them. Prints a Markdown table for README.md.
"""

import argparse
import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core import utils

from fanin.config import job_spec
from fanin.runner import compute, run, sweep
from fanin.tracking import journal, run_record
from hydra_plugins.fanin_sweeper import FaninSweeper

RUN = Path(__file__).resolve().parents[1] / "run.py"
FEW, MANY, ROUNDS = 4, 64, 3
OF_A_JOB = {
    "settings, classes, data": ("complete_values", "prepare", "new_record"),
    "passes, seven of them": ("time_passes",),
    "weights and statistics": ("build_network", "measure"),
    "theory and advice": ("predict_run", "add_predictions", "_advice"),
    "files": ("write_result", "write"),
    "the run opened in the store": ("_open_run",),
    "the run ended in the store": ("_deliver",),
}
"""Parts of what a job does, and the functions that do them."""


def a_job() -> dict[str, float]:
    """Milliseconds of CPU of the parts of a job."""
    few, many = (_in_its_own_process(jobs) for jobs in (FEW, MANY))
    return {part: 1e3 * (many[part] - few[part]) / (MANY - FEW) for part in many}


def _in_its_own_process(jobs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        }
        command = [sys.executable, __file__, "--jobs", str(jobs)]
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE
        )
        parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return parts


def clocked_sweep(jobs: int) -> dict[str, float]:
    """A sweep in this process. Seconds of CPU of its parts."""
    taken: defaultdict[str, float] = defaultdict(float)

    def clock(place: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(place, name)

        def clocked(*values: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return function(*values, **named)
            finally:
                taken[name] += time.process_time() - start

        setattr(place, name, clocked)

    clock(job_spec, "complete_values")
    for name in ("prepare", "new_record", "write_result", "_advice", "_run_job"):
        clock(run, name)
    for name in ("time_passes", "build_network", "measure", "predict_run", "add_predictions"):
        clock(compute, name)
    clock(run_record.RunRecord, "write")
    clock(journal, "_open_run")
    clock(journal.Journal, "_deliver")
    clock(utils, "run_job")  # the launcher, imported later, takes this one
    clock(FaninSweeper, "_launch")
    clock(FaninSweeper, "sweep")
    clock(sweep.SweepRun, "_run_jobs")  # the launch, and the end
    line = ["-m", "init=xavier,kaiming", "depth=10,50", f"seed=range(0,{jobs // 4})"]
    sys.argv = [str(RUN), *line, f"hydra.sweep.dir={Path.cwd()}/sweep"]
    with suppress(SystemExit):
        runpy.run_path(sys.argv[0], run_name="__main__")
    return {
        "composed and checked by the driver": taken["sweep"] - taken["_run_jobs"],
        "composed once more for its launch": taken["_launch"] - taken["run_job"],
        "Hydra's launch: logging, copies, `.hydra`": taken["run_job"] - taken["_run_job"],
        **{part: sum(taken[name] for name in names) for part, names in OF_A_JOB.items()},
        "the end: records, tables, figures": taken["_run_jobs"] - taken["_launch"],
        "**all**": taken["sweep"],
    }


def main() -> None:
    rounds = [a_job() for _ in range(ROUNDS)]
    print("\n| ms of CPU a run | median | least | most |\n|---|---|---|---|")
    for part in rounds[0]:
        found = [turn[part] for turn in rounds]
        spread = (statistics.median(found), min(found), max(found))
        print(f"| {part} | {' | '.join(f'{milliseconds:.1f}' for milliseconds in spread)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, help=argparse.SUPPRESS)
    jobs = parser.parse_args().jobs
    if jobs:
        print(json.dumps(clocked_sweep(jobs)))
    else:
        main()
