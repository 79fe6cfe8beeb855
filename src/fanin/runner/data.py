"""Data: one batch of inputs and targets, the same for every replica and every job.

`load(batch_size)` returns a Batch; a ValueError names the wrong setting. Data has its own seed and
uses NumPy's generator, so that inputs never repeat the weights of a network.
"""

import csv
import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Batch(NamedTuple):
    """`inputs` (batch, features) and `targets` (batch,) or (batch, outputs), on the CPU.

    `all_targets` are the targets of the whole data set: a batch may lack a class.
    """

    inputs: Tensor
    targets: Tensor
    all_targets: Tensor


class Data(ABC):
    """A source of batches."""

    @abstractmethod
    def load(self, batch_size: int) -> Batch:
        """Load inputs (batch_size, features) and their targets. Raises ValueError."""


@dataclass(frozen=True)
class Gaussian(Data):
    """Inputs and targets from N(0, 1), independent of each other."""

    features: int = 100
    outputs: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        _check_least(1, features=self.features, outputs=self.outputs)
        _check_least(0, seed=self.seed)

    def load(self, batch_size: int) -> Batch:
        generator = np.random.default_rng(self.seed)
        inputs = generator.standard_normal((batch_size, self.features), dtype=np.float32)
        shape = (batch_size,) if self.outputs == 1 else (batch_size, self.outputs)
        targets = generator.standard_normal(shape, dtype=np.float32)
        return Batch(*map(torch.from_numpy, (inputs, targets, targets)))


@dataclass(frozen=True)
class Digits(Data):
    """1,797 images of handwritten digits, 8 x 8, from scikit-learn; the target is the digit.

    The pixels are standardised together, to mean 0 and std 1 over the whole set, which leaves the
    images recognisable.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        _check_least(0, seed=self.seed)

    def load(self, batch_size: int) -> Batch:
        return _draw(*_digits(), batch_size, self.seed)


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """All images, standardised, and their digits; cached for the next job of a sweep."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    return (images - images.mean()) / images.std(), digits


@dataclass(frozen=True)
class File(Data):
    """A table of the user.

    path: a .npz file with arrays x (rows, features) and y (rows,) or (rows, outputs); or a
    .csv file of numbers, one sample per row, the target in the last column, with or without a
    header line. Relative paths start at the current directory.
    """

    path: str
    seed: int = 0

    def __post_init__(self) -> None:
        _check_least(0, seed=self.seed)

    def load(self, batch_size: int) -> Batch:
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise ValueError(f"path={self.path}: there is no such file")
        return _draw(*_read(path, path.stat().st_mtime_ns), batch_size, self.seed)


@lru_cache(maxsize=1)
def _read(path: Path, modified: int) -> tuple[np.ndarray, np.ndarray]:
    """The file's inputs and targets, cached for the next job until `modified` changes."""
    readers = {".npz": _read_npz, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"path={path}: use a .npz or a .csv file")
    x, y = readers[path.suffix.lower()](path)
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y) or 0 in x.shape + y.shape:
        raise ValueError(
            f"path={path}: x is {x.shape} and y is {y.shape}; "
            "use (rows, features) and (rows,) or (rows, outputs)"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"path={path}: it holds nan or inf; use finite numbers")
    return x, y


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path) as arrays:
            x, y = arrays["x"], arrays["y"]
    except KeyError as error:
        raise ValueError(f"path={path}: it must hold arrays named x and y") from error
    except Exception as error:
        raise ValueError(f"path={path}: it is not a readable .npz file ({error})") from error
    if x.dtype.kind not in "iufb" or y.dtype.kind not in "iufb":
        raise ValueError(f"path={path}: x is {x.dtype} and y is {y.dtype}; use numbers")
    return x.astype(np.float64), y.astype(np.int64 if y.dtype.kind == "i" else np.float64)


def _read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(n, row) for n, row in enumerate(csv.reader(file), start=1) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"path={path}: it is not a table in UTF-8 ({error})") from error
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        del lines[0]  # a header
    columns = len(lines[0][1]) if lines else 0
    for number, row in lines:
        for cell in row:
            if not _is_number(cell):
                raise ValueError(f"path={path}: line {number} has {cell!r}; use numbers")
        if len(row) != columns:
            raise ValueError(f"path={path}: line {number} has {len(row)} columns, not {columns}")
    if columns < 2:
        raise ValueError(f"path={path}: use at least one line of two columns, the target last")
    table = np.array([row for _, row in lines], dtype=np.float64)
    return table[:, :-1], table[:, -1]


def digest(path: str) -> str:
    """The SHA-256 of a file's contents, which tells versions of a data file apart."""
    file = Path(path).expanduser()
    return _digest(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _digest(path: Path, modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _draw(x: np.ndarray, y: np.ndarray, batch_size: int, seed: int) -> Batch:
    """Draw a batch of rows without replacement."""
    if batch_size > len(x):
        raise ValueError(f"batch_size={batch_size}: the data has {len(x)} rows; use that or fewer")
    rows = np.random.default_rng(seed).permutation(len(x))[:batch_size]
    return Batch(*map(torch.from_numpy, (x[rows], y[rows], y)))


def _check_least(least: int, **settings: int) -> None:
    for name, value in settings.items():
        if value < least:
            raise ValueError(f"{name}={value}: use a whole number, {least} or more")
