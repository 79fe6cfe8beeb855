"""Reads a file of any kind into a table of inputs and targets."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fanin.runner.data_arrays import Arrays, column_index, partner_of, read_npy, read_npz
from fanin.runner.data_columns import Cleaner, Column, list_names
from fanin.runner.data_options import FileOptions, Target, as_target
from fanin.runner.data_table import Table
from fanin.runner.data_text import OPENERS, ROW_NAMES, read_text_table

if TYPE_CHECKING:
    import pandas as pd

TEXTS = (".csv", ".tsv", ".txt", ".dat", ".data")
FRAMES = (".parquet", ".feather")
ARRAYS: dict[str, Callable[[FileOptions], Arrays]] = {".npz": read_npz, ".npy": read_npy}
MIN_PIXELS = 16
"""This many columns of bytes, or more, are taken as the pixels of an image."""
_ROW = "row"


def files_of(path: Path, target: object) -> list[Path]:
    """The files of a table: one, or two if the targets have their own file."""
    partner = partner_of(path, as_target(target)) if path.suffix.lower() == ".npy" else None
    return [path] if partner is None or not partner.is_file() else [path, partner]


def read_table(options: FileOptions, digest: str) -> Table:
    """The table in a file. Raises ValueError; its message begins with the setting.

    digest: of the contents of the files. The table's own digest also depends on the options.
    """
    path = options.file
    kind = path.suffix.lower()
    inner = Path(path.stem).suffix.lower() if kind in OPENERS else kind
    if kind in ARRAYS:
        table = _read_arrays(options, ARRAYS[kind](options))
    elif kind in FRAMES:
        table = _read_frame(options, kind)
    elif inner in TEXTS:
        table = _read_text(options)
    else:
        texts = f"{', '.join(TEXTS)} (or with {', '.join(OPENERS)} added)"
        raise ValueError(f"path={options.path}: use {texts}, {', '.join([*FRAMES, *ARRAYS])}")
    way = repr(replace(options, path=""))
    return replace(
        table,
        name=path.name,
        source=str(path.absolute()),
        digest=hashlib.sha256(f"{digest} {way}".encode()).hexdigest(),
    )


def _read_text(options: FileOptions) -> Table:
    text = read_text_table(options)
    cleaner = Cleaner(options, lambda row: f"line {text.lines.line_of(row)}", text.decimal)
    cleaner.remarks += text.remarks
    frame = text.frame
    if text.lines.names[:1] == [ROW_NAMES]:
        frame = frame.drop(columns=ROW_NAMES)
        cleaner.remarks.append("left out the row names")
    return _make_table(cleaner, *_split(frame, options.target))


def _read_frame(options: FileOptions, kind: str) -> Table:
    import pandas as pd

    try:
        read = pd.read_parquet if kind == ".parquet" else pd.read_feather
        frame = read(options.file)
    except Exception as error:  # pyarrow raises its own
        line = " ".join(str(error).split())
        raise ValueError(
            f"path={options.path}: it is not a readable {kind} file ({line})"
        ) from error
    frame.columns = frame.columns.map(str)
    if frame.shape[1] < 2 or len(frame) == 0:
        raise ValueError(
            f"path={options.path}: it has {frame.shape[1]} columns of {len(frame)} rows; "
            "use at least two columns, one of them the target"
        )
    cleaner = Cleaner(options, lambda row: f"row {row + 1}")
    return _make_table(cleaner, *_split(frame, options.target))


def _split(frame: "pd.DataFrame", target: Target) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Split into features and targets, by default the last column. Raises ValueError."""
    names = [*frame.columns]
    indices = [_index_of(column, names) for column in target] or [len(names) - 1]
    if len(set(indices)) == len(names):
        raise ValueError(f"target={target[0]}: no column is left for the features")
    features = [n for n in range(len(names)) if n not in indices]
    return frame.iloc[:, features], frame.iloc[:, indices]


def _index_of(column: str | int, names: list[str]) -> int:
    """The index of the column with this name or, if there is none, this number."""
    if str(column) in names:
        return names.index(str(column))
    if isinstance(column, int):
        return column_index(column, len(names))
    near = get_close_matches(column, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"target={column}: no such column{hint} ({list_names(names)})")


def _read_arrays(options: FileOptions, arrays: Arrays) -> Table:
    import pandas as pd

    x, y, target = arrays
    if x.ndim < 2 or y.ndim not in (1, 2) or len(x) != len(y) or 0 in x.shape + y.shape:
        raise ValueError(
            f"path={options.path}: x is {x.shape} and y is {y.shape}; "
            "use (rows, features) or images, and (rows,) or (rows, outputs)"
        )
    cleaner = Cleaner(options, lambda row: f"row {row + 1}")
    columns = y if y.ndim == 2 else y[:, None]
    names = [target] if columns.shape[1] == 1 else [f"{target} {n}" for n in _count(columns)]
    targets = pd.DataFrame(columns, columns=names)
    if x.ndim > 2 or (x.dtype == np.uint8 and x.shape[1] >= MIN_PIXELS):
        return _make_images(cleaner, x, targets)
    return _make_table(cleaner, pd.DataFrame(x, columns=[str(n) for n in _count(x)]), targets)


def _count(columns: np.ndarray) -> range:
    return range(1, columns.shape[1] + 1)


def _make_table(cleaner: Cleaner, features: "pd.DataFrame", targets: "pd.DataFrame") -> Table:
    """A table of columns; each feature is standardised separately."""
    inputs = cleaner.check_words(
        cleaner.drop_empty(cleaner.drop_row_counter(_columns(cleaner, features)))
    )
    inputs, outputs = cleaner.treat_missing(inputs, _columns(cleaner, targets))
    x, names = cleaner.to_inputs(cleaner.drop_empty(inputs))
    if cleaner.options.standardize:
        with np.errstate(all="ignore"):
            mean, std = x.mean(0), x.std(0)
        broken = ~(np.isfinite(mean) & np.isfinite(std) & (std > 0))
        if broken.any():
            raise ValueError(
                f"path={cleaner.options.path}: column {names[int(broken.argmax())]} is too large, "
                "or varies too little, to be standardised; divide it by its size, or remove it"
            )
        x = (x - mean) / std
    return _finish(cleaner, x, outputs, names, "each feature standardised")


def _make_images(cleaner: Cleaner, images: np.ndarray, targets: "pd.DataFrame") -> Table:
    """A table of images, all pixels standardised together, which keeps them recognisable."""
    if images.dtype.kind not in "iufb" or not np.isfinite(images).all():
        raise ValueError(
            f"path={cleaner.options.path}: its images contain nan, inf or other non-numbers"
        )
    rows = Column(_ROW, np.arange(len(images), dtype=np.float64))
    (kept,), outputs = cleaner.treat_missing([rows], _columns(cleaner, targets))
    x = images.reshape(len(images), -1)[kept.values.astype(int)].astype(np.float64)
    if images.ndim > 2:
        size = " x ".join(map(str, images.shape[1:]))
        cleaner.remarks.append(f"images of {size} taken as rows")
    if cleaner.options.standardize:
        if np.ptp(x) == 0:
            raise ValueError(f"path={cleaner.options.path}: all pixels of its images are equal")
        x = (x - x.mean()) / x.std()
    return _finish(cleaner, x, outputs, (), "pixels standardised together")


def _columns(cleaner: Cleaner, frame: "pd.DataFrame") -> list[Column]:
    return [cleaner.column(name, column) for name, column in frame.items()]


def _finish(
    cleaner: Cleaner, x: np.ndarray, targets: list[Column], names: tuple[str, ...], scaling: str
) -> Table:
    y, words = cleaner.to_targets(targets)
    return Table(
        name="",
        source="",
        digest="",
        inputs=x,
        targets=y,
        features=names,
        target=tuple(column.name for column in targets),
        classes=words,
        scaling=scaling if cleaner.options.standardize else "features as they are",
        remarks=tuple(cleaner.remarks),
    )
