"""The inits and activations in conf/ as objects for advice, and the networks to advise on."""

from contextlib import suppress
from functools import cache

from fanin.config.complete import build_option
from fanin.config.errors import SettingError
from fanin.config.options import changed_settings, option_names
from fanin.config.settings import GroupChoices, Settings
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.runner.compute import Ingredients
from fanin.theory.advice import Catalogue, NetworkSpec
from fanin.theory.input_stats import describe


@cache
def catalogue() -> Catalogue:
    """Every init and activation option, with its own defaults."""
    activations = []
    for name in option_names("activation"):
        with suppress(SettingError):  # do not recommend a broken file
            activation = build_option("activation", name, Activation)  # type: ignore[type-abstract]
            activations.append((name, activation))
    inits = tuple((name, _make_init(name)) for name in option_names("init"))
    return Catalogue(inits, tuple(activations))


def _make_init(name: str) -> Init | str:
    """The init of an option's file, or why it cannot be made."""
    try:
        return build_option("init", name, Init)  # type: ignore[type-abstract]
    except SettingError as error:
        return str(error)


def describe_network(
    settings: Settings, ingredients: Ingredients, choices: GroupChoices
) -> NetworkSpec:
    """The network without its init."""
    changed = changed_settings("init", str(choices["init"]), settings.init)
    return NetworkSpec(
        activation_name=str(choices["activation"]),
        activation=ingredients.activation,
        inputs=describe(ingredients.inputs),
        depth=settings.depth,
        width=settings.hidden_size,
        outputs=ingredients.outputs,
        dtype=ingredients.dtype,
        bias_std=settings.init["bias_std"] if "bias_std" in changed else None,
    )


def conflicting_settings(settings: Settings, choices: GroupChoices) -> list[str]:
    """Overrides of this init that other inits reject, so the user must remove them."""
    changed = changed_settings("init", str(choices["init"]), settings.init)
    return [f"init.{name}" for name in changed if name != "bias_std"]  # which every init has
