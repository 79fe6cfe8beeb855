"""`python -m fanin advise`: the network that a line describes, and the inits ranked for it."""

import re
from collections.abc import Sequence
from shlex import quote

from rich.console import Console

from fanin.config.schema import SettingError, composed
from fanin.report.terminal import RankedInit, show_ranking
from fanin.runner.run import prepare, task_of, theory_error
from fanin.theory.advice import Candidate, candidate, rank, ranking, suggest
from fanin.theory.mean_field import PERCENTILE, STD


def advise(overrides: Sequence[str], console: Console) -> None:
    """Rank the options of init for the network that the overrides describe. Raises SettingError."""
    for override in overrides:
        if re.match(r"[\w./+]*=[^\[{('\"]*,|experiment=", override):
            raise SettingError(f"{override}: advise looks at one network; give its settings")
    config, choices = composed(overrides)
    if config.depth == 0:
        raise SettingError("depth=0: has no hidden layer to advise on; use 1 or more")
    parts = prepare(config, choices)
    task = task_of(config, parts, choices)
    try:
        found, refused = ranking(task)
    except Exception as error:
        raise theory_error(choices, error) from error
    typed = tuple(o for o in overrides if re.match(r"\+*init(=|\.(?!bias_std))", o))
    if any("init." in override for override in typed):
        found = sorted([candidate(typed, parts.init, task), *found], key=rank)
    console.print(
        f"{task.activation_name}, {task.depth} layers of {task.width} units, {task.inputs.count} "
        f"inputs of {task.inputs.features} values; by theory\n"
    )
    show_ranking([_ranked(one) for one in found], console)
    for name, why in refused.items():
        console.print(f"\nnot ranked: init={name}, {why}")
    if found[0].is_healthy:
        others = [o for o in overrides if o not in typed]
        line = " ".join(map(quote, ["python", "run.py", *others, *found[0].settings]))
        console.print(f"\nrun the best with\n\n    {line}\n")
    else:
        console.print(f"\ntry {suggest(parts.init, task, has_scale='scale' in config.init).text}\n")


def _ranked(one: Candidate) -> RankedInit:
    prediction, point = one.prediction, one.prediction.point
    return RankedInit(
        settings=one.typed.removeprefix("init="),
        sigma_w2=prediction.sigma_w2,
        std=one.forecast.std,
        low=float(prediction.at(STD, -PERCENTILE)[-1]),
        high=float(prediction.at(STD, PERCENTILE)[-1]),
        gradient=one.forecast.gradient,
        cosine=one.forecast.cosine,
        phase=point.phase if point else "-",
        verdict=one.forecast.said,
    )
