"""The dialect of a table in text: what separates its columns, its header, its decimal character."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fanin.runner.data_options import BLANKS

SNIFFED = (",", ";", "\t", "|", BLANKS)
"""Separators that are looked for, the likeliest first."""

_GROUP_MARKS = {".": " ,'_\u00a0\u202f", ",": " .'_\u00a0\u202f"}
"""By decimal character: what may stand between thousands."""
_WEAK = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
"""1,234: a decimal comma, or thousands."""
csv.field_size_limit(2**30)  # csv refuses cells of more than 128 kB


def _number(decimal: str) -> re.Pattern[str]:
    point, marks = re.escape(decimal), re.escape(_GROUP_MARKS[decimal])
    plain = rf"(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
    grouped = rf"\d{{1,3}}(?P<mark>[{marks}])\d{{3}}(?:(?P=mark)\d{{3}})*(?:{point}\d*)?"
    return re.compile(rf"\s*[+-]?(?:{plain}|{grouped})\s*")


NUMBERS = {decimal: _number(decimal) for decimal in _GROUP_MARKS}
"""By decimal character: what a number looks like, with or without marks between thousands."""


def is_number(text: str) -> bool:
    """Whether it is a number in some dialect, such as 1.5, 1,5, 1e-3 or 1'000."""
    return any(pattern.fullmatch(text) for pattern in NUMBERS.values())


def to_number(text: str, decimal: str) -> float | None:
    """The number that a cell is in a dialect with this decimal character, if it is one."""
    found = NUMBERS[decimal].fullmatch(text)
    if found is None:
        return None
    plain = text.replace(found["mark"], "") if found["mark"] else text
    return float(plain.replace(decimal, "."))


def split_rows(lines: Iterable[str], separator: str) -> Any:
    """csv's reader of lines, whose `line_num` counts them from 1."""
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def blanks_to_spaces(lines: Sequence[str]) -> list[str]:
    """Lines in which blanks separate columns, ready to be split."""
    return [line.replace("\t", " ").strip() for line in lines]


def find_separator(sample: Sequence[str]) -> str:
    """The one that splits most lines alike and into the cleanest cells, best of all numbers."""

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

    return max(SNIFFED, key=quality)  # the first of equal ones


def is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of a table's rows names its columns."""
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
    return 2 * recurring < len(first)  # in a table of words


def find_decimal(cells: Iterator[str], separator: str, has_fractions: bool) -> str:
    """The decimal character of cells that are no numbers with a decimal point.

    has_fractions: whether other cells are numbers with a decimal point.
    """
    votes, weak = Counter[str](), 0
    for cell in filter(is_number, cells):
        last = max(cell.rfind(","), cell.rfind("."))
        if last < 0:
            continue
        mark = cell[last]
        if _WEAK.fullmatch(cell.strip()):
            weak += mark == ","
        elif cell.count(mark) > 1:  # it stands between thousands
            votes["," if mark == "." else "."] += 1
        else:
            votes[mark] += 1
    if votes:
        return "," if votes[","] > votes["."] else "."
    return "," if weak and separator != "," and not has_fractions else "."


def most_common(counts: Iterable[int]) -> int:
    """The most frequent one, the first of several."""
    return Counter(counts).most_common(1)[0][0]
