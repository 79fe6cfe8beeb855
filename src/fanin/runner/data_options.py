"""Checks the settings of data=file, which say how to read the file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLANKS = " "
"""The separator for columns separated by any number of blanks or tabs."""
SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "bar": "|",
    "colon": ":",
    "blank": BLANKS,
}
DECIMALS = {"point": ".", "comma": ","}
CATEGORICAL = ("onehot", "drop")
MISSING = ("refuse", "drop", "mean")

Target = tuple[str | int, ...]
"""Columns, each by its name or its number. Empty for the last column."""


@dataclass(frozen=True)
class FileOptions:
    """path: as typed. separator, decimal: a character; None to detect it."""

    path: str
    target: Target
    separator: str | None
    decimal: str | None
    categorical: str
    missing: str
    standardize: bool

    @classmethod
    def checked(
        cls,
        *,
        path: str,
        target: Any,
        separator: str | None,
        decimal: str | None,
        categorical: str,
        missing: str,
        standardize: bool,
    ) -> "FileOptions":
        """Check the settings. Raises ValueError; its message begins with the setting."""
        _check_choice("categorical", categorical, CATEGORICAL)
        _check_choice("missing", missing, MISSING)
        new = cls(
            path,
            as_target(target),
            _character("separator", separator, SEPARATORS),
            _character("decimal", decimal, DECIMALS),
            categorical,
            missing,
            standardize,
        )
        if new.decimal == "," == new.separator:
            raise ValueError("decimal=comma: the comma separates columns already")
        return new

    @property
    def file(self) -> Path:
        return Path(self.path).expanduser()


def as_target(target: Any) -> Target:
    """The setting data.target, one column or a list of them, as a tuple."""
    if target is None:
        return ()
    if isinstance(target, bool | float) or target == "":
        raise ValueError(f"target={target}: use a column's name, or its number from 1")
    return (target,) if isinstance(target, str | int) else tuple(target)


def _character(setting: str, value: str | None, words: dict[str, str]) -> str | None:
    """A character, given as itself or by its name."""
    if value is None or value in words.values():
        return value
    if value == "\\t":
        return "\t"
    _check_choice(setting, value, tuple(words))
    return words[value]


def _check_choice(setting: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{setting}={value}: use one of {', '.join(choices)}")
