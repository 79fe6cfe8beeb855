"""Describes the data of a run: how it was read, in one line, and where it comes from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fanin.runner.data_table import Batch, Table

MIN_SECOND_MOMENT, MAX_SECOND_MOMENT = 0.2, 5.0
"""Inputs outside these bounds cause a warning. Pixels from 0 to 1 are below."""
DIGEST_LENGTH = 16
_LISTED = 8


@dataclass(frozen=True)
class DataFacts:
    """A description of a data set.

    summary: one line. warning: a line if the scale of the inputs is far from the one that inits
    expect, else empty. classes: the names of classes 0, 1, 2, ... for a loss that takes classes.
    columns: the names of the features, then of the targets; empty if they have no names. shape:
    (rows, features). is_drawn: whether batches are generated, so that no table was read.
    """

    name: str
    source: str
    digest: str
    summary: str
    warning: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    shape: tuple[int, int]
    is_drawn: bool

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines to print."""
        summary = () if self.is_drawn else (f"data: {self.summary}",)
        return (*summary, self.warning) if self.warning else summary


def describe_table(
    table: Table, batch: Batch, batch_size: int, classes: tuple[str, ...]
) -> DataFacts:
    """Describe a table and a batch of it. batch_size: as in the settings."""
    rows, features = table.inputs.shape
    named = f" ({list_shortened(table.features)})" if table.features else ""
    parts = [
        f"{table.name}: {rows:,} rows, {features:,} features{named}, "
        f"{_describe_target(table, classes)}",
        table.scaling,
        *table.remarks,
        "the batch is the whole set" if batch_size > rows else "",
    ]
    return DataFacts(
        name=table.name,
        source=table.source,
        digest=table.digest[:DIGEST_LENGTH],
        summary="; ".join(filter(None, parts)),
        warning=_warn(batch, _REMEDY),
        classes=classes,
        columns=(*table.features, *table.target) if table.features else (),
        shape=(rows, features),
        is_drawn=False,
    )


def describe_batch(name: str, source: str, batch: Batch, classes: tuple[str, ...]) -> DataFacts:
    """Describe data without a table. source: the class that generates the batches."""
    rows, features = batch.inputs.shape
    hashed = hashlib.sha256()
    for tensor in (batch.inputs, batch.targets):
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    outputs = 1 if batch.targets.ndim == 1 else batch.targets.shape[1]
    target = f"{len(classes)} classes" if classes else f"{_count(outputs, 'target')} a row"
    return DataFacts(
        name=name,
        source=source,
        digest=hashed.hexdigest()[:DIGEST_LENGTH],
        summary=f"{name}: {_count(rows, 'row')}, {_count(features, 'feature')}, {target}",
        warning=_warn(batch, "scale them in the class that generates them"),
        classes=classes,
        columns=(),
        shape=(rows, features),
        is_drawn=True,
    )


_REMEDY = "data.standardize=true scales each feature to mean 0 and std 1"


def _warn(batch: Batch, remedy: str) -> str:
    """The warning if the second moment of the inputs is far from 1, else empty."""
    x = batch.inputs.detach().double()
    moment = float(x.square().mean())
    if MIN_SECOND_MOMENT <= moment <= MAX_SECOND_MOMENT:
        return ""
    return f"the inputs have a second moment of {moment:.3g}, and inits expect about 1; {remedy}"


def _describe_target(table: Table, classes: Sequence[str]) -> str:
    """Such as "target species of 3 classes (a, b, c)" or "target price from 12 to 890"."""
    names = list_shortened(table.target) or "y"
    if classes:
        return f"target {names} of {len(classes):,} classes ({list_shortened(classes)})"
    low, high = table.targets.min(), table.targets.max()
    return (
        f"{'target' if len(table.target) < 2 else 'targets'} {names} from {low:.4g} to {high:.4g}"
    )


def list_shortened(names: Sequence[str]) -> str:
    """Such as a, b, c and 12 more."""
    if len(names) <= _LISTED:
        return ", ".join(names)
    return f"{', '.join(names[: _LISTED - 2])} and {len(names) - _LISTED + 2:,} more"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
