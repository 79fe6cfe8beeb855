"""Advice: which inits keep the signal alive in a network, by theory, and what to try instead.

Only settings of which theory is sure are advised: those that nearly every seed survives.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from fanin.measure.params import is_number
from fanin.measure.statistics import STD
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.theory.critical import critical_variance
from fanin.theory.forecast import MIN_SURE_WIDTH, Forecast, forecast
from fanin.theory.gaussian import moments
from fanin.theory.input_stats import Inputs
from fanin.theory.mean_field import Prediction, predict
from fanin.theory.memoize import memoize

MAX_SUGGESTIONS = 2
"""At most this many settings are suggested."""

_SHALLOW = 8
"""A depth at which inits still differ by more than whether the signal is lost."""

_MAX_LOG_GRADIENT = math.log(1e8)
"""A gradient that changes by more is lost, whatever the first layers do."""

_FAMILIAR = ("kaiming", "xavier", "glorot", "orthogonal", "lecun", "torch_default", "critical")
"""Inits in the order in which they are named if theory finds no difference."""

_ALTERNATIVES = ("tanh", "erf", "softsign", "selu", "elu", "leaky_relu", "identity")
"""Activations to suggest, the most common first."""


@dataclass(frozen=True)
class Catalogue:
    """The options that advice may name, with the settings of their files.

    inits: option name -> init, or why it cannot be made. activations: option name -> activation.
    """

    inits: tuple[tuple[str, Init | str], ...]
    activations: tuple[tuple[str, Activation], ...]


@dataclass(frozen=True)
class Task:
    """The network that an init is wanted for. `depth` is 1 or more.

    bias_std: the line's init.bias_std, which then holds for every init; None if it sets none.
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
    """Settings, such as ("init=kaiming",), and what theory predicts of the network with them."""

    settings: tuple[str, ...]
    prediction: Prediction
    forecast: Forecast

    @property
    def is_healthy(self) -> bool:
        return self.forecast.verdict == "healthy" and self.forecast.is_sure

    @property
    def text(self) -> str:
        """The settings as typed on the command line."""
        return " ".join(self.settings)


@dataclass(frozen=True)
class Suggestion:
    """text: a sentence. settings: alternatives, each of them healthy."""

    text: str
    settings: Sequence[tuple[str, ...]]


def expect(init: Init, task: Task) -> Prediction:
    """The prediction for the network with this init, which is resolved for the activation."""
    return predict(
        init,
        task.activation,
        task.inputs,
        depth=task.depth,
        width=task.width,
        outputs=task.outputs,
    )


def candidate(settings: tuple[str, ...], init: Init, task: Task) -> Candidate:
    """The candidate that these settings stand for; the init is resolved for the activation."""
    prediction = expect(init, task)
    outlook = forecast(prediction, task.activation, task.inputs, width=task.width, dtype=task.dtype)
    return Candidate(settings, prediction, outlook)


@memoize
def ranking(task: Task, catalogue: Catalogue) -> tuple[list[Candidate], dict[str, str]]:
    """Every init of the catalogue for the task, the best first, and why others have no rank.

    The second is option name -> reason.
    """
    inits = {name: _resolve(init, task) for name, init in catalogue.inits}
    usable = {name: init for name, init in inits.items() if isinstance(init, Init)}
    reasons = {name: reason for name, reason in inits.items() if isinstance(reason, str)}
    return _ranked(usable, task), reasons


@memoize
def _promising(task: Task, catalogue: Catalogue) -> list[Candidate]:
    """As `ranking`, without the inits whose chi alone tells that gradients are lost."""
    inits = {name: _resolve(init, task) for name, init in catalogue.inits}
    usable = {name: init for name, init in inits.items() if isinstance(init, Init)}
    return _ranked({n: init for n, init in usable.items() if not _is_hopeless(init, task)}, task)


def _resolve(init: Init | str, task: Task) -> Init | str:
    """An init of the catalogue for the task, or why there is none."""
    if isinstance(init, str):
        return init
    try:
        if task.bias_std is not None:
            init = replace(init, bias_std=task.bias_std)
        return init.resolve(task.activation)
    except (ValueError, TypeError) as error:
        return str(error)


def _ranked(inits: Mapping[str, Init], task: Task) -> list[Candidate]:
    candidates = [candidate((f"init={name}",), init, task) for name, init in inits.items()]
    return sorted(candidates, key=rank_key)


def _is_hopeless(init: Init, task: Task) -> bool:
    point = expect(init, replace(task, depth=1)).point
    with np.errstate(divide="ignore"):
        log_chi = np.log(point.chi) if point else -math.inf
    return bool(abs(log_chi) * (task.depth - 1) / 2 > _MAX_LOG_GRADIENT)


def rank_key(one: Candidate) -> tuple[bool, bool, float, int]:
    """Sorts healthy candidates first, of these the sure ones, then those that change least."""
    outlook = one.forecast
    name = one.settings[-1].removeprefix("init=")
    familiarity = _FAMILIAR.index(name) if name in _FAMILIAR else len(_FAMILIAR)
    fails = outlook.verdict != "healthy"
    is_unsure = not fails and not outlook.is_sure
    return fails, is_unsure, round(outlook.max_log_change, 1), familiarity


@memoize
def suggest(
    init: Init, task: Task, catalogue: Catalogue, configured: Init | None = None
) -> Suggestion:
    """What to try in place of an init that did not keep the signal alive in this network.

    init: resolved for the activation. configured: the init whose `scale` may be set, before it was
    resolved; `init` itself by default.
    """
    if candidate((), init, task).is_healthy:
        return Suggestion("another seed: by theory nearly all others are healthy", [])
    if task.width < MIN_SURE_WIDTH:
        text = f"hidden_size={MIN_SURE_WIDTH} or more: theory is not sure of narrower nets"
        return Suggestion(text, [])
    ranked = _promising(task, catalogue)
    healthy = [one for one in ranked if one.is_healthy]
    rescaled = _rescaled(init, configured or init, task)
    ways = _distinct([*healthy[:1], *rescaled, *healthy[1:]])[:MAX_SUGGESTIONS]
    if ways:
        return _suggestion(ways, _describe_effect(ways[0], task))
    ways = [*_with_another_activation(task, catalogue), *_less_deep(task, catalogue)]
    reason = (
        f"no init keeps {task.depth}-layer {task.activation_name} nets healthy for nearly all seeds"
    )
    if ranked and ranked[0].forecast.verdict == "healthy":
        reason += f" ({ranked[0].text} does for most seeds)"
    return _suggestion(ways, reason)


def _suggestion(ways: Sequence[Candidate], reason: str) -> Suggestion:
    texts = ", or ".join(way.text for way in ways) or "nothing that theory is sure of"
    return Suggestion(f"{texts}: {reason}", [way.settings for way in ways])


def _describe_effect(way: Candidate, task: Task) -> str:
    """What the activation does to the signal, and the std that the suggested weights keep."""
    std, q = way.forecast.std, way.prediction.curves["preactivation/std"][-1] ** 2
    factor = moments(task.activation, q).second.value / q
    return (
        f"{task.activation_name} multiplies E[z^2] by {factor:.2g}, and the std will be about "
        f"{std:.2g} at layer {task.depth}"
    )


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Without those that mean the same network as an earlier one, unless they set a scale."""
    kept: list[Candidate] = []
    for one in candidates:
        is_scale = one.text.startswith("init.scale")
        if is_scale or not any(_is_same_network(one, other) for other in kept):
            kept.append(one)
    return kept


def _is_same_network(one: Candidate, other: Candidate) -> bool:
    if one.prediction is other.prediction:
        return True
    return bool(np.allclose(one.prediction.at(STD), other.prediction.at(STD), rtol=1e-6))


def _rescaled(init: Init, configured: Init, task: Task) -> Iterator[Candidate]:
    """The same init with the scale that puts chi at 1, if there is one and it is healthy."""
    weights = critical_variance(task.activation, init.bias_variance(task.width, task.width))
    scale = weights and _critical_scale(configured, weights, task)
    if scale:
        rescaled = _with_scale(configured, scale, task)
        one = candidate((f"init.scale={scale:.4g}",), rescaled, task)
        if one.is_healthy:
            yield one


def _critical_scale(init: Init, weights: float, task: Task) -> float | None:
    """The `scale` with which fan_in Var(w) of a hidden layer is `weights`, to four digits.

    None for an init without such a setting, or with one to which the variance is not proportional.
    """
    settings = {field.name: getattr(init, field.name) for field in fields(init)}
    if not is_number(settings.get("scale")):
        return None

    def variance(scale: float) -> float:
        rescaled = _with_scale(init, scale, task)
        return task.width * rescaled.variance(task.width, task.width)

    try:
        scale = float(f"{weights / variance(1.0):.4g}")
        is_proportional = math.isclose(variance(scale), weights, rel_tol=1e-3)
    except (TypeError, ValueError, ZeroDivisionError):  # a user's class that takes no such scale
        return None
    return scale if is_proportional else None


def _with_scale(init: Init, scale: float, task: Task) -> Init:
    settings = {"scale": scale}  # a field of the subclass, unknown to mypy
    return replace(init, **settings).resolve(task.activation)


def _with_another_activation(task: Task, catalogue: Catalogue) -> Iterator[Candidate]:
    """The first activation that some init keeps healthy, with the best such init."""
    activations = dict(catalogue.activations)
    for name in _ALTERNATIVES:
        if name != task.activation_name and name in activations:
            other = replace(task, activation_name=name, activation=activations[name])
            for one in _promising(other, catalogue):
                if one.is_healthy:
                    yield replace(one, settings=(f"activation={name}", *one.settings))
                    return


def _less_deep(task: Task, catalogue: Catalogue) -> Iterator[Candidate]:
    """The init that does best in a shallower net, at the greatest depth at which it is healthy."""
    ranked, _ = ranking(replace(task, depth=min(task.depth, _SHALLOW)), catalogue)
    if not ranked:
        return
    best = ranked[0].settings
    init = _resolve(dict(catalogue.inits)[best[0].removeprefix("init=")], task)
    assert isinstance(init, Init)  # it has a rank
    low, high, deepest = 0, task.depth, None
    while high - low > 1:
        depth = (low + high) // 2
        one = candidate((*best, f"depth={depth}"), init, replace(task, depth=depth))
        low, high, deepest = (depth, high, one) if one.is_healthy else (low, depth, deepest)
    if deepest:
        yield deepest
