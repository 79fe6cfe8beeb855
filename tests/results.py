"""Results made by hand, for tests of what is shown of them."""

import numpy as np

from fanin.measure.profile import Profile
from fanin.measure.result import RunResult

FORWARD_MS, BACKWARD_MS = 1.5, 12.0


def make_result(
    std, gradient=None, *, theory=None, band=None, verdict="healthy", chi=None, **params
):
    """A result with these curves. gradient: as std unless given. band: factor above and below std.

    params: two underscores in a name stand for a dot.
    """
    std = np.array(std, dtype=float)
    curves = {
        "activation/std": std,
        "gradient/preactivation_norm": std if gradient is None else np.array(gradient, dtype=float),
    }
    if theory is not None:
        curves["activation/std_theory"] = np.array(theory, dtype=float)
    if band is not None:
        curves |= {"activation/std_low": std / band, "activation/std_high": std * band}
    numbers = {"summary/forward_ms": FORWARD_MS, "summary/backward_ms": BACKWARD_MS}
    if chi is not None:
        numbers["summary/theory_chi"] = chi
    settings = {"replicas": 1, "depth": len(std)} | params
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return RunResult(named, Profile(len(std), curves, numbers), verdict, f"it is {verdict}")
