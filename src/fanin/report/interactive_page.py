"""The interactive page of a comparison, on which you can hover over lines, hide them and zoom.

It is one file that loads nothing and only needs scripts, since MLflow's viewer allows nothing else.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from fanin.measure.statistics import GRADIENT, STD
from fanin.measure.verdict import short
from fanin.report.axis import Axis
from fanin.report.comparison import Comparison
from fanin.report.line import Curve, Line
from fanin.report.palette import style_labels, verdict_colour
from fanin.report.plotly_figure import LABELS, PAIRS, build_figure

PAGE = "comparison.html"


def write_page(comparison: Comparison, folder: Path) -> list[str]:
    """Write comparison.html and return its name. It has 5 MB, since it contains plotly.js."""
    measured = {name for result in comparison.results for name in result.profile.curves}
    pairs = [pair for pair in PAIRS if measured.issuperset(pair)]
    figures = json.dumps([build_figure(comparison, pair) for pair in pairs], separators=(",", ":"))
    options = [
        f'<option value="{n}">{LABELS[above]} | {LABELS[below]}</option>'
        for n, (above, below) in enumerate(pairs)
    ]
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=escape(comparison.title),
        caption=escape(_make_sentence(comparison.caption)),
        switch=_explain_legend(comparison.colour_axis),
        options="".join(options),
        headings="".join(_headings(comparison)),
        rows="\n".join(_rows(comparison)),
        plotly=get_plotlyjs(),
        figures=figures.replace("<", r"\u003c"),  # else a param could end the script
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return [PAGE]


def _make_sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _explain_legend(colour_axis: Axis | None) -> str:
    if colour_axis is None or colour_axis.has_colour_scale:
        return ""
    return "Click a name in the legend to hide its lines, double-click it to see them alone."


def _headings(comparison: Comparison) -> Iterator[str]:
    headings = [("setting", escape(name)) for name in comparison.lines[0].settings]
    ends = [f"{what}<br>{end}" for what in ("std", "gradient") for end in ("first", "last")]
    headings += [("number", name) for name in ("runs", *ends)]
    for kind, name in (*headings, ("verdict", "verdict")):
        yield f'<th scope="col" class="{kind}"><button type="button">{name}</button></th>'


def _rows(comparison: Comparison) -> Iterator[str]:
    """Two rows for each line, kept together: one of cells, and one of its explanation."""
    styles = style_labels(comparison.colour_axis)
    colour_name = comparison.colour_axis.name if comparison.colour_axis else None
    for line in comparison.lines:
        cells = []
        for name, label in line.settings.items():
            swatch = _swatch(styles[label].colour) if name == colour_name else ""
            cells.append(f'<td class="setting">{swatch}{escape(label)}</td>')
        numbers = [*_format_ends(line.curve(STD)), *_format_ends(line.curve(GRADIENT))]
        cells += [f'<td class="number">{n}</td>' for n in (len(line.results), *numbers)]
        cells.append(f'<td class="verdict">{_verdicts(line)}</td>')
        explanation = f'<tr><td colspan="{len(cells)}">{_explain(line)}</td></tr>'
        yield f"<tbody><tr>{''.join(cells)}</tr>{explanation}</tbody>"


def _format_ends(curve: Curve | None) -> list[str]:
    """The cells with the first and the last finite value."""
    ends = curve.ends if curve else (math.nan, math.nan)
    return ["-" if math.isnan(end) else short(end) for end in ends]


def _verdicts(line: Line) -> str:
    """The verdict; for several results, each verdict with its count."""
    counts = Counter(result.verdict for result in line.results).most_common()
    has_counts = len(line.results) > 1
    return "<br>".join(
        f"{_swatch(verdict_colour(verdict))}{f'{count} ' if has_counts else ''}{escape(verdict)}"
        for verdict, count in counts
    )


def _swatch(colour: str) -> str:
    return f'<span class="swatch" style="background:{colour}"></span>'


def _explain(line: Line) -> str:
    advice = [f"<b>try</b> {escape(line.advice)}"] if line.advice else []
    return "<br>".join([escape(line.explanation), *advice])
