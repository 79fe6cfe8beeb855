"""A whole data set, drawing a batch from it, and turning its targets into classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

BOOLEANS = ("False", "True")
MAX_CLASSES = 1000
_FEW_CLASSES = 50  # however few the rows are


class Batch(NamedTuple):
    """`inputs` (batch, features) and `targets` (batch,) or (batch, outputs), on the CPU.

    `all_targets` are the targets of the whole data set: a batch may lack a class.
    """

    inputs: Tensor
    targets: Tensor
    all_targets: Tensor


@dataclass(frozen=True, eq=False)
class Table:
    """A whole data set.

    inputs: (rows, features). targets: (rows,) or (rows, outputs); if they were words, their indices
    in `classes`, which is empty otherwise. name: such as iris.csv. source: a path, or the function
    that made the data. digest: hexadecimal, equal for equal data. features: the names of the
    columns of inputs; empty for images. target: the names of the columns of targets. scaling: how
    the inputs were scaled. remarks: what else was done, such as "left out id, which counts the
    rows".
    """

    name: str
    source: str
    digest: str
    inputs: np.ndarray
    targets: np.ndarray
    features: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    scaling: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def has_words(self) -> bool:
        """Whether the targets are words. False and True count as numbers 0 and 1."""
        return bool(self.classes) and self.classes != BOOLEANS

    def draw(self, batch_size: int, seed: int) -> Batch:
        """Draw a batch of rows without replacement; all rows if there are fewer."""
        rows = np.random.default_rng(seed).permutation(len(self.inputs))[:batch_size]
        x, y = self.inputs, self.targets
        return Batch(*map(torch.from_numpy, (x[rows], y[rows], y)))


def as_classes(batch: Batch, words: Sequence[str] = ()) -> tuple[Batch, tuple[str, ...]]:
    """The batch with targets 0, 1, 2, ... for a loss that takes classes, and the classes' names.

    words: the names of targets 0, 1, 2, ... or of one-hot columns, if they have names. Raises
    ValueError, without the setting, if the targets are not classes.
    """
    inputs, targets, all_targets = batch
    if all_targets.ndim == 2:
        targets, all_targets = _from_one_hot(targets), _from_one_hot(all_targets)
    elif all_targets.dtype == torch.bool:
        targets, all_targets = targets.long(), all_targets.long()
    values, codes = torch.unique(all_targets, return_inverse=True)  # sorted
    _check_classes(values, len(all_targets))
    names = tuple(words[int(value)] if words else str(int(value)) for value in values)
    new = Batch(inputs, torch.searchsorted(values, targets.contiguous()), codes)
    return new, names


def _from_one_hot(targets: Tensor) -> Tensor:
    """(rows, classes) -> (rows,)."""
    if targets.shape[1] == 1:
        return targets[:, 0]
    is_one_hot = ((targets == 0) | (targets == 1)).all() and (targets.sum(1) == 1).all()
    if not is_one_hot:
        raise ValueError(
            f"needs one target a row, or one-hot targets, not {targets.shape[1]} numbers a row; "
            "use loss=mse"
        )
    return targets.argmax(1)


def _check_classes(values: Tensor, rows: int) -> None:
    broken = values[values != values.floor()]
    if len(broken):
        raise ValueError(
            f"needs classes as targets, and they are numbers such as {float(broken[0]):.3g}; "
            "use loss=mse"
        )
    count = len(values)
    if count > MAX_CLASSES or (count > _FEW_CLASSES and 2 * count > rows):
        raise ValueError(
            f"needs classes as targets, and {count:,} different values in {rows:,} rows are too "
            "many; use loss=mse, or another target"
        )
    if count == 1:
        raise ValueError("needs two classes or more, and all targets are the same; use loss=mse")
