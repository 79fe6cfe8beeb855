"""Advice: which inits keep a signal alive in a network, by theory, and what to try instead.

Only settings of which theory is sure are recommended: those that nearly every seed survives.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from fanin.config.schema import SettingError, option, options
from fanin.nn.activations import Activation
from fanin.nn.init import Init, Orthogonal, VarianceScaling
from fanin.theory.critical import critical_variance
from fanin.theory.forecast import NARROW, Forecast, forecast
from fanin.theory.gaussian import moments
from fanin.theory.input_stats import Inputs
from fanin.theory.mean_field import STD, Prediction, predict
from fanin.theory.memoize import memoize

BEST = 2
"""So many settings are recommended at most."""

_SHALLOW = 8
"""A depth at which inits still differ by more than whether they are lost."""

_LOST = math.log(1e8)
"""Of a gradient: far beyond what the first layers of a net might make up for."""

_FAMILIAR = ("kaiming", "xavier", "glorot", "orthogonal", "lecun", "torch_default", "critical")
"""Inits in the order in which they are named where theory finds no difference."""

_ELSEWHERE = ("tanh", "erf", "softsign", "selu", "elu", "leaky_relu", "identity")
"""Activations to turn to, the most usual first."""


@dataclass(frozen=True)
class Task:
    """What is given, and what an init is sought for. `depth` is 1 or more.

    bias_std: of init.bias_std where the line sets it, since it stays there whatever the init.
    """

    activation_name: str
    activation: Activation
    inputs: Inputs
    depth: int
    width: int
    outputs: int
    dtype: torch.dtype
    bias_std: float | None = None


@dataclass(frozen=True)
class Candidate:
    """Settings, such as ("init=kaiming",), the init that they mean, and what is predicted."""

    settings: tuple[str, ...]
    prediction: Prediction
    forecast: Forecast

    @property
    def is_healthy(self) -> bool:
        return self.forecast.verdict == "healthy" and self.forecast.is_sure

    @property
    def typed(self) -> str:
        return " ".join(self.settings)


@dataclass(frozen=True)
class Suggestion:
    """text: a sentence. settings: each a way out, and all of them healthy."""

    text: str
    settings: Sequence[tuple[str, ...]]


def expect(init: Init, task: Task) -> Prediction:
    """What theory says of the network with this init."""
    return predict(
        init,
        task.activation,
        task.inputs,
        depth=task.depth,
        width=task.width,
        outputs=task.outputs,
    )


def candidate(settings: tuple[str, ...], init: Init, task: Task) -> Candidate:
    prediction = expect(init, task)
    found = forecast(prediction, task.activation, task.inputs, width=task.width, dtype=task.dtype)
    return Candidate(settings, prediction, found)


@memoize
def ranking(task: Task) -> tuple[list[Candidate], dict[str, str]]:
    """Every option of init for the task, the best first; and those that there are none of, why."""
    inits, refused = _offered(task)
    return _ranked(inits, task), refused


@memoize
def hopeful(task: Task) -> list[Candidate]:
    """As `ranking`, without those of which chi alone tells that their gradients are lost."""
    inits, _ = _offered(task)
    return _ranked({name: i for name, i in inits.items() if not _is_hopeless(i, task)}, task)


def _offered(task: Task) -> tuple[dict[str, Init], dict[str, str]]:
    """The options of init for the task by name; and those that there are none of, why."""
    inits = {name: _init(name, task) for name in options("init")}
    return (
        {name: init for name, init in inits.items() if isinstance(init, Init)},
        {name: why for name, why in inits.items() if isinstance(why, str)},
    )


def _ranked(inits: Mapping[str, Init], task: Task) -> list[Candidate]:
    found = [candidate((f"init={name}",), init, task) for name, init in inits.items()]
    return sorted(found, key=rank)


def _is_hopeless(init: Init, task: Task) -> bool:
    one_layer = expect(init, replace(task, depth=1)).point
    with np.errstate(divide="ignore"):
        log_chi = np.log(one_layer.chi) if one_layer else -math.inf
    return bool(abs(log_chi) * (task.depth - 1) / 2 > _LOST)


def _init(name: str, task: Task) -> Init | str:
    """An option of init for the task, or why there is none."""
    try:
        init: Init = option("init", name, Init)
        if task.bias_std is not None:
            init = replace(init, bias_std=task.bias_std)
        return init.given(task.activation)
    except (SettingError, ValueError, TypeError) as error:
        return str(error)


def rank(found: Candidate) -> tuple[bool, bool, float, int]:
    of = found.forecast
    name = found.settings[-1].removeprefix("init=")
    familiar = _FAMILIAR.index(name) if name in _FAMILIAR else len(_FAMILIAR)
    fails = of.verdict != "healthy"
    return fails, not fails and not of.is_sure, round(of.max_log_change, 1), familiar


@memoize
def suggest(init: Init, task: Task, *, has_scale: bool) -> Suggestion:
    """What to try in place of an init that did not keep the signal alive in this network.

    has_scale: whether init.scale is a setting of it.
    """
    own = candidate((), init, task)
    if own.is_healthy:
        return Suggestion("another seed: by theory nearly all others are healthy", [])
    if task.width < NARROW:
        return Suggestion(f"hidden_size={NARROW} or more: theory is sure of no narrower net", [])
    ranked = hopeful(task)
    healthy = [one for one in ranked if one.is_healthy]
    rescaled = _rescaled(init, task) if has_scale else ()
    found = _unlike([*healthy[:1], *rescaled, *healthy[1:]])[:BEST]
    if found:
        ways = ", or ".join(one.typed for one in found)
        text = f"{ways}: {_reason(found[0], task)}"
        return Suggestion(text, [one.settings for one in found])
    found = [*_with_another_activation(task), *_less_deep(task)]
    ways = ", or ".join(one.typed for one in found) or "nothing that theory is sure of"
    text = f"{ways}: no init is sure to carry {task.activation_name} through {task.depth} layers"
    if ranked and ranked[0].forecast.verdict == "healthy":
        text += f" ({ranked[0].typed} does with most seeds)"
    return Suggestion(text, [one.settings for one in found])


def _unlike(found: Sequence[Candidate]) -> list[Candidate]:
    """One of each, where two mean the same network; a scale is a way of its own."""
    kept: list[Candidate] = []
    for one in found:
        is_scale = one.typed.startswith("init.scale")
        if is_scale or all(one.prediction is not k.prediction and not _same(one, k) for k in kept):
            kept.append(one)
    return kept


def _same(one: Candidate, other: Candidate) -> bool:
    return bool(np.allclose(one.prediction.at(STD), other.prediction.at(STD), rtol=1e-6))


def _rescaled(init: Init, task: Task) -> Iterator[Candidate]:
    """The same init with the scale that puts chi at 1."""
    assert isinstance(init, VarianceScaling | Orthogonal)
    weights = critical_variance(task.activation, init.bias_variance(task.width, task.width))
    if weights is not None:
        scale = f"{weights:.4g}"
        found = candidate((f"init.scale={scale}",), replace(init, scale=float(scale)), task)
        if found.is_healthy:
            yield found


def _with_another_activation(task: Task) -> Iterator[Candidate]:
    """The first activation that some init carries through, with the best such init."""
    for name in _ELSEWHERE:
        if name != task.activation_name and name in options("activation"):
            activation = option("activation", name, Activation)
            other = replace(task, activation_name=name, activation=activation)
            for one in hopeful(other):
                if one.is_healthy:
                    yield replace(one, settings=(f"activation={name}", *one.settings))
                    return


def _less_deep(task: Task) -> Iterator[Candidate]:
    """The init that does best in a less deep net, at the greatest depth that it is sure of."""
    best = ranking(replace(task, depth=min(task.depth, _SHALLOW)))[0][0]
    init = _init(best.settings[0].removeprefix("init="), task)
    assert isinstance(init, Init)
    low, high, found = 0, task.depth, None
    while high - low > 1:
        depth = (low + high) // 2
        settings = (*best.settings, f"depth={depth}")
        one = candidate(settings, init, replace(task, depth=depth))
        low, high, found = (depth, high, one) if one.is_healthy else (low, depth, found)
    if found:
        yield found


def _reason(found: Candidate, task: Task) -> str:
    """What theory has for it at the last layer, and what the weights make up for."""
    std, q = found.forecast.std, found.prediction.curves["preactivation/std"][-1] ** 2
    share = moments(task.activation, q).second.value / q
    return (
        f"{task.activation_name} passes {share:.2g} of the second moment, and the std will be "
        f"about {std:.2g} at layer {task.depth}"
    )
