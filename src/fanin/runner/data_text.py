"""Reads a table from a text file: cleans its lines, detects the dialect, reads cells with pandas.

Empty lines and comments are left out. An error message gives the line in the file.
"""

import bz2
import gzip
import lzma
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

from fanin.runner.data_dialect import (
    blanks_to_spaces,
    find_decimal,
    find_separator,
    is_header,
    is_number,
    most_common,
    split_rows,
)
from fanin.runner.data_options import BLANKS, SEPARATORS, FileOptions

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 200
"""The dialect is detected from this many lines."""
MISSING_WORDS = (
    "", "-", ".", "?", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "na", "nan",
    "null",
)  # fmt: skip
OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
ROW_NAMES = "row names"

_COMMENT = re.compile(r"\s*(?:#|%|//)")
_COMMENT_AT_END = re.compile(r"\s+#[^\"]*$")
_EXCEL = re.compile(r"sep=(.)\s*")


@dataclass
class Lines:
    """The lines of a file that contain cells. numbers: their line numbers in the file, from 1."""

    setting: str
    numbers: list[int]
    texts: list[str]
    separator: str = ","
    columns: int = 0
    has_header: bool = False
    names: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line in the file, cells) of each row after the header."""
        reader = split_rows(self.texts, self.separator)
        for n, cells in enumerate(reader):
            if n or not self.has_header:
                yield self.numbers[reader.line_num - 1], cells

    def line_of(self, row: int) -> int:
        """The line in the file of a row, counted from 0 after the header."""
        return next(line for n, (line, _) in enumerate(self.rows()) if n == row)

    def check_columns(self) -> None:
        """Raise ValueError for a line that has more or fewer columns than the others."""
        for line, cells in self.rows():
            if len(cells) != self.columns:
                raise ValueError(
                    f"{self.setting} line {line} has {len(cells)} columns, not {self.columns}; "
                    "correct it, or set data.separator"
                )


@dataclass(frozen=True)
class TextTable:
    """The cells of a text file.

    frame: columns of numbers, booleans or words. decimal: the decimal character of numbers that are
    still text. remarks: on the dialect, if it is unusual.
    """

    frame: "pd.DataFrame"
    decimal: str
    lines: Lines
    remarks: tuple[str, ...]


def read_text_table(options: FileOptions) -> TextTable:
    """Read the cells. Raises ValueError; its message begins with the setting."""
    setting = f"path={options.path}:"
    text, remarks = _read_text(options)
    lines, comment, excel = _clean(text, setting)
    if not lines.texts:
        raise ValueError(f"{setting} it has no lines with values")
    lines.separator = options.separator or excel or find_separator(lines.texts[:SAMPLE])
    if lines.separator == BLANKS:
        lines.texts = blanks_to_spaces(lines.texts)
    _name_columns(lines, comment)
    if lines.separator != ",":
        names = {character: name for name, character in SEPARATORS.items()}
        remarks.append(f"{names.get(lines.separator, lines.separator)}-separated")
    frame, decimal = _read_cells(options, lines)
    if decimal == ",":
        remarks.append("decimal comma")
    return TextTable(frame, decimal, lines, tuple(remarks))


def _read_text(options: FileOptions) -> tuple[str, list[str]]:
    """The text, and remarks on its encoding."""
    path, remarks = options.file, []
    try:
        with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
            content: bytes = file.read()
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"path={options.path}: it cannot be read ({error})") from error
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        remarks.append("read as Windows-1252")
    if "\0" in text:
        raise ValueError(
            f"path={options.path}: it contains bytes that do not occur in text; use a text file"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n"), remarks


def _clean(text: str, setting: str) -> tuple[Lines, str, str | None]:
    """The lines with cells, the last comment above them, and the separator of Excel's sep= line."""
    lines = Lines(setting, [], [])
    comment, excel = "", None
    has_comments = "#" in text
    for number, line in enumerate(text.split("\n"), start=1):
        start = _COMMENT.match(line)
        first = _EXCEL.fullmatch(line) if number == 1 else None
        if first:
            excel = first[1]
        elif start:
            comment = comment if lines.texts else line[start.end() :].strip()
        elif line.strip():
            lines.numbers.append(number)
            lines.texts.append(_COMMENT_AT_END.sub("", line) if has_comments else line)
    return lines, comment, excel


def _name_columns(lines: Lines, comment: str) -> None:
    """Count the columns, and find the header and the names in it. Raises ValueError."""
    rows = [*split_rows(lines.texts[:SAMPLE], lines.separator)]
    lines.has_header = is_header(rows)
    body = rows[lines.has_header :]
    if not body:
        raise ValueError(f"{lines.setting} it has no line below the names of its columns")
    lines.columns = most_common(map(len, body))
    if lines.columns < 2:
        raise ValueError(
            f"{lines.setting} it has one column; use at least two, one of them the target, "
            "or set data.separator"
        )
    names = rows[0] if lines.has_header else next(split_rows([comment], lines.separator), [])
    while len(names) > lines.columns and not names[-1].strip():
        names = names[:-1]
    if not lines.has_header and (len(names) != lines.columns or any(map(is_number, names))):
        names = []  # the comment does not name the columns
    if len(names) == lines.columns - 1 and any(row[-1].strip() for row in body):
        names = [ROW_NAMES, *names]  # as R writes them
    if lines.has_header and len(names) not in (lines.columns, lines.columns - 1):
        lines.check_columns()
        raise ValueError(
            f"{lines.setting} line {lines.numbers[0]} names {len(names)} columns, and the lines "
            f"below have {lines.columns}; correct them, or set data.separator"
        )
    lines.names = _distinct(names)


def _distinct(names: Sequence[str]) -> list[str]:
    """Make names printable and distinct; empty names stay empty."""
    seen: Counter[str] = Counter()
    distinct = []
    for raw in names:
        name = "".join(c if c.isprintable() else "?" for c in raw.strip())
        seen[name] += 1
        distinct.append(f"{name}.{seen[name]}" if name and seen[name] > 1 else name)
    return distinct


def _read_cells(options: FileOptions, lines: Lines) -> tuple["pd.DataFrame", str]:
    """The frame, and the decimal character."""
    frame = _read_frame(lines, options.decimal or ".")
    decimal = options.decimal or _find_decimal(frame, lines.separator)
    if decimal != "." and options.decimal is None:
        frame = _read_frame(lines, decimal)
    last_is_empty = frame.iloc[:, -1].isna()
    if last_is_empty.any():  # pandas pads a line that is too short
        lines.check_columns()
    names = [*lines.names, *[""] * (lines.columns - len(lines.names))]
    frame.columns = [name or str(n) for n, name in enumerate(names, start=1)]
    if not names[-1] and last_is_empty.all():  # each line ends with a separator
        frame = frame.iloc[:, :-1]
    return frame, decimal


def _read_frame(lines: Lines, decimal: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                StringIO("\n".join(lines.texts)),
                sep=r"\s+" if lines.separator == BLANKS else lines.separator,
                decimal=decimal,
                header=None,
                names=[*range(lines.columns)],
                index_col=False,
                skiprows=int(lines.has_header),
                na_values=[*MISSING_WORDS],
                keep_default_na=False,
                skipinitialspace=True,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        lines.check_columns()
        reason = " ".join(str(error).split())
        raise ValueError(f"{lines.setting} it is not a table in text ({reason})") from error


def _find_decimal(frame: "pd.DataFrame", separator: str) -> str:
    words = frame.select_dtypes(exclude=["number", "bool"])
    cells = (str(cell) for name in words for cell in words[name].dropna().unique())
    fractions = frame.select_dtypes("floating")
    return find_decimal(cells, separator, bool((fractions.fillna(0) % 1 != 0).any(axis=None)))
