"""Outcomes made by hand, for what is shown of them."""

import numpy as np

from fanin.measure.profile import Profile
from fanin.measure.result import RunResult

FORWARD, BACKWARD = 1.5, 12.0


def made(std, gradient=None, *, theory=None, band=None, verdict="healthy", chi=None, **params):
    """A job with these curves. gradient: as std unless given. band: factor above and below std.

    params: their values become texts, and two underscores in a name a dot.
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
    numbers = {"summary/forward_ms": FORWARD, "summary/backward_ms": BACKWARD}
    if chi is not None:
        numbers["summary/theory_chi"] = chi
    settings = {"replicas": "1", "depth": len(std)} | params
    texts = {name.replace("__", "."): str(value) for name, value in settings.items()}
    return RunResult(texts, Profile(len(std), curves, numbers), verdict, f"it is {verdict}")
