"""Reads NumPy files: an .npz with inputs and targets, or an .npy for each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fanin.runner.data_options import FileOptions, Target

PAIRS = (
    ("x", "y"),
    ("data", "target"),
    ("features", "labels"),
    ("inputs", "targets"),
    ("images", "labels"),
    ("x_train", "y_train"),
    ("train_x", "train_y"),
)
"""Names of inputs and targets, in upper or lower case."""
_KNOWN = ", ".join(f"{x} and {y}" for x, y in PAIRS)


class Arrays(NamedTuple):
    """x: (rows, ...). y: (rows,) or (rows, outputs). target: the name of y."""

    x: np.ndarray
    y: np.ndarray
    target: str


def partner_of(path: Path, target: Target) -> Path | None:
    """The file with the targets of an .npy file of inputs; None if there is no such file."""
    if target:
        return Path(target[0]).expanduser() if isinstance(target[0], str) else None
    names = [y for x, y in PAIRS if x == path.stem.lower()]
    others = [path.with_name(f"{y}{path.suffix}") for name in names for y in (name, name.upper())]
    return next((other for other in others if other.is_file()), None)


def read_npz(options: FileOptions) -> Arrays:
    """The two arrays of an .npz file. Raises ValueError; its message begins with the setting."""
    setting, path = f"path={options.path}:", options.file
    with _explained(setting, ".npz"), np.load(path, allow_pickle=False) as arrays:
        names = [*arrays.files]
    inputs, targets = _pair(names, options)
    with _explained(setting, ".npz"), np.load(path, allow_pickle=False) as arrays:
        return Arrays(arrays[inputs], arrays[targets], targets)


def _pair(names: list[str], options: FileOptions) -> tuple[str, str]:
    """The names of the inputs and the targets among those of an .npz file."""
    original = {name.lower(): name for name in names}
    if options.target:
        target = options.target[0]
        if len(options.target) > 1 or target not in names:
            raise ValueError(f"target={target}: no such array; use one of {', '.join(names)}")
        rest = [name for name in names if name != target]
        known = [original[x] for x, _ in PAIRS if original.get(x, target) != target]
        if known or len(rest) == 1:
            return (known or rest)[0], target
    for x, y in PAIRS:
        if x in original and y in original and not options.target:
            return original[x], original[y]
    raise ValueError(
        f"path={options.path}: it contains {', '.join(names) or 'no arrays'}; "
        f"call its arrays x and y (or {_KNOWN.partition(', ')[2]})"
    )


def read_npy(options: FileOptions) -> Arrays:
    """An .npy file of inputs and its file of targets, or an .npy table with target columns.

    Raises ValueError; its message begins with the setting.
    """
    setting, path = f"path={options.path}:", options.file
    x = _load(path, setting)
    partner = partner_of(path, options.target)
    if partner is not None:
        if not partner.is_file():
            raise ValueError(f"target={options.target[0]}: there is no such file")
        return Arrays(x, _load(partner, f"target={partner}:"), partner.stem)
    if x.ndim != 2 or not options.target:
        raise ValueError(
            f"{setting} its targets are missing; name their file with data.target=y.npy, "
            "or call the two x.npy and y.npy"
        )
    columns = [column_index(number, x.shape[1]) for number in options.target]
    name = " ".join(str(column + 1) for column in columns)
    return Arrays(np.delete(x, columns, axis=1), x[:, columns], name)


def column_index(number: str | int, columns: int) -> int:
    """The index of column 1, 2, ..., or of -1 (the last), -2, ... Raises ValueError."""
    if not isinstance(number, int) or not 0 < abs(number) <= columns:
        raise ValueError(f"target={number}: no such column; use 1 to {columns}, or -1 for the last")
    return number - 1 if number > 0 else columns + number


def _load(path: Path, setting: str) -> np.ndarray:
    with _explained(setting, ".npy"):
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise TypeError("it is an .npz file")
        return array


@contextmanager
def _explained(setting: str, kind: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # zipfile, struct and NumPy raise their own
        line = " ".join(str(error).split())
        hint = "; save numbers or texts, not objects" if "allow_pickle" in line else ""
        raise ValueError(f"{setting} it is not a readable {kind} file ({line}){hint}") from error
