"""Advice: which inits keep the signal alive in a network, by theory, and what to try instead.

It suggests only settings that theory is sure of: those that are healthy for nearly every seed.
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
"""A depth at which even good inits still differ."""

_MAX_LOG_GRADIENT = math.log(1e8)
"""A gradient that changes by more than this is lost, whatever the first layers do."""

_FAMILIAR = ("kaiming", "xavier", "glorot", "orthogonal", "lecun", "torch_default", "critical")
"""The order of inits between which theory finds no difference."""

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
class NetworkSpec:
    """A network without its init. `depth` is 1 or more.

    bias_std: init.bias_std if the user set it, which then applies to every init; else None.
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
    """Settings, such as ("init=kaiming",), and what theory predicts for the network with them."""

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
    """text: a sentence. settings: alternatives, all of them healthy."""

    text: str
    settings: Sequence[tuple[str, ...]]


def expect(init: Init, network: NetworkSpec) -> Prediction:
    """The prediction for the network with this init, which is resolved for the activation."""
    return predict(
        init,
        network.activation,
        network.inputs,
        depth=network.depth,
        width=network.width,
        outputs=network.outputs,
    )


def candidate(settings: tuple[str, ...], init: Init, network: NetworkSpec) -> Candidate:
    """The candidate with these settings; the init is resolved for the activation."""
    prediction = expect(init, network)
    outlook = forecast(
        prediction, network.activation, network.inputs, width=network.width, dtype=network.dtype
    )
    return Candidate(settings, prediction, outlook)


@memoize
def ranking(network: NetworkSpec, catalogue: Catalogue) -> tuple[list[Candidate], dict[str, str]]:
    """Every init of the catalogue for a network, the best first, and why others have no rank.

    The second value is option name -> reason.
    """
    inits = {name: _resolve(init, network) for name, init in catalogue.inits}
    usable = {name: init for name, init in inits.items() if isinstance(init, Init)}
    reasons = {name: reason for name, reason in inits.items() if isinstance(reason, str)}
    return _ranked(usable, network), reasons


@memoize
def _promising(network: NetworkSpec, catalogue: Catalogue) -> list[Candidate]:
    """As `ranking`, without the inits whose chi alone shows that gradients are lost."""
    inits = {name: _resolve(init, network) for name, init in catalogue.inits}
    usable = {name: init for name, init in inits.items() if isinstance(init, Init)}
    return _ranked(
        {n: init for n, init in usable.items() if not _is_hopeless(init, network)}, network
    )


def _resolve(init: Init | str, network: NetworkSpec) -> Init | str:
    """The init resolved for the network, or why it cannot be used."""
    if isinstance(init, str):
        return init
    try:
        if network.bias_std is not None:
            init = replace(init, bias_std=network.bias_std)
        return init.resolve(network.activation)
    except (ValueError, TypeError) as error:
        return str(error)


def _ranked(inits: Mapping[str, Init], network: NetworkSpec) -> list[Candidate]:
    candidates = [candidate((f"init={name}",), init, network) for name, init in inits.items()]
    return sorted(candidates, key=rank_key)


def _is_hopeless(init: Init, network: NetworkSpec) -> bool:
    point = expect(init, replace(network, depth=1)).point
    with np.errstate(divide="ignore"):
        log_chi = np.log(point.chi) if point else -math.inf
    return bool(abs(log_chi) * (network.depth - 1) / 2 > _MAX_LOG_GRADIENT)


def rank_key(one: Candidate) -> tuple[bool, bool, float, int]:
    """The sort key: healthy before others, sure before unsure, then the least change first."""
    outlook = one.forecast
    name = one.settings[-1].removeprefix("init=")
    familiarity = _FAMILIAR.index(name) if name in _FAMILIAR else len(_FAMILIAR)
    fails = outlook.verdict != "healthy"
    is_unsure = not fails and not outlook.is_sure
    return fails, is_unsure, round(outlook.max_log_change, 1), familiarity


@memoize
def suggest(
    init: Init, network: NetworkSpec, catalogue: Catalogue, configured: Init | None = None
) -> Suggestion:
    """What to try in place of an init that did not keep the signal alive in this network.

    init: resolved for the activation. configured: the init whose `scale` may be set, before it was
    resolved; `init` itself by default.
    """
    if candidate((), init, network).is_healthy:
        return Suggestion("another seed: by theory nearly all others are healthy", [])
    if network.width < MIN_SURE_WIDTH:
        text = f"hidden_size={MIN_SURE_WIDTH} or more: theory is not sure of narrower nets"
        return Suggestion(text, [])
    ranked = _promising(network, catalogue)
    healthy = [one for one in ranked if one.is_healthy]
    rescaled = _rescaled(init, configured or init, network)
    alternatives = _distinct([*healthy[:1], *rescaled, *healthy[1:]])[:MAX_SUGGESTIONS]
    if alternatives:
        return _suggestion(alternatives, _describe_effect(alternatives[0], network))
    alternatives = [*_with_another_activation(network, catalogue), *_less_deep(network, catalogue)]
    reason = (
        f"no init keeps {network.depth}-layer {network.activation_name} nets healthy "
        "for nearly all seeds"
    )
    if ranked and ranked[0].forecast.verdict == "healthy":
        reason += f" ({ranked[0].text} does for most seeds)"
    return _suggestion(alternatives, reason)


def _suggestion(alternatives: Sequence[Candidate], reason: str) -> Suggestion:
    texts = ", or ".join(one.text for one in alternatives) or "nothing that theory is sure of"
    return Suggestion(f"{texts}: {reason}", [one.settings for one in alternatives])


def _describe_effect(one: Candidate, network: NetworkSpec) -> str:
    """What the activation does to the signal, and the std that the suggested weights keep."""
    std, q = one.forecast.std, one.prediction.curves["preactivation/std"][-1] ** 2
    factor = moments(network.activation, q).second.value / q
    return (
        f"{network.activation_name} multiplies E[z^2] by {factor:.2g}, and the std will be about "
        f"{std:.2g} at layer {network.depth}"
    )


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, without repeated networks unless they set a scale."""
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


def _rescaled(init: Init, configured: Init, network: NetworkSpec) -> Iterator[Candidate]:
    """The same init with the scale that puts chi at 1, if there is one and it is healthy."""
    weights = critical_variance(
        network.activation, init.bias_variance(network.width, network.width)
    )
    scale = weights and _critical_scale(configured, weights, network)
    if scale:
        rescaled = _with_scale(configured, scale, network)
        one = candidate((f"init.scale={scale:.4g}",), rescaled, network)
        if one.is_healthy:
            yield one


def _critical_scale(init: Init, weights: float, network: NetworkSpec) -> float | None:
    """The `scale` with which fan_in Var(w) of a hidden layer is `weights`, to four digits.

    None for an init without such a setting, or with one to which the variance is not proportional.
    """
    settings = {field.name: getattr(init, field.name) for field in fields(init)}
    if not is_number(settings.get("scale")):
        return None

    def variance(scale: float) -> float:
        rescaled = _with_scale(init, scale, network)
        return network.width * rescaled.variance(network.width, network.width)

    try:
        scale = float(f"{weights / variance(1.0):.4g}")
        is_proportional = math.isclose(variance(scale), weights, rel_tol=1e-3)
    except (TypeError, ValueError, ZeroDivisionError):  # a user-defined class may refuse it
        return None
    return scale if is_proportional else None


def _with_scale(init: Init, scale: float, network: NetworkSpec) -> Init:
    settings = {"scale": scale}  # a field of the subclass, unknown to mypy
    return replace(init, **settings).resolve(network.activation)


def _with_another_activation(network: NetworkSpec, catalogue: Catalogue) -> Iterator[Candidate]:
    """The first activation for which some init is healthy, with the best such init."""
    activations = dict(catalogue.activations)
    for name in _ALTERNATIVES:
        if name != network.activation_name and name in activations:
            other = replace(network, activation_name=name, activation=activations[name])
            for one in _promising(other, catalogue):
                if one.is_healthy:
                    yield replace(one, settings=(f"activation={name}", *one.settings))
                    return


def _less_deep(network: NetworkSpec, catalogue: Catalogue) -> Iterator[Candidate]:
    """The init that does best in a shallower net, at the greatest depth at which it is healthy."""
    ranked, _ = ranking(replace(network, depth=min(network.depth, _SHALLOW)), catalogue)
    if not ranked:
        return
    best = ranked[0].settings
    init = _resolve(dict(catalogue.inits)[best[0].removeprefix("init=")], network)
    assert isinstance(init, Init)  # since it has a rank
    low, high, deepest = 0, network.depth, None
    while high - low > 1:
        depth = (low + high) // 2
        one = candidate((*best, f"depth={depth}"), init, replace(network, depth=depth))
        low, high, deepest = (depth, high, one) if one.is_healthy else (low, depth, deepest)
    if deepest:
        yield deepest
