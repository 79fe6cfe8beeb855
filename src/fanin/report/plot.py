"""The figure of the page, in plotly's own words: plain dicts, which cost nothing to make.

Small multiples: a column of panels for each value of the comparison's panel axes, above a quantity
of the pass forward, below one of the pass backward, against the layer.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from fanin.measure.profile import Array
from fanin.measure.statistics import STATISTICS
from fanin.report.comparison import CORRELATION, Axis, Comparison, Line
from fanin.report.palette import LINES, Style, styles

LABELS = {name: statistic.label for name, statistic in STATISTICS.items()}
PAIRS = sorted(
    ((name, s.opposite) for name, s in STATISTICS.items() if s.opposite is not None),
    key=lambda pair: (not pair[1].startswith("gradient/"), [*STATISTICS].index(pair[1])),
)
"""The curves drawn together, above and below; those above a gradient first."""
_SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond"}
"""Plotly's words for matplotlib's markers."""
_LOOK = {
    "gridcolor": "#e8e8e8",
    "showline": True,
    "linecolor": "#888",
    "ticks": "outside",
    "tickcolor": "#888",
    "zeroline": False,
}
_COLUMNS = 4
_ROW, _BETWEEN, _BELOW, _TITLE = 230, 14, 54, 18
"""Pixels: a panel's height, between two, below the lower one, and a line of a title."""
_GAP = 0.02
"""Between panels, of the width of all."""
_ASIDE = 0.01
"""Free before the first layer and after the last, of all layers."""
_FEW = 10
"""Layers that are each given their number."""
_LONGEST = 24
"""Letters of a value in the legend."""
_WIDEST = 56
"""Those of the values in the titles, side by side."""

Figure = dict[str, Any]


def figure(comparison: Comparison, pair: tuple[str, str]) -> Figure:
    """Traces and layout. A trace's kind, which plotly does not know, is for the page."""
    looks = styles(comparison.colour)
    traces = _legend(comparison.colour, looks)
    for panel, lines in enumerate(comparison.panels.values()):
        for row, name in enumerate(pair):
            number = 2 * panel + row
            axes = {"xaxis": _axis("x", number), "yaxis": _axis("y", number)}
            for line in lines:
                value = line.settings[comparison.colour.name] if comparison.colour else ""
                style = looks.get(value, Style(LINES[0]))
                shared = {**axes, "legendgroup": value, "showlegend": False}
                traces += [{**shared, **trace} for trace in _traces(line, name, style)]
    return {"data": traces, "layout": _layout(comparison, pair)}


def _legend(colour: Axis | None, looks: Mapping[str, Style]) -> list[Figure]:
    """An entry a value, which stands for all its lines; of many numbers, a bar of colours."""
    if colour is None:
        return []
    nothing = {"x": [None], "y": [None], "hoverinfo": "skip"}
    if colour.is_scale:
        marker = _bar(colour, looks)
        return [{**nothing, "mode": "markers", "marker": marker, "showlegend": False}]
    return [
        {
            **nothing,
            **_look(style),
            "name": _shown(value, _LONGEST),
            "legendgroup": value,
            "showlegend": True,
        }
        for value, style in looks.items()
    ]


def _bar(colour: Axis, looks: Mapping[str, Style]) -> Figure:
    last = len(colour.values) - 1
    ticks = sorted({round(last * n / 5) for n in range(6)})
    bar = {
        "title": {"text": _text(colour.name) + "<br>&nbsp;"},
        "tickvals": ticks,
        "ticktext": [_shown(colour.values[n], _LONGEST) for n in ticks],
        "thickness": 16,
        "lenmode": "pixels",
        "len": 2 * _ROW,
        "y": 1,
        "yanchor": "top",
        "outlinewidth": 0,
    }
    scale = [[n / last, style.colour] for n, style in enumerate(looks.values())]
    return {"color": [0], "cmin": 0, "cmax": last, "colorscale": scale, "colorbar": bar}


def _traces(line: Line, name: str, style: Style) -> Iterator[Figure]:
    """What a line shows of a quantity, from the back to the front."""
    curve, theory = line.curve(name), line.curve(f"{name}_theory")
    if curve is None:
        return
    still = {"mode": "lines", "hoverinfo": "skip"}
    if curve.low is not None and curve.high is not None:
        corners = _corners(curve.low, curve.high, above_0=_is_log(name))
        fill = {"fill": "toself", "fillcolor": style.colour + "30", "line": {"width": 0}}
        yield {**still, **corners, **fill, "kind": "band"}
    elif theory and theory.low is not None and theory.high is not None:
        corners = _corners(theory.low, theory.high, above_0=_is_log(name))
        fill = {"fill": "toself", "fillcolor": style.colour + "18", "line": {"width": 0}}
        yield {**still, **corners, **fill, "kind": "theory"}
    expected = _plain(theory.middle) if theory else []
    if expected:
        dashes = {"color": style.colour, "width": 1.2, "dash": "4px,3px"}
        yield {**still, "x0": 1, "y": expected, "line": dashes, "kind": "theory"}
    beside = "<br>theory: %{customdata}" if expected else ""
    yield {
        **_look(style, is_dot=line.depth == 1),
        "kind": "line",
        "x0": 1,
        "y": _plain(curve.middle),
        "hovertemplate": "%{meta[0]}<br>layer %{x}: %{y:.4~g}" + beside + "<extra></extra>",
        "meta": [public_values(line)],
        "customdata": ["-" if value is None else value for value in expected],
        "hoverlabel": {"bordercolor": style.colour},
    }
    end = _end(name, curve.middle)
    if end is not None:
        cross = {"symbol": "x", "size": 9, "color": style.colour}
        at = {"x": [end + 1], "y": _plain(curve.middle[[end]])}
        yield {**still, **at, "mode": "markers", "marker": cross, "kind": "end"}


def _look(style: Style, *, is_dot: bool = False) -> Figure:
    marker = {"color": style.colour, "size": 7, "maxdisplayed": 8}
    if style.marker:
        marker["symbol"] = _SYMBOLS[style.marker]
    mode = "lines+markers" if style.marker or is_dot else "lines"
    return {"mode": mode, "line": {"color": style.colour, "width": 2}, "marker": marker}


def _corners(low: Array, high: Array, *, above_0: bool) -> Figure:
    """Of a band, a polygon for each stretch of layers that has both edges."""
    there = np.isfinite(low) & np.isfinite(high) & ((low > 0) | (not above_0))
    x: list[int | None] = []
    y: list[float | None] = []
    for stretch in np.split(np.arange(len(low)), np.nonzero(~there)[0]):
        layers = stretch[there[stretch]]
        x += [*(layers + 1).tolist(), *(layers[::-1] + 1).tolist(), None]
        y += [*_plain(low[layers]), *_plain(high[layers[::-1]]), None]
    return {"x": x, "y": y}


def _end(name: str, values: Array) -> int | None:
    """Where a pass has its last finite value, of one that leaves the finite numbers."""
    (finite,) = np.nonzero(np.isfinite(values))
    if name == CORRELATION or len(finite) in (0, len(values)):
        return None
    return int(finite[0] if name.startswith("gradient/") else finite[-1])


def public_values(line: Line) -> str:
    """Which jobs a line stands for, and what became of them."""
    counts = Counter(outcome.verdict for outcome in line.outcomes).most_common()
    if len(line.outcomes) == 1:
        rest = [line.outcomes[0].name, line.verdict]
    else:
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts)
        rest = [f"{len(line.outcomes)} runs: {verdicts}"]
    first = [f"<b>{_text(line.label)}</b>"] if line.label else []
    return "<br>".join([*first, *(_text(one) for one in rest if one)])


def _layout(comparison: Comparison, pair: tuple[str, str]) -> Figure:
    """Panels side by side, in as many rows of pairs as it takes; all have the same axes."""
    panels = comparison.panels
    lines = math.ceil(len(panels) / _COLUMNS)
    columns = math.ceil(len(panels) / lines)
    titles = [_title(comparison.panel, line.settings, columns) for line, *_ in panels.values()]
    top = _TITLE * max(title.count("<br>") + bool(title) for title in titles)
    block = top + 2 * _ROW + _BETWEEN + _BELOW
    height = lines * block
    width = (1 - _GAP * (columns - 1)) / columns
    layout: Figure = {
        "height": height,
        "margin": {"t": 0, "b": 0, "l": 10, "r": 10},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#1a1a1a"},
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#fff", "font": {"color": "#1a1a1a"}},
        "annotations": [],
    }
    if comparison.colour:
        layout["legend"] = {"title": {"text": _text(comparison.colour.name)}, "y": 1}
    for panel, title in enumerate(titles):
        line, column = divmod(panel, columns)
        left = column * (width + _GAP)
        upper = line * block + top
        place = {"x": left, "y": 1 - upper / height, "xanchor": "left", "yanchor": "bottom"}
        words = {"text": title, "align": "left", "showarrow": False}
        layout["annotations"].append({**place, **words, "xref": "paper", "yref": "paper"})
        for row, name in enumerate(pair):
            number = 2 * panel + row
            x, y = _axis("x", number), _axis("y", number)
            across = {"domain": [left, left + width], "anchor": y}
            down = {"domain": [1 - (upper + _ROW) / height, 1 - upper / height], "anchor": x}
            layout[x.replace("x", "xaxis")] = across | _layers(comparison, number)
            layout[y.replace("y", "yaxis")] = down | _values(name, number, is_first=column == 0)
            upper += _ROW + _BETWEEN
    return layout


def _layers(comparison: Comparison, number: int) -> Figure:
    depth = max(line.depth for line in comparison.lines)
    axis = {**_LOOK, "range": [1 - _ASIDE * depth, depth + _ASIDE * depth], "uirevision": "kept"}
    if depth <= _FEW:
        axis["dtick"] = 1
    if number > 0:
        axis["matches"] = "x"
    if number % 2:  # the lower ones
        return axis | {"title": {"text": "layer", "standoff": 4}}
    return axis | {"showticklabels": False}


def _values(name: str, number: int, *, is_first: bool) -> Figure:
    """One axis for all upper panels, and one for all lower ones."""
    axis = {**_LOOK, "autorange": True, "exponentformat": "power", "nticks": 5}
    axis["type"] = "log" if _is_log(name) else "linear"
    if number > 1:
        axis["matches"] = _axis("y", number % 2)
    if is_first:
        return axis | {"title": {"text": LABELS[name], "standoff": 14}, "automargin": True}
    return axis | {"showticklabels": False}


def _title(panel: Sequence[Axis], settings: Mapping[str, str], columns: int) -> str:
    """What a panel's lines share; a line a setting where panels are narrow."""
    shared = (
        f"{_text(axis.name)}={_shown(settings[axis.name], _WIDEST // columns)}" for axis in panel
    )
    return (", " if columns == 1 else "<br>").join(shared)


def _axis(letter: str, number: int) -> str:
    return f"{letter}{number + 1 if number else ''}"


def _is_log(name: str) -> bool:
    return STATISTICS[name].scale == "log"


def _plain(values: Array) -> list[float | None]:
    """Four digits of each, and a gap where it is not finite."""
    return [float(f"{v:.4g}") if math.isfinite(v) else None for v in values.tolist()]


def _shown(value: str, most: int) -> str:
    """One that is longer loses its beginning: of a path, the end tells more."""
    return _text(value if len(value) <= most else f"\N{HORIZONTAL ELLIPSIS}{value[1 - most :]}")


def _text(text: str) -> str:
    """As it is: plotly takes tags and entities in a text for its own."""
    return escape(text, quote=False)
