"""The verdict: one word on whether the signal survives.

The pass is followed in its own order, forward through the layers and then back, and the first
trouble met gives the verdict:

    exploding   a value is no longer finite, or the std of the activations (forward) or the
                norm of the gradients (backward) is over 100 times where it started
    dead        at least 90 % of a layer's units have no derivative on any input
    vanishing   that std or norm is under a hundredth of where it started
    healthy     none of these, up to layer `depth` and back

Forward starts at layer 1, backward at the last hidden layer. A hundredfold is what a typical
healthy net of depth 50 and width 100 stays within whatever its seed: the log of its rms varies
by about 0.8 from seed to seed (Hanin and Nica 2018), and log 100 is 4.6.
"""

import numpy as np

from fanin.signal.profile import Profile

CHANGE = 100.0
DEAD = 0.9


def verdict(profile: Profile) -> str:
    curves = profile.curves
    sizes = curves["activation/std"]
    if not sizes.any():  # a single value has no std
        sizes = np.abs(curves["activation/mean"])
    forward = _trouble(sizes, curves["activation/dead_fraction"])
    if forward:
        return forward
    norms = curves["gradient/preactivation_norm"][::-1]
    if "summary/loss" not in profile.numbers:
        return "exploding"
    return _trouble(norms, np.zeros_like(norms)) or "healthy"


def _trouble(sizes: np.ndarray, dead_fractions: np.ndarray) -> str | None:
    """The first trouble along the pass, if there is any."""
    for size, dead in zip(sizes, dead_fractions, strict=True):
        if not np.isfinite(size) or size > CHANGE * sizes[0]:
            return "exploding"
        if dead >= DEAD:
            return "dead"
        if size <= sizes[0] / CHANGE:
            return "vanishing"
    return None
