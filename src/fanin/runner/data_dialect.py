"""Detects the dialect of a text table: separator, header, decimal character."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fanin.runner.data_options import BLANKS

SNIFFED = (",", ";", "\t", "|", BLANKS)
"""Separators to try, the most likely first."""

_GROUP_MARKS = {".": " ,'_\u00a0\u202f", ",": " .'_\u00a0\u202f"}
"""Decimal character -> possible thousands separators."""
_WEAK = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
"""1,234: ambiguous; the comma is a decimal comma or separates thousands."""
csv.field_size_limit(2**30)  # the default refuses cells over 128 kB


def _number(decimal: str) -> re.Pattern[str]:
    point, marks = re.escape(decimal), re.escape(_GROUP_MARKS[decimal])
    plain = rf"(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
    grouped = rf"\d{{1,3}}(?P<mark>[{marks}])\d{{3}}(?:(?P=mark)\d{{3}})*(?:{point}\d*)?"
    return re.compile(rf"\s*[+-]?(?:{plain}|{grouped})\s*")


NUMBERS = {decimal: _number(decimal) for decimal in _GROUP_MARKS}
"""Decimal character -> pattern of a number, with or without thousands separators."""


def is_number(text: str) -> bool:
    """Whether it is a number in some dialect, such as 1.5, 1,5, 1e-3 or 1'000."""
    return any(pattern.fullmatch(text) for pattern in NUMBERS.values())


def to_number(text: str, decimal: str) -> float | None:
    """The number in a cell, given the decimal character; None if it is not a number."""
    found = NUMBERS[decimal].fullmatch(text)
    if found is None:
        return None
    plain = text.replace(found["mark"], "") if found["mark"] else text
    return float(plain.replace(decimal, "."))


def split_rows(lines: Iterable[str], separator: str) -> Any:
    """A csv reader of the lines; its `line_num` counts from 1."""
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def blanks_to_spaces(lines: Sequence[str]) -> list[str]:
    """Replace tabs by spaces in lines whose columns are separated by blanks."""
    return [line.replace("\t", " ").strip() for line in lines]


def find_separator(sample: Sequence[str]) -> str:
    """The separator that splits the most lines into equally many clean cells, ideally numbers."""

    def quality(separator: str) -> float:
        lines = blanks_to_spaces(sample) if separator == BLANKS else sample
        rows = [*split_rows(lines, separator)]
        columns = most_common(map(len, rows))
        if columns < 2:
            return 0
        cells = [cell for row in rows for cell in row if cell]
        clean = sum(
            1 if is_number(cell) else 0.5 * (not re.search(r"[,;\t|]", cell)) for cell in cells
        )
        return clean / max(len(cells), 1) * sum(len(row) == columns for row in rows) / len(rows)

    return max(SNIFFED, key=quality)  # the first, if several are equal


def is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns."""
    first, body = rows[0], rows[1:]
    numbers = [cell.strip() for cell in first if is_number(cell)]
    if numbers:
        start = int(numbers[0]) if numbers[0].isdecimal() else 0
        counts_up = numbers == [str(start + n) for n in range(len(numbers))] and len(numbers) > 1
        return counts_up and not is_number(first[0]) and any(is_number(row[0]) for row in body)
    if not body or any(is_number(cell) for row in body for cell in row):
        return True
    columns = zip(*(row for row in rows if len(row) == len(first)), strict=True)
    recurring = sum(name in cells for name, *cells in columns)
    return 2 * recurring < len(first)  # a table of words


def find_decimal(cells: Iterator[str], separator: str, has_fractions: bool) -> str:
    """The decimal character of cells that did not parse with a decimal point.

    has_fractions: whether other cells are fractions with a decimal point.
    """
    votes, weak = Counter[str](), 0
    for cell in filter(is_number, cells):
        last = max(cell.rfind(","), cell.rfind("."))
        if last < 0:
            continue
        mark = cell[last]
        if _WEAK.fullmatch(cell.strip()):
            weak += mark == ","
        elif cell.count(mark) > 1:  # it separates thousands
            votes["," if mark == "." else "."] += 1
        else:
            votes[mark] += 1
    if votes:
        return "," if votes[","] > votes["."] else "."
    return "," if weak and separator != "," and not has_fractions else "."


def most_common(counts: Iterable[int]) -> int:
    """The most frequent count; the first, if several are."""
    return Counter(counts).most_common(1)[0][0]
