"""fanin: will a signal survive this network? For notebooks, `fanin.load` gives what is tracked."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.runner.load import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Import `load` when it is used: it needs torch and mlflow, which --help does not wait for."""
    if name == "load":
        from fanin.runner.load import load

        return load
    raise AttributeError(f"module 'fanin' has no attribute {name!r}")
