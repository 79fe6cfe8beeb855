"""The verdict: one word on whether the signal survives, and what that word rests on.

The first line that holds gives the word. Of several replicas, their median decides.

    nonfinite   a value of the pass, or the loss, is not finite
    dead        at least 90 % of a layer's units have no derivative on any input
    saturated   at least 60 % of a layer's activations lie where the derivative of a bounded
                activation is under 5 % of its largest
    exploding   the std of the activations is over 100 times that of layer 1; or on the way
                back the norm of the gradient is over 100 times that of the last layer
    vanishing   that std, or that norm, is at most a hundredth
    collapsed   at the last layer, 1 - the mean cosine between inputs is under 5 % of what it
                was for the inputs themselves
    healthy     none of these

The four in the middle are looked for along the pass, forward and then back, and the first one
met is given: a dead layer ends the signal, and that it has vanished thereafter is no news.

A hundredfold is what a typical healthy net of depth 50 and width 100 stays within whatever its
seed: the log of its rms varies by about 0.8 from seed to seed (Hanin and Nica 2018), and log 100
is 4.6. 60 % lies between what unit weights do to a sigmoid (66 % at width 100, the least of the
bounded activations) and what He's scale does to hardtanh (48 %). 5 % is, for inputs at right
angles, a mean cosine of .95: ReLU under He's scale has .87 after ten layers, .988 after fifty.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from fanin.measure.profile import Array, Profile, growth
from fanin.measure.statistics import SATURATED_BELOW

CHANGE = 100.0
DEAD = 0.9
SATURATED = 0.6
ALIKE = 0.05
ROUNDING = 1e-5
"""Inputs whose mean cosine is as near to 1 as this were alike before the first layer."""

Found = tuple[str, str]


def verdict(profile: Profile) -> str:
    return _judge(profile)[0]


def explanation(profile: Profile) -> str:
    """What was measured that makes the verdict so, in a sentence."""
    word, sentence = _judge(profile)
    broken = profile.numbers.get("summary/first_nonfinite_layer")
    if broken is None or word == "nonfinite":
        return sentence
    return (
        f"{sentence}; in one of the networks, layer {broken:.0f} holds values that are not finite"
    )


def max_log_change(profile: Profile) -> float:
    """Decades by which the signal, the gradient or the angle between inputs changes at most.

    inf where one of the sizes is lost, to 0 or beyond the finite numbers.
    """
    if profile.depth == 0:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes, norms = (np.log10(each / each[0]) for each in (_sizes(profile)[1], _norms(profile)))
    changes = np.abs(np.concatenate([sizes, norms]))
    if not np.isfinite(changes).all() or "summary/loss" not in profile.numbers:
        return math.inf
    start = 1 - profile.numbers.get("summary/input_correlation", math.nan)
    end = 1 - float(profile.curves["activation/correlation"][-1])
    if start > ROUNDING and not math.isnan(end):
        changes = np.append(changes, -math.log10(max(end, np.finfo(float).eps) / start))
    return float(changes.max())


def short(value: float) -> str:
    """Three digits, such as 0.707, 3.18e-8 and 1e+7."""
    return re.sub("(e[+-])0", r"\1", f"{value:.3g}")


def _judge(profile: Profile) -> Found:
    return (
        _nonfinite(profile)
        or _on_the_way_forward(profile)
        or _on_the_way_back(profile)
        or _collapsed(profile)
        or ("healthy", _standing(profile))
    )


def _sizes(profile: Profile) -> tuple[str, Array]:
    """What tells the size of the activations, layer by layer."""
    sizes, means = profile.curves["activation/std"], profile.curves["activation/mean"]
    if means.any() and not sizes.any():  # a single value has no std
        return "the mean activation", np.abs(means)
    return "the std of the activations", sizes


def _norms(profile: Profile) -> Array:
    """The size of the gradient, from the last layer back to the first."""
    return profile.curves["gradient/preactivation_norm"][::-1]


def _nonfinite(profile: Profile) -> Found | None:
    (what, sizes), norms = _sizes(profile), _norms(profile)
    layers = range(1, profile.depth + 1)
    if not np.isfinite(sizes).all():
        return "nonfinite", f"{_end(what, sizes, layers)} values that are not finite"
    if "summary/loss" not in profile.numbers:
        return "nonfinite", "on the way forward every layer is finite, but the loss is not"
    if not np.isfinite(norms).all():
        end = _end("on its way back the gradient", norms, layers[::-1])
        return "nonfinite", f"{end} gradients that are not finite"
    return None


def _end(what: str, sizes: Array, layers: Sequence[int]) -> str:
    """Where these sizes are no longer finite, and how they came there if they grew."""
    at = int(np.isfinite(sizes).argmin())
    factor = growth(sizes[:at])
    course = f"{what} grows by {short(factor)} a layer, and " if factor > 1 else ""
    return f"{course}layer {layers[at]} holds"


def _on_the_way_forward(profile: Profile) -> Found | None:
    what, sizes = _sizes(profile)
    dead = profile.curves["activation/dead_fraction"]
    saturated = profile.curves.get("activation/saturated_fraction", np.zeros(profile.depth))
    for n in range(profile.depth):
        layer = f"layer {n + 1}"
        if dead[n] >= DEAD:
            share = _percent(dead[n])
            return "dead", f"{share} of the units of {layer} have no derivative on any input"
        if saturated[n] >= SATURATED:
            share, low = _percent(saturated[n]), _percent(SATURATED_BELOW)
            return "saturated", (
                f"{share} of the activations of {layer} lie where the derivative is under {low} "
                "of its largest"
            )
        word = _change(sizes[n], sizes[0])
        if word:
            course, worst = _course(word, sizes)
            return word, f"{what} {course}: {short(sizes[worst])} at layer {worst + 1}"
    return None


def _on_the_way_back(profile: Profile) -> Found | None:
    norms = _norms(profile)
    for norm in norms:
        word = _change(norm, norms[0])
        if word:
            course, worst = _course(word, norms)
            share = short(norms[worst] / (norms[0] or 1))
            return word, (
                f"the gradient {course} on its way back: {share} of the last layer's "
                f"at layer {profile.depth - worst}"
            )
    return None


def _change(size: float, first: float) -> str | None:
    if size > CHANGE * first:
        return "exploding"
    return "vanishing" if size <= first / CHANGE else None


def _course(word: str, sizes: Array) -> tuple[str, int]:
    """How these sizes come to the largest or the least of them, and at which place that is."""
    worst = int(sizes.argmax() if word == "exploding" else sizes.argmin())
    factor = growth(sizes[: worst + 1])
    if word == "exploding":
        return f"grows by {short(factor)} a layer", worst
    # Sizes that come to 0 in one step have no factor, or one that tells nothing.
    return f"falls by {short(factor)} a layer" if factor < 1 else "is gone", worst


def _collapsed(profile: Profile) -> Found | None:
    start = profile.numbers.get("summary/input_correlation", math.nan)
    for end in profile.curves["activation/correlation"][-1:]:
        if 1 - start > ROUNDING and 1 - end < ALIKE * (1 - start):
            size = short(profile.curves["activation/std"][-1])
            return "collapsed", (
                f"the std holds ({size} at layer {profile.depth}), but the inputs have become "
                f"alike: their mean cosine is {_cosine(end)} there, {_cosine(start)} at the start"
            )
    return None


def _standing(profile: Profile) -> str:
    """How a signal stands that none of these befell."""
    if profile.depth == 0:
        return "there is no hidden layer, and the loss is finite"
    what, sizes = _sizes(profile)
    norms = _norms(profile)
    stands = (
        f"{what} goes from {short(sizes[0])} to {short(sizes[-1])}, on its way back the gradient "
        f"from {short(norms[0])} to {short(norms[-1])}"
    )
    end = profile.curves["activation/correlation"][-1]
    if "summary/input_correlation" not in profile.numbers or math.isnan(end):
        return stands
    start = _cosine(profile.numbers["summary/input_correlation"])
    return f"{stands}, the mean cosine between inputs from {start} to {_cosine(end)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _cosine(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0 takes the sign off -0.0
