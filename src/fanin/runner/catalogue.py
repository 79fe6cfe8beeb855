"""The inits and activations in conf/, made for advice, and the networks that it is asked about."""

from contextlib import suppress
from functools import cache

from fanin.config.complete import build_option
from fanin.config.errors import SettingError
from fanin.config.options import changed_settings, option_names
from fanin.config.settings import GroupChoices, Settings
from fanin.nn.activations import Activation
from fanin.nn.init import Init
from fanin.runner.compute import Ingredients
from fanin.theory.advice import Catalogue, Task
from fanin.theory.input_stats import describe


@cache
def catalogue() -> Catalogue:
    """Every option of init and activation, on its own defaults."""
    activations = []
    for name in option_names("activation"):
        with suppress(SettingError):  # a broken file is not to be recommended
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


def task_of(settings: Settings, ingredients: Ingredients, choices: GroupChoices) -> Task:
    """What the network is to do, whatever its init."""
    changed = changed_settings("init", str(choices["init"]), settings.init)
    return Task(
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
    """The settings of the init that another init would not have, and that must then go."""
    changed = changed_settings("init", str(choices["init"]), settings.init)
    return [f"init.{name}" for name in changed if name != "bias_std"]  # which every init has
