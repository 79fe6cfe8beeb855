"""`python -m fanin advise`: ranks the inits for the network that the command line describes."""

import re
from collections.abc import Sequence
from shlex import quote

from rich.console import Console

from fanin.config.complete import build
from fanin.config.compose import compose_overrides
from fanin.config.errors import SettingError
from fanin.config.settings import Settings
from fanin.measure.statistics import STD
from fanin.nn.init import Init
from fanin.report.ranking_table import RankedInit, print_ranking
from fanin.runner.catalogue import catalogue, describe_network
from fanin.runner.ingredients import prepare, theory_error
from fanin.theory.advice import Candidate, candidate, rank_key, ranking, suggest
from fanin.theory.mean_field import PERCENTILE


def advise(overrides: Sequence[str], console: Console) -> None:
    """Rank the options of init for the network that the overrides describe. Raises SettingError."""
    for override in overrides:
        if re.match(r"[\w./+]*=[^\[{('\"]*,|experiment=", override):
            raise SettingError(f"{override}: advise takes one network; sweeps are not supported")
    values, choices = compose_overrides(overrides)
    settings = Settings.from_values(values)
    if settings.depth == 0:
        raise SettingError("depth=0: has no hidden layer to advise on; use 1 or more")
    ingredients = prepare(settings, choices)
    network = describe_network(settings, ingredients, choices)
    try:
        candidates, refused = ranking(network, catalogue())
    except Exception as error:
        raise theory_error(choices, error) from error
    typed = tuple(o for o in overrides if re.match(r"\+*init(=|\.(?!bias_std))", o))
    if any("init." in override for override in typed):
        candidates = sorted(
            [candidate(typed, ingredients.init, network), *candidates], key=rank_key
        )
    console.print(
        f"{network.activation_name}, {network.depth} layers of {network.width} units, "
        f"{network.inputs.count} inputs of {network.inputs.features} values; by theory\n"
    )
    print_ranking([_row(one) for one in candidates], console)
    for name, why in refused.items():
        console.print(f"\nnot ranked: init={name}, {why}")
    if candidates[0].is_healthy:
        others = [o for o in overrides if o not in typed]
        line = " ".join(map(quote, ["python", "run.py", *others, *candidates[0].settings]))
        console.print(f"\nrun the best with\n\n    {line}\n")
    else:
        configured = build("init", settings.init, Init)  # type: ignore[type-abstract]
        suggestion = suggest(ingredients.init, network, catalogue(), configured)
        console.print(f"\ntry {suggestion.text}\n")


def _row(one: Candidate) -> RankedInit:
    prediction, point = one.prediction, one.prediction.point
    return RankedInit(
        settings=one.text.removeprefix("init="),
        sigma_w2=prediction.sigma_w2,
        std=one.forecast.std,
        low=float(prediction.at(STD, -PERCENTILE)[-1]),
        high=float(prediction.at(STD, PERCENTILE)[-1]),
        gradient=one.forecast.gradient,
        cosine=one.forecast.cosine,
        phase=point.phase if point else "-",
        verdict=one.forecast.label,
    )
