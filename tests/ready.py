"""Processes that start with everything heavy imported.

A process that runs run.py spends most of its time importing torch and MLflow. One forked from a
server that has imported them is otherwise the same: it has its own environment, folder, arguments,
output and exit status. Where such a process makes a SQLite store, it copies a migrated one.
"""

import atexit
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from store_template import copy_instead_of_migrating

TIMEOUT = 300
PRELOADED = (
    "torch",
    "hydra.main",
    "mlflow.store.tracking.sqlalchemy_store",
    "scipy.optimize",
    "sklearn.datasets",
    "rich.progress",
    "fanin.tracking.journal",  # nothing that looks for the project
    "fanin.report.terminal",
    "fanin.report.tables",
    "fanin.report.ladder",
)


@cache
def context() -> multiprocessing.context.ForkServerContext:
    """Processes that are forked with everything imported."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([*PRELOADED])
    return found


class Process:
    """`python FILE ...` or `python -m MODULE ...` in the background; leads a process group.

    Used like subprocess.Popen with pipes for its output, as text.
    """

    def __init__(self, command: list[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self.args = command
        self._texts: dict[int, str] = {}
        self._readers = []
        ends = []
        for number in (1, 2):
            reading, writing = os.pipe()
            ends.append(multiprocessing.reduction.DupFd(writing))
            os.close(writing)
            reader = threading.Thread(target=self._read, args=(number, reading), daemon=True)
            reader.start()
            self._readers.append(reader)
        arguments = (command[1:], cwd, dict(environment), *ends)
        self._process = context().Process(target=_become, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float = TIMEOUT) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, timeout: float = TIMEOUT) -> tuple[str, str]:
        """Wait until it, and whatever shares its output, has ended; (output, errors)."""
        deadline = time.monotonic() + timeout
        for reader in self._readers:
            reader.join(deadline - time.monotonic())
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(max(1.0, deadline - time.monotonic()))
        return self._texts[1], self._texts[2]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _read(self, number: int, reading: int) -> None:
        with open(reading) as stream:
            self._texts[number] = stream.read()


def run(
    command: list[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run does, of `python FILE ...` and `python -m MODULE ...`."""
    process = Process(command, cwd, environment)
    try:
        output, errors = process.communicate()
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _become(arguments: list[str], cwd: Path, environment: dict[str, str], out, err) -> None:
    """Be the process of that command, to its end."""
    os.setsid()
    for stream, number in ((out, 1), (err, 2)):
        descriptor = stream.detach()
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout, sys.stderr = (open(n, "w", closefd=False, buffering=1) for n in (1, 2))  # noqa: SIM115
    sys.stdin = io.StringIO()
    # Tests that run in the background, or under nohup, ignore these; a child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    mlflow = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    os.environ.clear()
    os.environ.update(mlflow | environment)
    os.chdir(cwd)
    copy_instead_of_migrating()
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
        status = exit_status(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def exit_status(end: SystemExit) -> int:
    """The status that Python ends with, once it has printed what the exit says."""
    if isinstance(end.code, int | None):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1
