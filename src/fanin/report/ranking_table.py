"""The ranking of inits on the screen, which `python -m fanin advise` prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from fanin.report.terminal import format_number, make_table, style_verdict


@dataclass(frozen=True)
class RankedInit:
    """An init and what theory predicts for it at the last layer.

    settings: such as "kaiming init.scale=1.5". low, high: the middle two thirds of seeds have a
    std between them. gradient: the first layer's norm over the last's. verdict: with a question
    mark if some seeds may have another.
    """

    settings: str
    sigma_w2: float
    std: float
    low: float
    high: float
    gradient: float
    cosine: float
    phase: str
    verdict: str


def print_ranking(inits: Sequence[RankedInit], console: Console) -> None:
    """Print a row for each init, in the order given."""
    table = make_table()
    table.add_column("\ninit", no_wrap=True)
    headings = ("\nsigma_w^2", "std\nlast", "\nlow", "\nhigh", "gradient\nfirst / last", "\ncosine")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("\nphase", "\nverdict"):
        table.add_column(heading, no_wrap=True)
    for init in inits:
        values = (init.sigma_w2, init.std, init.low, init.high, init.gradient, init.cosine)
        table.add_row(
            init.settings,
            *(format_number(value) or "-" for value in values),
            init.phase,
            style_verdict(init.verdict),
        )
    console.print(table)
