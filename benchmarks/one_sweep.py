"""One sweep: how many tracked runs a minute, beside what one would write with what is at hand.

    python -m benchmarks.one_sweep                 five minutes on 2 idle cores; the peer needs
                                                   pip install hydra-joblib-launcher
    python -m benchmarks.one_sweep --most 10000    the largest sweep, 1,000 runs by default

The sweep is init=xavier,kaiming depth=10,50 and as many seeds as it takes, into an empty SQLite
store, in wall-clock time of the command. Of each way a sweep of four and a larger one are measured,
turn about; what a run costs is their difference, and 1,000 runs are the four and that cost (the
last way runs them, too). The peer, peer_sweep.py, logs a value at a time, or a run's at once.

Writes results/one_sweep.csv and prints a Markdown table for README.md.
"""

import argparse
import csv
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN, PEER = HERE.parent / "run.py", HERE / "peer_sweep.py"
SMALL, THOUSAND = 4, 1000
ROUNDS = 2
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
WAYS = {
    "peer, a value at a time": (PEER, ["log=value"], 20),
    "peer, a run at a time": (PEER, ["log=batch"], 40),
    "peer, a run at a time, hydra/launcher=joblib": (PEER, ["log=batch", *JOBLIB], 60),
    "fanin": (RUN, [], 60),
    "fanin, hydra/launcher=workers": (RUN, ["hydra/launcher=workers"], 100),
}
IMPORTS = "import torch, mlflow, hydra"
EMPTY_STORE = "import mlflow; mlflow.search_experiments()"


@dataclass(frozen=True)
class Sweep:
    """seconds: from start to end. runs: what its jobs' own runs took. memory: the driver's, MiB."""

    seconds: float
    runs: float
    memory: float


Row = tuple[str, str, Sequence[float]]
"""(what, unit, a figure a round)."""


@contextmanager
def empty_store() -> Iterator[Path]:
    """A folder with a store in it, made once."""
    with tempfile.TemporaryDirectory() as folder:
        if not _template.exists():
            command(["-c", EMPTY_STORE], Path(folder))
            shutil.move(Path(folder, "mlflow.db"), _template)
        shutil.copy(_template, folder)
        (Path(folder) / _template.name).rename(Path(folder, "mlflow.db"))
        yield Path(folder)


_scratch = tempfile.TemporaryDirectory()
_template = Path(_scratch.name, "empty.db")


def sweep(script: Path, settings: Sequence[str], jobs: int) -> Sweep:
    """A sweep of this many jobs; every run of it must be in the store at the end."""
    with empty_store() as folder:
        line = ["init=xavier,kaiming", "depth=10,50", f"seed=range(0,{jobs // 4})"]
        place = f"hydra.sweep.dir={folder}/sweep"
        seconds, memory = command([str(script), "-m", *line, place, *settings], folder)
        expected = jobs + (script == RUN)  # fanin's have a parent
        assert finished(folder / "mlflow.db") == expected, (folder / "output").read_text()
        records = [json.loads(p.read_text()) for p in folder.glob("sweep/*/record.json")]
        return Sweep(seconds, sum(r["ended"] - r["started"] for r in records) / 1000, memory)


def command(arguments: Sequence[str], folder: Path, status: int = 0) -> tuple[float, float]:
    """Seconds and MiB of a command of Python's, which must end with this status."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    with (folder / "output").open("w") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=output, stderr=output
        )
        most = 0.0  # what wait4 says is no less than what this process has had itself
        while process.poll() is None:
            with suppress(OSError, TypeError):  # it has just ended
                said = Path(f"/proc/{process.pid}/status").read_text()
                most = int(re.search(r"VmHWM:\s*(\d+) kB", said)[1]) / 1024  # type: ignore[index]
            time.sleep(0.01)
        seconds = time.perf_counter() - start
    assert process.returncode == status, (folder / "output").read_text()
    return seconds, most


def finished(database: Path) -> int:
    """How many runs of a store have ended well."""
    with sqlite3.connect(database) as connection:
        ended = "SELECT COUNT(*) FROM runs WHERE status = 'FINISHED'"
        return int(connection.execute(ended).fetchone()[0])


def measure(most: int) -> list[Row]:
    rounds, doors = [], []
    for _ in range(ROUNDS):
        doors.append(_doors())
        rounds.append({name: _both(*way) for name, way in WAYS.items()})
    rows: list[Row] = []
    for name, (_, _, jobs) in WAYS.items():
        pairs = [found[name] for found in rounds]
        costs = [(more.seconds - few.seconds) / (jobs - SMALL) for few, more in pairs]
        thousands = [
            few.seconds + (THOUSAND - SMALL) * cost
            for (few, _), cost in zip(pairs, costs, strict=True)
        ]
        rows += [
            (f"{name}: a run more", "ms", [1e3 * cost for cost in costs]),
            (f"{name}: {THOUSAND} runs, from {SMALL} and {jobs}", "s", thousands),
            (f"{name}: runs a minute at that", "", [60 * THOUSAND / s for s in thousands]),
        ]
    few, more = rounds[-1]["fanin, hydra/launcher=workers"]
    largest = sweep(*WAYS["fanin, hydra/launcher=workers"][:2], most)
    cost = (largest.seconds - few.seconds) / (most - SMALL)
    rows += [
        (f"fanin, hydra/launcher=workers: {most} runs, run whole", "s", [largest.seconds]),
        (f"fanin, hydra/launcher=workers: a run more, of {most}", "ms", [1e3 * cost]),
        ("the driver's memory at 100 runs", "MiB", [more.memory]),
        (f"the driver's memory at {most} runs", "MiB", [largest.memory]),
    ]
    imports, helps, wrongs = zip(*doors, _doors(), strict=True)
    main = [found["fanin"][0] for found in rounds]
    bare = statistics.median(imports)
    return [
        *rows,
        ("bare imports of torch, mlflow and hydra", "s", imports),
        ("the main job of four", "s", [job.seconds for job in main]),
        ("it over bare imports and its four runs", "", [j.seconds / (bare + j.runs) for j in main]),
        ("--help", "s", helps),
        ("a wrong value", "s", wrongs),
    ]


def _both(script: Path, settings: Sequence[str], jobs: int) -> tuple[Sweep, Sweep]:
    small, large = (sweep(script, settings, n) for n in (SMALL, jobs))
    print(
        f"    {script.name} {' '.join(settings)}: {jobs} runs in {large.seconds:.1f} s", flush=True
    )
    return small, large


def _doors() -> tuple[float, float, float]:
    """Seconds of bare imports, of --help, and of a wrong value's answer."""
    with empty_store() as folder:
        imports, _ = command(["-c", IMPORTS], folder)
        help_, _ = command([str(RUN), "--help"], folder)
        wrong, _ = command([str(RUN), "-m", "init=xavier,kaiming", "depth=ten"], folder, status=1)
        return imports, help_, wrong


def main(most: int = THOUSAND) -> None:
    rows = measure(most)
    path = HERE / "results" / "one_sweep.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "unit", "median", "least", "most"])
        writer.writerows([what, unit, *map(_shown, _spread(found))] for what, unit, found in rows)
    print("\nOne sweep, of two rounds, and one of the largest.\n")
    print("| | median | least | most |\n|---|---|---|---|")
    for what, unit, found in rows:
        figures = [f"{_shown(figure)} {unit}".strip() for figure in _spread(found)]
        print(f"| {what} | {' | '.join(figures)} |")


def _spread(found: Sequence[float]) -> tuple[float, float, float]:
    return statistics.median(found), min(found), max(found)


def _shown(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=THOUSAND)
    main(parser.parse_args().most)
