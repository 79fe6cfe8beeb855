"""Processes that have what is heavy imported when they begin.

A process that runs run.py spends most of its seconds on importing torch and MLflow. One that
is forked from a server that has done so is otherwise the same: of its own, with its own
environment, folder, arguments, output and exit.
"""

import atexit
import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TIMEOUT = 300
PRELOADED = (
    "torch",
    "hydra.main",
    "mlflow.store.tracking.sqlalchemy_store",
    "scipy.optimize",
    "sklearn.datasets",
    "rich.progress",
    "fanin.tracking.journal",  # nothing that looks where the project is
    "fanin.report.terminal",
    "fanin.report.tables",
    "fanin.report.ladder",
)


@cache
def _server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    return context


def run(
    command: list[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run does, of `python FILE ...` and `python -m MODULE ...`."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        streams = [multiprocessing.reduction.DupFd(file.fileno()) for file in (out, err)]
        process = _server().Process(
            target=_be, args=(command[1:], cwd, dict(environment), *streams)
        )
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(command)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
        return subprocess.CompletedProcess(command, process.exitcode, *texts)


def _be(arguments: list[str], cwd: Path, environment: dict[str, str], out, err) -> None:
    """Be the process of that command, to its end."""
    for stream, number in ((out, 1), (err, 2)):
        os.dup2(stream.detach(), number)
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, buffering=1) for n in (1, 2))  # noqa: SIM115
    sys.stdin = io.StringIO()
    mlflow = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    os.environ.clear()
    os.environ.update(mlflow | environment)
    os.chdir(cwd)
    here = {str(Path(__file__).parent), str(Path.cwd()), ""}
    is_module = arguments[0] == "-m"
    first = str(cwd) if is_module else str(Path(arguments[0]).parent)
    own = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [first, *own, *(path for path in sys.path if path not in here)]
    sys.argv[:] = arguments[is_module:]
    status = 0
    try:
        if is_module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        status = _status(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _status(end: SystemExit) -> int:
    if isinstance(end.code, int | None):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1
