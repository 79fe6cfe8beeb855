"""The page of a comparison: one file in which lines are hovered, switched off and zoomed.

It needs no network, and where it is shown no more than scripts: MLflow's viewer allows no more.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from fanin.measure.result import RunResult
from fanin.measure.verdict import short
from fanin.report.comparison import GRADIENT, STD, Axis, Comparison, Curve, Line
from fanin.report.palette import VERDICTS, styles
from fanin.report.plotly_figure import LABELS, PAIRS, figure

PAGE = "comparison.html"


def write_page(comparison: Comparison, folder: Path) -> list[str]:
    """Write comparison.html into the folder, and give its name. 5 MB, since plotly is in it."""
    measured = {name for outcome in comparison.outcomes for name in outcome.profile.curves}
    pairs = [pair for pair in PAIRS if measured.issuperset(pair)]
    figures = json.dumps([figure(comparison, pair) for pair in pairs], separators=(",", ":"))
    options = [
        f'<option value="{n}">{LABELS[above]} | {LABELS[below]}</option>'
        for n, (above, below) in enumerate(pairs)
    ]
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=escape(comparison.title),
        explanation=_sentence(comparison.explanation),
        switch=_how_to_switch(comparison.colour),
        options="".join(options),
        headings="".join(_headings(comparison)),
        rows="\n".join(_rows(comparison)),
        plotly=get_plotlyjs(),
        figures=figures.replace("<", r"\u003c"),  # or a param could end the script
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return [PAGE]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _how_to_switch(colour: Axis | None) -> str:
    if colour is None or colour.is_scale:
        return ""
    return "Click a name in the legend to hide its lines, double-click it to see them alone."


def _headings(comparison: Comparison) -> Iterator[str]:
    heads = [("setting", escape(name)) for name in comparison.lines[0].settings]
    ends = [f"{what}<br>{end}" for what in ("std", "gradient") for end in ("first", "last")]
    heads += [("number", name) for name in ("runs", *ends)]
    for kind, name in (*heads, ("verdict", "verdict")):
        yield f'<th scope="col" class="{kind}"><button type="button">{name}</button></th>'


def _rows(comparison: Comparison) -> Iterator[str]:
    """Two a line: what can be sorted, and what is to be read."""
    looks = styles(comparison.colour)
    for line in comparison.lines:
        cells = []
        for name, value in line.settings.items():
            is_colour = comparison.colour is not None and name == comparison.colour.name
            swatch = _swatch(looks[value].colour) if is_colour else ""
            cells.append(f'<td class="setting">{swatch}{escape(value)}</td>')
        measured = [*_ends(line.curve(STD)), *_ends(line.curve(GRADIENT))]
        cells += [f'<td class="number">{n}</td>' for n in (len(line.outcomes), *measured)]
        cells.append(f'<td class="verdict">{_verdicts(line)}</td>')
        why = f'<tr><td colspan="{len(cells)}">{_why(line.outcome)}</td></tr>'
        yield f"<tbody><tr>{''.join(cells)}</tr>{why}</tbody>"


def _ends(curve: Curve | None) -> list[str]:
    ends = curve.ends if curve else (math.nan, math.nan)
    return ["-" if math.isnan(end) else short(end) for end in ends]


def _verdicts(line: Line) -> str:
    """A verdict a line of the cell; of several jobs, how many have it."""
    counts = Counter(outcome.verdict for outcome in line.outcomes).most_common()
    many = len(line.outcomes) > 1
    return "<br>".join(
        f"{_swatch(VERDICTS[verdict])}{f'{count} ' if many else ''}{verdict}"
        for verdict, count in counts
    )


def _swatch(colour: str) -> str:
    return f'<span class="swatch" style="background:{colour}"></span>'


def _why(outcome: RunResult) -> str:
    advice = [f"<b>try</b> {escape(outcome.advice)}"] if outcome.advice else []
    return "<br>".join([escape(outcome.explanation), *advice])
