"""Data: one batch of inputs and targets, the same for every replica and every job.

`load(batch_size)` returns a Batch; a ValueError names the wrong setting. Data has its own seed and
uses NumPy's generator, so that inputs never repeat the weights of a network.
"""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fanin.runner.data_file import files_of, read_table
from fanin.runner.data_options import FileOptions
from fanin.runner.data_table import Batch, Table

_KEPT_TABLES = 4


class Data(ABC):
    """A source of batches."""

    @abstractmethod
    def load(self, batch_size: int) -> Batch:
        """Load inputs (batch_size, features) and their targets. Raises ValueError."""

    def table(self) -> Table | None:
        """The whole data set that batches are drawn from; None if each batch is generated."""
        return None


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
class TableData(Data):
    """Data whose batches are rows of a table, drawn without replacement.

    If the table has fewer rows than a batch, the batch is the whole table.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        _check_least(0, seed=self.seed)

    @abstractmethod
    def table(self) -> Table:
        """The whole data set. Raises ValueError."""

    def load(self, batch_size: int) -> Batch:
        return self.table().draw(batch_size, self.seed)


@dataclass(frozen=True)
class Digits(TableData):
    """1,797 images of handwritten digits, 8 x 8, from scikit-learn; the target is the digit.

    The pixels are standardised together, to mean 0 and std 1 over the whole set, which leaves the
    images recognisable.
    """

    def table(self) -> Table:
        return _digits()


@dataclass(frozen=True)
class Wine(TableData):
    """13 chemical measurements of 178 wines, each standardised; the target is one of 3 growers."""

    def table(self) -> Table:
        return _measurements("wine")


@dataclass(frozen=True)
class BreastCancer(TableData):
    """30 measurements of 569 tumours, each standardised; the target is malignant or benign."""

    def table(self) -> Table:
        return _measurements("breast_cancer")


@dataclass(frozen=True)
class Diabetes(TableData):
    """10 measurements of 442 patients; the target is how their diabetes progressed."""

    def table(self) -> Table:
        return _measurements("diabetes")


@cache
def _digits() -> Table:
    """All images, standardised, and their digits; cached for the next job of a sweep."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    return Table(
        name="digits",
        source="sklearn.datasets.load_digits",
        digest=_digest_arrays(images, digits),
        inputs=(images - images.mean()) / images.std(),
        targets=digits,
        target=("digit",),
        scaling="pixels standardised together",
        remarks=("images of 8 x 8 taken as rows",),
    )


@cache
def _measurements(name: str) -> Table:
    """A table of scikit-learn. Each feature is standardised, and so is a target without classes."""
    from sklearn import datasets

    function = f"load_{name}"
    options = {"scaled": False} if name == "diabetes" else {}
    read = getattr(datasets, function)(**options)
    classes = tuple(map(str, read.get("target_names", ())))
    targets = read.target if classes else (read.target - read.target.mean()) / read.target.std()
    return Table(
        name=name,
        source=f"sklearn.datasets.{function}",
        digest=_digest_arrays(read.data, read.target),
        inputs=(read.data - read.data.mean(0)) / read.data.std(0),
        targets=targets,
        features=tuple(map(str, read.feature_names)),
        target=("class" if classes else "progression",),
        classes=classes,
        scaling="each feature standardised" if classes else "each feature and target standardised",
    )


@dataclass(frozen=True, kw_only=True)
class File(TableData):
    """A table of the user. docs/data.md explains each setting.

    path: a text file (.csv, .tsv, .txt, .dat, .data, also .gz, .bz2 or .xz), .parquet, .feather,
    .npz or .npy. Relative paths start at the current directory.
    target: a column's name, its number from 1, or from the last with a minus; or a list of them;
    for .npz the name of an array, for .npy another file. By default the last column.
    separator, decimal: of a text file, if detection gets them wrong.
    """

    path: str
    target: Any = None
    separator: str | None = None
    decimal: str | None = None
    categorical: str = "onehot"
    missing: str = "refuse"
    standardize: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._options()

    def _options(self) -> FileOptions:
        return FileOptions.checked(
            path=self.path,
            target=self.target,
            separator=self.separator,
            decimal=self.decimal,
            categorical=self.categorical,
            missing=self.missing,
            standardize=self.standardize,
        )

    def table(self) -> Table:
        options = self._options()
        if not options.file.is_file():
            raise ValueError(f"path={self.path}: there is no such file")
        files = files_of(options.file, options.target)
        return _read(options, tuple(file.stat().st_mtime_ns for file in files))


@lru_cache(maxsize=_KEPT_TABLES)
def _read(options: FileOptions, modified: tuple[int, ...]) -> Table:
    """The table, cached for the next job until `modified` changes."""
    return read_table(options, digest(options.path, options.target))


def digest(path: str, target: object = None) -> str:
    """The SHA-256 of a data file's contents, which tells versions of the file apart.

    target: the setting data.target, which may name a second file to include.
    """
    files = files_of(Path(path).expanduser(), target)
    digests = [_digest_file(file, file.stat().st_mtime_ns) for file in files]
    return digests[0] if len(digests) == 1 else _digest_text("".join(digests))


@lru_cache(maxsize=_KEPT_TABLES)
def _digest_file(path: Path, modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_arrays(*arrays: np.ndarray) -> str:
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def _check_least(least: int, **settings: int) -> None:
    for name, value in settings.items():
        if value < least:
            raise ValueError(f"{name}={value}: use a whole number, {least} or more")
