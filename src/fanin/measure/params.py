"""The params of a run: option names and settings, flat, in the types of the configuration.

MLflow stores texts. Only `format_value` writes them, and only `parse_value` reads them back.
"""

import ast
from collections.abc import Mapping
from typing import Any

GROUPS = ("init", "activation", "data", "loss", "device")
"""The params that are names of options: always texts."""

ParamValue = bool | int | float | str | None | list[Any] | dict[str, Any]
Params = Mapping[str, ParamValue]
"""For example {"init": "kaiming", "init.scale": 2.0, "depth": 50}."""


def format_value(value: ParamValue) -> str:
    """The text that MLflow, tables and figures show: 2.0, True, None, kaiming."""
    return str(value)


def parse_value(text: str) -> ParamValue:
    """The value that `format_value` wrote as this text; the text itself if it is not a literal."""
    try:
        value: ParamValue = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}.get(text, text)
    return value if isinstance(value, bool | int | float | str | list | dict | None) else text


def is_number(value: ParamValue) -> bool:
    """Whether it is an int or a float; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def matches(params: Params, required: Mapping[str, Any]) -> bool:
    """Whether a run has all of these settings; a list matches any one of its values.

    2 and 2.0 are the same number, and "2" matches the number 2.
    """
    return all(
        name in params and any(_equal(params[name], one) for one in _as_list(value))
        for name, value in required.items()
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _equal(value: ParamValue, required: Any) -> bool:
    if is_number(value) and isinstance(required, str):
        required = parse_value(required)
    if is_number(value) and is_number(required):
        return bool(value == required)
    return format_value(value) == format_value(required)
