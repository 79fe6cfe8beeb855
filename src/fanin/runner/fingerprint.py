"""Hashes that tell whether two runs are the same: of their settings and data, and of the code.

They are a run's tags `config.hash` and `code.version`. A resumed sweep does not repeat a job that
has a finished run with both.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fanin.config.complete import user_source_files
from fanin.measure.params import GROUPS
from fanin.runner.data import digest
from fanin.runner.run_params import public_values

PACKAGE = Path(__file__).parents[1]
COMPUTING_MODULES = (
    "fanin.runner.compute",
    "fanin.runner.data",
    "fanin.theory.critical",
    "fanin.measure.verdict",
    "fanin.nn.device",
)
"""With all of fanin that they import, the code that a run's numbers and verdict come from."""

EARLIER_VERSIONS: Mapping[str, tuple[str, ...]] = {"50a4252f338eba2a": ("9ee358b1f953e18b",)}
"""A version of fanin's code -> earlier versions that gave the same numbers, as was checked.

Delete an entry when the code that computes changes.
"""

_TYPE_CHECKING = re.compile(r"^if TYPE_CHECKING:\n(?:    .*\n|\n)+", re.MULTILINE)
_IMPORT = re.compile(
    r"^[ \t]*(?:from (fanin[\w.]*) import (\([^)]*\)|[^\n(#]*)|import (fanin[\w.]*))", re.MULTILINE
)
_OLD_MODULE_NAMES = {
    "fanin.runner.data.": "fanin.data.",
    "fanin.theory.critical.": "fanin.signal.critical.",
}
"""Old module names, used in hashes, so that a moved class keeps its hash."""


def config_hash(values: Mapping[str, Any]) -> str:
    """A hash of the settings, tracking excluded, and of the data file; equal for equal runs."""
    hashed = {name: value for name, value in public_values(values).items() if name != "tracking"}
    for group in GROUPS:
        if "_target_" in hashed[group]:
            hashed[group] = {
                **hashed[group],
                "_target_": _original_target(hashed[group]["_target_"]),
            }
    path = values["data"].get("path")
    if path and Path(path).expanduser().is_file():  # else the data itself reports the error
        hashed["contents"] = digest(path, values["data"].get("target"))
    return _short_digest(json.dumps(hashed, sort_keys=True).encode())


def _original_target(target: str) -> str:
    for module, old_name in _OLD_MODULE_NAMES.items():
        target = target.replace(module, old_name)
    return target


def code_version(values: Mapping[str, Any]) -> str:
    """A hash of the code that computes the numbers, user-defined classes included."""
    return _short_digest(
        b"".join([_computing_code(), *(file.read_bytes() for file in user_source_files(values))])
    )


def equal_versions(version: str) -> tuple[str, ...]:
    """A version of the code, and the earlier ones that gave the same numbers bit for bit."""
    return (version, *EARLIER_VERSIONS.get(version, ()))


@cache
def _computing_code() -> bytes:
    return b"".join(path.read_bytes() for path in computing_files())


def computing_files() -> list[Path]:
    """The files of COMPUTING_MODULES and of all of fanin that they import, sorted."""
    files: set[Path] = set()
    waiting = [_file_of(module) for module in COMPUTING_MODULES]
    while waiting:
        path = waiting.pop()
        if path and path not in files:
            files.add(path)
            waiting += [_file_of(module) for module in _imported_modules(path.read_text())]
    return sorted(files)


def _imported_modules(code: str) -> Iterator[str]:
    """The modules of fanin that a module imports at run time, and the names imported from them."""
    for source, names, plain in _IMPORT.findall(_TYPE_CHECKING.sub("", code)):
        yield source or plain
        yield from (f"{source}.{name}" for name in re.findall(r"\w+", names))


def _file_of(module: str) -> Path | None:
    """The file of a module of fanin; None if the name is not a module."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
