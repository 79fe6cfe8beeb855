"""Turns the columns of a table into arrays: leaves some out, treats words and missing values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fanin.runner.data_dialect import to_number
from fanin.runner.data_options import FileOptions
from fanin.runner.data_table import BOOLEANS

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 20
_LISTED = 6


@dataclass(frozen=True)
class Column:
    """One column. values: (rows,), floats, nan if missing; or words, None if missing."""

    name: str
    values: np.ndarray
    is_words: bool = False
    is_boolean: bool = False

    @property
    def missing(self) -> np.ndarray:
        """(rows,) of bool."""
        if self.is_words:
            return np.array([value is None for value in self.values])
        is_nan: np.ndarray = np.isnan(self.values)
        return is_nan


@dataclass
class Cleaner:
    """Turns columns into arrays, and lists in `remarks` what it changed.

    locate: row -> its place in the file, such as "line 3". decimal: the decimal character of
    numbers that are still text.
    """

    options: FileOptions
    locate: Callable[[int], str]
    decimal: str = "."
    remarks: list[str] = field(default_factory=list)

    @property
    def setting(self) -> str:
        return f"path={self.options.path}:"

    def column(self, name: str, series: "pd.Series[Any]") -> Column:
        """A column of a frame. Raises ValueError for cells that are neither numbers nor words."""
        kind = getattr(series.dtype, "kind", "O")
        if kind in "iufb":
            values = series.to_numpy(dtype=np.float64, na_value=np.nan)
            self._check_finite(name, values)
            return Column(name, values, is_boolean=kind == "b")
        cells = [
            None if missing else cell for cell, missing in zip(series, series.isna(), strict=True)
        ]
        return self._column_of_cells(name, cells)

    def _column_of_cells(self, name: str, cells: Sequence[Any]) -> Column:
        present = [cell for cell in cells if cell is not None]
        if all(isinstance(cell, bool | np.bool_) for cell in present):
            values = np.array([np.nan if cell is None else float(cell) for cell in cells])
            return Column(name, values, is_boolean=bool(present))
        for cell in present:
            if not isinstance(cell, str | bool | int | float | np.number) and not _is_number(cell):
                raise ValueError(
                    f"{self.setting} column {name} contains a {type(cell).__name__}; "
                    "replace it by numbers or words, or remove the column"
                )
        texts = [None if cell is None else str(cell).strip() for cell in cells]
        numbers = [None if text is None else to_number(text, self.decimal) for text in texts]
        count = sum(number is not None for number in numbers)
        if count == len(present):
            values = np.array([np.nan if n is None else n for n in numbers], dtype=np.float64)
            self._check_finite(name, values)
            return Column(name, values)
        if 2 * count >= len(present):
            row = next(
                n
                for n, (text, number) in enumerate(zip(texts, numbers, strict=True))
                if text is not None and number is None
            )
            raise ValueError(
                f"{self.setting} {self.locate(row)}, column {name} has {_shown(texts[row])} "
                "among numbers; correct it, or leave it empty and set data.missing"
            )
        return Column(name, np.array(texts, dtype=object), is_words=True)

    def _check_finite(self, name: str, values: np.ndarray) -> None:
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise ValueError(
                f"{self.setting} {self.locate(row)}, column {name} has {values[row]}; "
                "use finite numbers"
            )

    def drop_row_counter(self, columns: list[Column]) -> list[Column]:
        """Leave out a first column that only counts the rows."""
        if len(columns) < 2 or columns[0].is_words or len(columns[0].values) < 3:
            return columns
        if (np.diff(columns[0].values) != 1).any():  # nan is not 1 either
            return columns
        self.remarks.append(f"left out {columns[0].name}, which counts the rows")
        return columns[1:]

    def drop_empty(self, columns: list[Column]) -> list[Column]:
        """Leave out columns without values."""
        empty = [column.name for column in columns if column.missing.all()]
        if empty:
            self.remarks.append(f"left out {list_names(empty)}, without a value")
        return [column for column in columns if column.name not in empty]

    def check_words(self, columns: list[Column]) -> list[Column]:
        """Leave out columns of words if the settings say so.

        Raises ValueError if a column has too many different words for one-hot columns.
        """
        words = [column for column in columns if column.is_words]
        if words and self.options.categorical == "drop":
            names = [column.name for column in words]
            self.remarks.append(f"left out {list_names(names)} (words)")
            return [column for column in columns if not column.is_words]
        for column in words:
            present = column.values[~column.missing]
            count = len(set(present))
            if count > MAX_CATEGORIES:
                raise ValueError(
                    f"{self.setting} column {column.name} has {count:,} different words, such as "
                    f"{_shown(present[0])}, more than {MAX_CATEGORIES}; data.categorical=drop "
                    "leaves out columns of words"
                )
        return columns

    def treat_missing(
        self, features: list[Column], targets: list[Column]
    ) -> tuple[list[Column], list[Column]]:
        """Leave out rows with missing values, or keep them to be filled in. Raises ValueError."""
        rows = len(targets[0].values)
        counts = {column.name: int(column.missing.sum()) for column in [*features, *targets]}
        counts = {name: count for name, count in counts.items() if count}
        if not counts:
            return features, targets
        way = self.options.missing
        if way == "refuse":
            parts = [f"{name} ({count:,} of {rows:,})" for name, count in counts.items()]
            raise ValueError(
                f"{self.setting} values are missing in {list_names(parts)}; data.missing=drop "
                "leaves out their rows, data.missing=mean fills in means"
            )
        dropped = np.any([column.missing for column in targets], axis=0)
        if way == "drop":
            dropped |= np.any([column.missing for column in features], axis=0)
        if dropped.all():
            raise ValueError(
                f"{self.setting} each row lacks a value, most often of "
                f"{max(counts, key=lambda name: counts[name])}; use data.missing=mean"
            )
        if dropped.any():
            self.remarks.append(f"left out {dropped.sum():,} of {rows:,} rows, which lack values")
        filled = [name for name in counts if way == "mean" and name in {c.name for c in features}]
        if filled:
            self.remarks.append(f"missing values of {list_names(filled)} are the column's mean")
        kept = ~dropped
        return [_take(c, kept) for c in features], [_take(c, kept) for c in targets]

    def to_inputs(self, columns: list[Column]) -> tuple[np.ndarray, tuple[str, ...]]:
        """(rows, features) without constant columns, and their names. Raises ValueError."""
        parts: list[np.ndarray] = []
        names: list[str] = []
        one_hot = []
        for column in columns:
            if column.is_words:
                categories = sorted({word for word in column.values if word is not None})
                one_hot.append(f"{column.name} ({len(categories)})")
                names += [f"{column.name}={category}" for category in categories]
                parts += [
                    np.where(column.missing, np.nan, column.values == category).astype(float)
                    for category in categories
                ]
            else:
                names.append(column.name)
                parts.append(column.values)
        if one_hot:
            self.remarks.append(f"one-hot {list_names(one_hot)}")
        if not parts:
            self._refuse_no_features()
        inputs = np.stack([_fill_in(part) for part in parts], axis=1)
        varies = inputs.max(0) != inputs.min(0)
        constant = [name for name, is_kept in zip(names, varies, strict=True) if not is_kept]
        if constant:
            self.remarks.append(f"left out {list_names(constant)}, constant")
        if not varies.any():
            self._refuse_no_features()
        kept = tuple(name for name, is_kept in zip(names, varies, strict=True) if is_kept)
        return inputs[:, varies], kept

    def _refuse_no_features(self) -> NoReturn:
        reasons = f" ({'; '.join(self.remarks)})" if self.remarks else ""
        raise ValueError(f"{self.setting} no feature is left{reasons}; use other columns")

    def to_targets(self, columns: list[Column]) -> tuple[np.ndarray, tuple[str, ...]]:
        """(rows,) or (rows, outputs), and the words for numbers 0, 1, ... Raises ValueError."""
        if len(columns) > 1:
            for column in columns:
                if column.is_words:
                    raise ValueError(
                        f"target={column.name}: contains words such as {_shown(column.values[0])}; "
                        "several targets must be numbers"
                    )
            return np.stack([column.values for column in columns], axis=1), ()
        (column,) = columns
        if column.is_words:
            words = sorted(set(column.values))
            codes = {word: code for code, word in enumerate(words)}
            return np.array([codes[word] for word in column.values]), tuple(words)
        return column.values.copy(), BOOLEANS if column.is_boolean else ()


def list_names(names: Sequence[str]) -> str:
    """Such as a, b and 3 more."""
    if len(names) <= _LISTED:
        return ", ".join(names)
    return f"{', '.join(names[: _LISTED - 1])} and {len(names) - _LISTED + 1:,} more"


def _fill_in(values: np.ndarray) -> np.ndarray:
    """Replace nan by the mean of the other values."""
    is_missing = np.isnan(values)
    return np.where(is_missing, values[~is_missing].mean(), values) if is_missing.any() else values


def _take(column: Column, rows: np.ndarray) -> Column:
    return Column(column.name, column.values[rows], column.is_words, column.is_boolean)


def _is_number(cell: Any) -> bool:
    """Whether a cell is a number of another kind, such as a Decimal, and not an array of one."""
    if np.ndim(cell) > 0:
        return False
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _shown(text: object) -> str:
    """A cell in quotes, on one line, shortened if it is long."""
    shown = repr(str(text))
    return shown if len(shown) <= 40 else f"{shown[:37]}...'"
