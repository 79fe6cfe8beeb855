"""What is worked out once for equal arguments."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def memoize(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the latest results, where the arguments can be told apart.

    A class of a user's own may have no hash, or inherit an equality that knows nothing of what
    it adds: with such an argument nothing is remembered.
    """
    remembered = lru_cache(maxsize=64)(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if all(map(_can_be_told_apart, (*args, *kwargs.values()))):
            return remembered(*args, **kwargs)  # type: ignore[arg-type]
        return function(*args, **kwargs)

    return call


def _can_be_told_apart(value: object) -> bool:
    kind = type(value)
    if kind.__hash__ is None:
        return False
    has_its_own = "__eq__" in vars(kind) or kind.__eq__ is object.__eq__ or kind is bool
    # Fields alone: what a cached property has added says nothing that they do not.
    parts = (getattr(value, f.name) for f in fields(value)) if is_dataclass(value) else ()
    return has_its_own and all(map(_can_be_told_apart, parts))
