"""The figure of the interactive page, as plain dicts for plotly.js.

Each value of the comparison's panel axes has two panels, one above the other: a quantity of the
forward pass and one of the backward pass, against the layer.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from fanin.measure.profile import Array
from fanin.measure.statistics import STATISTICS
from fanin.report.axis import Axis
from fanin.report.comparison import Comparison
from fanin.report.figure_layout import keep_end
from fanin.report.line import CORRELATION, Line
from fanin.report.palette import LINE_COLOURS, Style, style_labels

LABELS = {name: statistic.label for name, statistic in STATISTICS.items()}
PAIRS = sorted(
    ((name, s.opposite) for name, s in STATISTICS.items() if s.opposite is not None),
    key=lambda pair: (not pair[1].startswith("gradient/"), [*STATISTICS].index(pair[1])),
)
"""The pairs of curves, (above, below); those above a gradient come first."""
_SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond"}
"""matplotlib's marker -> Plotly's name of it."""
_AXIS_STYLE = {
    "gridcolor": "#e8e8e8",
    "showline": True,
    "linecolor": "#888",
    "ticks": "outside",
    "tickcolor": "#888",
    "zeroline": False,
}
_MAX_COLUMNS = 4
_PANEL_HEIGHT, _PANEL_GAP, _LAYERS_HEIGHT, _TITLE_HEIGHT = 230, 14, 54, 18
"""Pixels."""
_COLUMN_GAP = 0.02
"""The gap between columns, as a share of the figure's width."""
_LAYER_MARGIN = 0.01
"""The margin before the first layer and after the last, as a share of the depth."""
_MAX_NUMBERED_LAYERS = 10
"""The largest depth at which every layer has its number on the axis."""
_MAX_LEGEND_LENGTH, _MAX_TITLES_LENGTH = 24, 56
"""The most characters of a value in the legend, and of the values in a row's titles."""

Json = dict[str, Any]


def build_figure(comparison: Comparison, pair: tuple[str, str]) -> Json:
    """Traces and layout of a pair of curves. The page, not plotly, reads a trace's `kind`."""
    colour_axis = comparison.colour_axis
    styles = style_labels(colour_axis)
    traces = _legend(colour_axis, styles)
    for panel, lines in enumerate(comparison.panels.values()):
        for row, name in enumerate(pair):
            number = 2 * panel + row
            axes = {"xaxis": _axis_name("x", number), "yaxis": _axis_name("y", number)}
            for line in lines:
                label = line.settings[colour_axis.name] if colour_axis else ""
                style = styles.get(label, Style(LINE_COLOURS[0]))
                shared = {**axes, "legendgroup": label, "showlegend": False}
                traces += [{**shared, **trace} for trace in _traces(line, name, style)]
    return {"data": traces, "layout": _layout(comparison, pair)}


def _legend(colour_axis: Axis | None, styles: Mapping[str, Style]) -> list[Json]:
    """An entry for each label, which switches all its lines; for a scale, a colour bar."""
    if colour_axis is None:
        return []
    nothing = {"x": [None], "y": [None], "hoverinfo": "skip"}
    if colour_axis.has_colour_scale:
        marker = _colour_bar(colour_axis, styles)
        return [{**nothing, "mode": "markers", "marker": marker, "showlegend": False}]
    return [
        {
            **nothing,
            **_draw_as(style),
            "name": _escape(keep_end(label, _MAX_LEGEND_LENGTH)),
            "legendgroup": label,
            "showlegend": True,
        }
        for label, style in styles.items()
    ]


def _colour_bar(colour_axis: Axis, styles: Mapping[str, Style]) -> Json:
    last = len(colour_axis.labels) - 1
    ticks = sorted({round(last * n / 5) for n in range(6)})
    labels = [keep_end(colour_axis.labels[n], _MAX_LEGEND_LENGTH) for n in ticks]
    bar = {
        "title": {"text": _escape(colour_axis.name) + "<br>&nbsp;"},
        "tickvals": ticks,
        "ticktext": [_escape(label) for label in labels],
        "thickness": 16,
        "lenmode": "pixels",
        "len": 2 * _PANEL_HEIGHT,
        "y": 1,
        "yanchor": "top",
        "outlinewidth": 0,
    }
    scale = [[n / last, style.colour] for n, style in enumerate(styles.values())]
    return {"color": [0], "cmin": 0, "cmax": last, "colorscale": scale, "colorbar": bar}


def _traces(line: Line, name: str, style: Style) -> Iterator[Json]:
    """The traces of a line's curve, from the back to the front."""
    curve, theory = line.curve(name), line.curve(f"{name}_theory")
    if curve is None:
        return
    passive = {"mode": "lines", "hoverinfo": "skip"}
    if curve.low is not None and curve.high is not None:
        outline = _band_outline(curve.low, curve.high, is_log=_is_log(name))
        fill = {"fill": "toself", "fillcolor": style.colour + "30", "line": {"width": 0}}
        yield {**passive, **outline, **fill, "kind": "band"}
    elif theory and theory.low is not None and theory.high is not None:
        outline = _band_outline(theory.low, theory.high, is_log=_is_log(name))
        fill = {"fill": "toself", "fillcolor": style.colour + "18", "line": {"width": 0}}
        yield {**passive, **outline, **fill, "kind": "theory"}
    expected = _to_json(theory.middle) if theory else []
    if expected:
        dashes = {"color": style.colour, "width": 1.2, "dash": "4px,3px"}
        yield {**passive, "x0": 1, "y": expected, "line": dashes, "kind": "theory"}
    theory_text = "<br>theory: %{customdata}" if expected else ""
    yield {
        **_draw_as(style, is_dot=line.depth == 1),
        "kind": "line",
        "x0": 1,
        "y": _to_json(curve.middle),
        "hovertemplate": "%{meta[0]}<br>layer %{x}: %{y:.4~g}" + theory_text + "<extra></extra>",
        "meta": [_hover_text(line)],
        "customdata": ["-" if value is None else value for value in expected],
        "hoverlabel": {"bordercolor": style.colour},
    }
    end = _last_finite_layer(name, curve.middle)
    if end is not None:
        cross = {"symbol": "x", "size": 9, "color": style.colour}
        point = {"x": [end], "y": _to_json(curve.middle[[end - 1]])}
        yield {**passive, **point, "mode": "markers", "marker": cross, "kind": "end"}


def _draw_as(style: Style, *, is_dot: bool = False) -> Json:
    marker = {"color": style.colour, "size": 7, "maxdisplayed": 8}
    if style.marker:
        marker["symbol"] = _SYMBOLS[style.marker]
    mode = "lines+markers" if style.marker or is_dot else "lines"
    return {"mode": mode, "line": {"color": style.colour, "width": 2}, "marker": marker}


def _band_outline(low: Array, high: Array, *, is_log: bool) -> Json:
    """A polygon for each stretch of layers in which both edges can be shown.

    low, high: (depth,). On a log axis an edge must be positive.
    """
    shown = np.isfinite(low) & np.isfinite(high) & ((low > 0) | (not is_log))
    x: list[int | None] = []
    y: list[float | None] = []
    for stretch in np.split(np.arange(len(low)), np.nonzero(~shown)[0]):
        layers = stretch[shown[stretch]]
        x += [*(layers + 1).tolist(), *(layers[::-1] + 1).tolist(), None]
        y += [*_to_json(low[layers]), *_to_json(high[layers[::-1]]), None]
    return {"x": x, "y": y}


def _last_finite_layer(name: str, values: Array) -> int | None:
    """The layer of the last finite value of a pass; None if all values are finite."""
    (finite,) = np.nonzero(np.isfinite(values))
    if name == CORRELATION or len(finite) in (0, len(values)):
        return None
    return int(finite[0] if name.startswith("gradient/") else finite[-1]) + 1


def _hover_text(line: Line) -> str:
    """The settings of a line, and its result's name and verdict, or the counts of verdicts."""
    if len(line.results) == 1:
        texts = [line.results[0].name, line.verdict]
    else:
        counts = Counter(result.verdict for result in line.results).most_common()
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts)
        texts = [f"{len(line.results)} runs: {verdicts}"]
    heading = [f"<b>{_escape(line.label)}</b>"] if line.label else []
    return "<br>".join([*heading, *(_escape(text) for text in texts if text)])


def _layout(comparison: Comparison, pair: tuple[str, str]) -> Json:
    """Pairs of panels side by side, in as many rows as needed, all with the same axes."""
    panels = comparison.panels
    rows = math.ceil(len(panels) / _MAX_COLUMNS)
    columns = math.ceil(len(panels) / rows)
    titles = [_title(comparison.panel_axes, line, columns) for line, *_ in panels.values()]
    title_height = _TITLE_HEIGHT * max(title.count("<br>") + bool(title) for title in titles)
    row_height = title_height + 2 * _PANEL_HEIGHT + _PANEL_GAP + _LAYERS_HEIGHT
    height = rows * row_height
    width = (1 - _COLUMN_GAP * (columns - 1)) / columns
    layout: Json = {
        "height": height,
        "margin": {"t": 0, "b": 0, "l": 10, "r": 10},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#1a1a1a"},
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#fff", "font": {"color": "#1a1a1a"}},
        "annotations": [],
    }
    if comparison.colour_axis:
        layout["legend"] = {"title": {"text": _escape(comparison.colour_axis.name)}, "y": 1}
    for panel, title in enumerate(titles):
        row, column = divmod(panel, columns)
        left = column * (width + _COLUMN_GAP)
        top = row * row_height + title_height
        corner = {"x": left, "y": 1 - top / height, "xanchor": "left", "yanchor": "bottom"}
        text = {"text": title, "align": "left", "showarrow": False}
        layout["annotations"].append({**corner, **text, "xref": "paper", "yref": "paper"})
        for n, name in enumerate(pair):
            number = 2 * panel + n
            x, y = _axis_name("x", number), _axis_name("y", number)
            across = {"domain": [left, left + width], "anchor": y}
            down = {"domain": [1 - (top + _PANEL_HEIGHT) / height, 1 - top / height], "anchor": x}
            layout[x.replace("x", "xaxis")] = across | _layer_axis(comparison, number)
            layout[y.replace("y", "yaxis")] = down | _value_axis(name, number, has_title=not column)
            top += _PANEL_HEIGHT + _PANEL_GAP
    return layout


def _layer_axis(comparison: Comparison, number: int) -> Json:
    """An axis of layers; only those of the lower panels, with odd numbers, have labels."""
    depth = max(line.depth for line in comparison.lines)
    limits = [1 - _LAYER_MARGIN * depth, depth + _LAYER_MARGIN * depth]
    axis = {**_AXIS_STYLE, "range": limits, "uirevision": "kept"}
    if depth <= _MAX_NUMBERED_LAYERS:
        axis["dtick"] = 1
    if number > 0:
        axis["matches"] = "x"
    if number % 2:
        return axis | {"title": {"text": "layer", "standoff": 4}}
    return axis | {"showticklabels": False}


def _value_axis(name: str, number: int, *, has_title: bool) -> Json:
    """An axis of values; all upper panels share one, and all lower panels another."""
    axis = {**_AXIS_STYLE, "autorange": True, "exponentformat": "power", "nticks": 5}
    axis["type"] = "log" if _is_log(name) else "linear"
    if number > 1:
        axis["matches"] = _axis_name("y", number % 2)
    if has_title:
        return axis | {"title": {"text": LABELS[name], "standoff": 14}, "automargin": True}
    return axis | {"showticklabels": False}


def _title(panel_axes: Sequence[Axis], line: Line, columns: int) -> str:
    """The settings that the line's panel shows; one per row if panels are narrow."""
    settings = [
        f"{_escape(axis.name)}="
        + _escape(keep_end(line.settings[axis.name], _MAX_TITLES_LENGTH // columns))
        for axis in panel_axes
    ]
    return (", " if columns == 1 else "<br>").join(settings)


def _axis_name(letter: str, number: int) -> str:
    """Plotly's name for an axis: x, x2, x3 and so on."""
    return f"{letter}{number + 1 if number else ''}"


def _is_log(name: str) -> bool:
    return STATISTICS[name].scale == "log"


def _to_json(values: Array) -> list[float | None]:
    """The values with four digits each; None for those that are not finite."""
    return [float(f"{v:.4g}") if math.isfinite(v) else None for v in values.tolist()]


def _escape(text: str) -> str:
    """Escape a text, in which Plotly would read tags and entities."""
    return escape(text, quote=False)
