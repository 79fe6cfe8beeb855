"""What makes two runs the same: equal settings and data, and equal code.

`config.hash` and `code.version` are a run's tags. A resumed sweep does not run again what has a
finished run with both.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fanin.config.complete import user_source_files
from fanin.config.settings import GROUPS
from fanin.runner.data import digest
from fanin.runner.run_params import public_values

PACKAGE = Path(__file__).parents[1]
COMPUTING_MODULES = ("fanin.runner.compute", "fanin.runner.data")
"""With all of fanin that they import, the code that a run's numbers come from."""

EARLIER_VERSIONS: Mapping[str, tuple[str, ...]] = {}
"""A version of fanin's own code -> versions before it whose numbers were compared and are the same.

Any change to the code that computes makes an entry void: delete it then.
"""

_TYPE_CHECKING = re.compile(r"^if TYPE_CHECKING:\n(?:    .*\n|\n)+", re.MULTILINE)
_IMPORT = re.compile(
    r"^[ \t]*(?:from (fanin[\w.]*) import (\([^)]*\)|[^\n(#]*)|import (fanin[\w.]*))", re.MULTILINE
)
_FIRST_NAMES = {
    "fanin.runner.data.": "fanin.data.",
    "fanin.theory.critical.": "fanin.signal.critical.",
}
"""The modules in which classes were first hashed: a class that moved is the same class."""


def config_hash(values: Mapping[str, Any]) -> str:
    """Equal for equal runs: of all values but where they are tracked, and of the data file."""
    hashed = {name: value for name, value in public_values(values).items() if name != "tracking"}
    for group in GROUPS:
        if "_target_" in hashed[group]:
            hashed[group] = {**hashed[group], "_target_": _first_name(hashed[group]["_target_"])}
    path = values["data"].get("path")
    if path and Path(path).expanduser().is_file():  # else the data refuses it, in its own words
        hashed["contents"] = digest(path, values["data"].get("target"))
    return _short_digest(json.dumps(hashed, sort_keys=True).encode())


def _first_name(target: str) -> str:
    for module, first in _FIRST_NAMES.items():
        target = target.replace(module, first)
    return target


def code_version(values: Mapping[str, Any]) -> str:
    """Equal where numbers come from the same code, the user's own classes included."""
    return _short_digest(
        b"".join([_computing_code(), *(file.read_bytes() for file in user_source_files(values))])
    )


def equal_versions(version: str) -> tuple[str, ...]:
    """The version of a run's code, and earlier ones that gave the same numbers bit for bit."""
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
    """The modules of fanin that a module's code imports when it runs, and names in them."""
    for source, names, plain in _IMPORT.findall(_TYPE_CHECKING.sub("", code)):
        yield source or plain
        yield from (f"{source}.{name}" for name in re.findall(r"\w+", names))


def _file_of(module: str) -> Path | None:
    """The file of a module of fanin; None for a name that is no module."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
