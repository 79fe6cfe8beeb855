"""fanin: will a signal survive this network? In notebooks, `fanin.load` reads tracked runs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.runner.load import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Import `load` on first use: it needs torch and mlflow, which would slow down --help."""
    if name == "load":
        from fanin.runner.load import load

        return load
    raise AttributeError(f"module 'fanin' has no attribute {name!r}")
