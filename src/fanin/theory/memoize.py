"""Functions that remember their latest results."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def memoize(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the latest results, for arguments that are the same if they are equal.

    A user-defined class may have no hash, or inherit an __eq__ that ignores its new fields.
    With such an argument, or one inside a tuple or a dataclass, nothing is remembered.
    """
    remembered = lru_cache(maxsize=64)(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if all(map(_has_exact_equality, (*args, *kwargs.values()))):
            return remembered(*args, **kwargs)  # type: ignore[arg-type]
        return function(*args, **kwargs)

    return call


def _has_exact_equality(value: object) -> bool:
    kind = type(value)
    if kind.__hash__ is None:
        return False
    defines_equality = "__eq__" in vars(kind) or kind.__eq__ is object.__eq__ or kind is bool
    return defines_equality and all(map(_has_exact_equality, _parts(value)))


def _parts(value: object) -> tuple[object, ...]:
    if type(value) is tuple:
        return value
    # Fields only: a cached property that was added later follows from them.
    return tuple(getattr(value, f.name) for f in fields(value)) if is_dataclass(value) else ()
