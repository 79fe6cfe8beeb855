"""run.py within the process of the tests, which is left as it was."""

import io
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from ready import exit_status

import fanin.tracking  # noqa: F401  it sets MLflow's variables, which a run's environment would drop


def run(
    command: list[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run does, of `python FILE ...`. Not for what prints from a library in C."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", command[1:]),
        patch.object(sys, "path", [str(cwd), *sys.path]),
        _folder(cwd),
        _signals_kept(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        GlobalHydra.instance().clear()
        try:
            runpy.run_path(command[1], run_name="__main__")
        except SystemExit as end:
            status = exit_status(end)
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


@contextmanager
def _signals_kept() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _folder(path: Path) -> Iterator[None]:  # contextlib.chdir came with Python 3.11
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)
