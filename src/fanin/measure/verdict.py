"""The verdict: one word on whether the signal survives, and the measurement behind it.

The first word of VERDICTS that holds is the verdict, with one exception: of dead, saturated,
exploding and vanishing, the one that comes first in the pass counts, forward and then back.
(After a dead layer, a vanishing signal is expected, so only `dead` is reported.) With several
replicas their median decides.

Where the thresholds come from: a typical healthy net of depth 50 and width 100 stays within a
hundredfold whatever its seed. The log of its rms varies by about 0.8 from seed to seed (Hanin and
Nica 2018), and log 100 is 4.6. 60 % lies between what unit weights do to a sigmoid (66 % at width
100, the least of the bounded activations) and what He's scale does to hardtanh (48 %). For inputs
at right angles, 5 % is a mean cosine of .95: ReLU under He's scale has .87 after ten layers and
.988 after fifty.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from fanin.measure.profile import Array, Profile
from fanin.measure.reductions import SATURATED_BELOW
from fanin.measure.summaries import FIRST_NONFINITE, INPUT_CORRELATION, LOSS, growth

MAX_CHANGE = 100.0
"""A signal or gradient that changes by more than this factor explodes, or vanishes."""

DEAD_SHARE = 0.9
"""Of a layer's units: this many dead units make the layer dead."""

SATURATED_SHARE = 0.6
"""Of a layer's activations: this many saturated ones make the layer saturated."""

ANGLE_LEFT = 0.05
"""Of 1 - the mean cosine between inputs: with less than this left, the inputs have collapsed."""

COSINE_ROUNDING = 1e-5
"""Inputs whose mean cosine is this close to 1 were alike before the first layer."""

VERDICTS = {
    "nonfinite": "A value of the pass, or the loss, is not finite.",
    "dead": f"At least {DEAD_SHARE:.0%} of a layer's units have zero derivative on every input.",
    "saturated": f"At least {SATURATED_SHARE:.0%} of a layer's activations lie where a bounded "
    f"activation is flat: its derivative is under {SATURATED_BELOW:.0%} of its largest value.",
    "exploding": f"The std of the activations is over {MAX_CHANGE:g} times that of layer 1, or the "
    f"norm of dL/dz is over {MAX_CHANGE:g} times that of the last layer.",
    "vanishing": f"That std or that norm is at most 1/{MAX_CHANGE:g} of it.",
    "collapsed": "The inputs have become alike: at the last layer, 1 - their mean cosine is under "
    f"{ANGLE_LEFT:.0%} of what it was for the inputs themselves.",
    "healthy": "None of these.",
}
"""word -> meaning, in the order in which they are tested."""

Judgement = tuple[str, str]
"""(verdict, explanation)."""


def verdict(profile: Profile) -> str:
    """One of VERDICTS."""
    return _judge(profile)[0]


def explanation(profile: Profile) -> str:
    """The measurement behind the verdict, in a sentence."""
    word, sentence = _judge(profile)
    layer = profile.numbers.get(FIRST_NONFINITE)
    if layer is None or word == "nonfinite":
        return sentence
    return f"{sentence}; in one of the networks, layer {layer:.0f} holds values that are not finite"


def max_log_change(profile: Profile) -> float:
    """The largest change, in decades, of the signal, the gradient or the angle between inputs.

    inf if a size reaches 0 or leaves the finite numbers.
    """
    if profile.depth == 0:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes, norms = (
            np.log10(values / values[0])
            for values in (_activation_sizes(profile)[1], _gradient_norms(profile))
        )
    changes = np.abs(np.concatenate([sizes, norms]))
    if not np.isfinite(changes).all() or LOSS not in profile.numbers:
        return math.inf
    start = 1 - profile.numbers.get(INPUT_CORRELATION, math.nan)
    end = 1 - float(profile.curves["activation/correlation"][-1])
    if start > COSINE_ROUNDING and not math.isnan(end):
        changes = np.append(changes, -math.log10(max(end, np.finfo(float).eps) / start))
    return float(changes.max())


def short(value: float) -> str:
    """Three digits, such as 0.707, 3.18e-8 and 1e+7."""
    return re.sub("(e[+-])0", r"\1", f"{value:.3g}")


def _judge(profile: Profile) -> Judgement:
    return (
        _judge_finite(profile)
        or _judge_forward(profile)
        or _judge_backward(profile)
        or _judge_angles(profile)
        or ("healthy", _describe_healthy(profile))
    )


def _activation_sizes(profile: Profile) -> tuple[str, Array]:
    """The name and the values of the curve that gives the size of the activations."""
    sizes, means = profile.curves["activation/std"], profile.curves["activation/mean"]
    if means.any() and not sizes.any():  # a single value has no std
        return "the mean activation", np.abs(means)
    return "the std of the activations", sizes


def _gradient_norms(profile: Profile) -> Array:
    """The norm of dL/dz, from the last layer back to the first."""
    return profile.curves["gradient/preactivation_norm"][::-1]


def _judge_finite(profile: Profile) -> Judgement | None:
    (quantity, sizes), norms = _activation_sizes(profile), _gradient_norms(profile)
    layers = range(1, profile.depth + 1)
    if not np.isfinite(sizes).all():
        return "nonfinite", f"{_describe_end(quantity, sizes, layers)} values that are not finite"
    if LOSS not in profile.numbers:
        return "nonfinite", "on the way forward every layer is finite, but the loss is not"
    if not np.isfinite(norms).all():
        end = _describe_end("on its way back the gradient", norms, layers[::-1])
        return "nonfinite", f"{end} gradients that are not finite"
    return None


def _describe_end(quantity: str, sizes: Array, layers: Sequence[int]) -> str:
    """The layer at which these sizes are no longer finite, and the growth that led there."""
    at = int(np.isfinite(sizes).argmin())
    factor = growth(sizes[:at])
    course = f"{quantity} grows by {short(factor)} a layer, and " if factor > 1 else ""
    return f"{course}layer {layers[at]} holds"


def _judge_forward(profile: Profile) -> Judgement | None:
    quantity, sizes = _activation_sizes(profile)
    dead = profile.curves["activation/dead_fraction"]
    saturated = profile.curves.get("activation/saturated_fraction", np.zeros(profile.depth))
    for n in range(profile.depth):
        layer = f"layer {n + 1}"
        if dead[n] >= DEAD_SHARE:
            share = _percent(dead[n])
            return "dead", f"{share} of the units of {layer} have zero derivative on every input"
        if saturated[n] >= SATURATED_SHARE:
            share, limit = _percent(saturated[n]), _percent(SATURATED_BELOW)
            return "saturated", (
                f"{share} of the activations of {layer} lie where the derivative is under {limit} "
                "of its largest value"
            )
        word = _judge_change(sizes[n], sizes[0])
        if word:
            course, worst = _describe_change(word, sizes)
            return word, f"{quantity} {course}: {short(sizes[worst])} at layer {worst + 1}"
    return None


def _judge_backward(profile: Profile) -> Judgement | None:
    norms = _gradient_norms(profile)
    for norm in norms:
        word = _judge_change(norm, norms[0])
        if word:
            course, worst = _describe_change(word, norms)
            share = short(norms[worst] / (norms[0] or 1))
            return word, (
                f"the gradient {course} on its way back: {share} of the last layer's "
                f"at layer {profile.depth - worst}"
            )
    return None


def _judge_change(size: float, first: float) -> str | None:
    if size > MAX_CHANGE * first:
        return "exploding"
    return "vanishing" if size <= first / MAX_CHANGE else None


def _describe_change(word: str, sizes: Array) -> tuple[str, int]:
    """How the sizes reach their largest, or smallest, and the index of that one."""
    worst = int(sizes.argmax() if word == "exploding" else sizes.argmin())
    factor = growth(sizes[: worst + 1])
    if word == "exploding":
        return f"grows by {short(factor)} a layer", worst
    # Sizes that reach 0 in one step have no meaningful factor.
    return f"falls by {short(factor)} a layer" if factor < 1 else "is gone", worst


def _judge_angles(profile: Profile) -> Judgement | None:
    start = profile.numbers.get(INPUT_CORRELATION, math.nan)
    for end in profile.curves["activation/correlation"][-1:]:
        if 1 - start > COSINE_ROUNDING and 1 - end < ANGLE_LEFT * (1 - start):
            size = short(profile.curves["activation/std"][-1])
            return "collapsed", (
                f"the std holds ({size} at layer {profile.depth}), but the inputs have become "
                f"alike: their mean cosine is {_cosine(end)} there, {_cosine(start)} at the start"
            )
    return None


def _describe_healthy(profile: Profile) -> str:
    if profile.depth == 0:
        return "there is no hidden layer, and the loss is finite"
    quantity, sizes = _activation_sizes(profile)
    norms = _gradient_norms(profile)
    sentence = (
        f"{quantity} goes from {short(sizes[0])} to {short(sizes[-1])}, on its way back the "
        f"gradient from {short(norms[0])} to {short(norms[-1])}"
    )
    end = profile.curves["activation/correlation"][-1]
    if INPUT_CORRELATION not in profile.numbers or math.isnan(end):
        return sentence
    start = _cosine(profile.numbers[INPUT_CORRELATION])
    return f"{sentence}, the mean cosine between inputs from {start} to {_cosine(end)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _cosine(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # + 0.0 takes the sign off -0.0
