"""The interactive page: its content, and how a browser without a network shows it."""

import json
import math
import re
from html import escape
from pathlib import Path

import numpy as np
import pytest
from browser import chromium, needs_chromium
from plotly.offline import get_plotlyjs

from fanin.measure.profile import Profile
from fanin.measure.result import RunResult
from fanin.report.comparison import compare
from fanin.report.interactive_page import write_page
from fanin.report.plotly_figure import build_figure

STD, GRADIENT = PAIR = ("activation/std", "gradient/preactivation_norm")
SHARES = ("activation/correlation", "activation/dead_fraction")
EVIL = "<img src=x onerror=\"document.title='run'\"></script><b>&%{x}"


def result(factor: float = 1, verdict: str = "healthy", **params: object) -> RunResult:
    """A std that grows by a factor a layer, and theory that has it a tenth higher."""
    layers = np.arange(1, int(params.setdefault("depth", 5)) + 1)
    std = np.array(float(factor)) ** layers
    curves = {STD: std, GRADIENT: std[::-1].copy(), f"{STD}_theory": 1.1 * std}
    curves |= dict.fromkeys(SHARES, 1 / (1 + layers))
    curves["activation/mean"] = std
    name = " ".join(map(str, params.values()))
    profile = Profile(len(layers), curves, {})
    return RunResult({"replicas": 1} | params, profile, verdict, "so it is", name=name)


def traces(results, settings, kind, pair=PAIR):
    data = build_figure(compare(results, settings, ""), pair)["data"]
    return [trace for trace in data if trace.get("kind") == kind]


def page_of(results, settings, folder: Path, title: str = "a sweep") -> str:
    (name,) = write_page(compare(results, settings, title), folder)
    return (folder / name).read_text()


def four() -> list[RunResult]:
    return [
        result(factor, verdict, init=init, depth=depth)
        for init, factor, verdict in (("xavier", 0.1, "vanishing"), ("kaiming", 1, "healthy"))
        for depth in (5, 9)
    ]


def test_nothing_in_it_is_to_be_loaded_from_elsewhere(tmp_path):
    page = page_of(four(), ["init", "depth"], tmp_path)
    ours = page.replace(get_plotlyjs(), "")
    assert len(ours) < 50_000 < len(page) < 6_000_000
    assert not re.findall(r"src=|href=|<link|@import|url\(|https?:", ours)


def test_texts_are_shown_as_they_are(tmp_path):
    page = page_of([result(init=EVIL), result(init="plain")], ["init"], tmp_path, EVIL)
    assert "<img" not in page.replace(get_plotlyjs(), "")
    assert page.count(escape(EVIL)) == 3  # as the title, the heading, and in the table
    embedded = re.search('id="figures">(.*)</script>', page)
    assert "<" not in embedded[1]
    legend, line = (json.loads(embedded[1])[0]["data"][n] for n in (0, 3))
    assert legend["name"].endswith("&lt;/script&gt;&lt;b&gt;&amp;%{x}")  # plotly's own tags
    assert "&lt;img" in line["meta"][0]


def test_an_unknown_verdict_is_shown_as_it_is(tmp_path):
    page = page_of([result(verdict=EVIL, init="plain")], ["init"], tmp_path)
    assert "<img" not in page.replace(get_plotlyjs(), "")
    assert page.count(escape(EVIL)) == 1  # in the table


def test_only_quantities_that_were_measured_can_be_chosen(tmp_path):
    page = page_of(four(), ["init", "depth"], tmp_path)
    assert re.findall("<option.*?>(.*?)</option>", page) == [
        "std of activations | norm of dL/dz",
        "mean cosine of inputs | share of dead units",
    ]


def test_the_table_has_a_line_a_line_and_counts_verdicts_of_several_jobs(tmp_path):
    seeds = [result(init="xavier", seed=n) for n in range(3)]
    seeds += [result(0.1, "vanishing", init="xavier", seed=3), result(10, init="kaiming")]
    page = page_of(seeds, ["init", "seed"], tmp_path)
    words = [re.sub("<.*?>", " ", body).split() for body in re.findall("<tbody>(.*)", page)]
    assert words[0][:6] == ["xavier", "4", "1", "1", "1", "1"]
    assert words[0][6:10] == ["3", "healthy", "1", "vanishing"]
    assert words[1][:7] == ["kaiming", "1", "10", "1e+5", "1e+5", "10", "healthy"]


@pytest.mark.parametrize(("row", "name", "end"), [(0, STD, 3), (1, GRADIENT, 4)])
def test_a_cross_where_a_pass_leaves_the_finite_numbers(row, name, end):
    broken = result(2, "nonfinite")
    finite = slice(3, None) if name == STD else slice(0, 3)
    broken.profile.curves[name][finite] = math.nan
    (line,) = [t for t in traces([broken], [], "line") if t["yaxis"] == ("y", "y2")[row]]
    (cross,) = traces([broken], [], "end")
    assert line["y"].count(None) == len(range(5)[finite])
    assert (cross["x"], cross["y"]) == ([end], [line["y"][end - 1]])


def test_a_band_has_both_edges_and_a_gap_where_one_is_missing():
    replicas = result(replicas=8)
    replicas.profile.curves[f"{STD}_low"] = np.array([0.1, 0.2, 0, 0.4, 0.5])  # 0: no logarithm
    replicas.profile.curves[f"{STD}_high"] = np.array([1, 2, 3, math.nan, 5])
    (band,) = traces([replicas], [], "band")
    parts = "".join("-" if x is None else str(x) for x in band["x"]).strip("-")
    assert re.split("-+", parts) == ["1221", "55"]
    assert band["y"][:4] == [0.1, 0.2, 2, 1]


def test_many_numbers_have_a_bar_of_colours_and_no_legend():
    few, many = (
        [result(s, **{"init.scale": s}) for s in range(1, count + 1)] for count in (10, 30)
    )
    legend, bar = (
        build_figure(compare(results, ["init.scale"], ""), PAIR)["data"] for results in (few, many)
    )
    assert sum(trace["showlegend"] for trace in legend) == 10
    assert sum(trace["showlegend"] for trace in bar) == 0
    assert bar[0]["marker"]["colorbar"]["ticktext"][0::5] == ["1", "30"]


def test_panels_of_a_row_share_their_axes():
    layout = build_figure(compare(four(), ["init", "depth"], ""), PAIR)["layout"]
    assert [note["text"] for note in layout["annotations"]] == ["depth=5", "depth=9"]
    assert {layout[f"xaxis{n}"]["matches"] for n in (2, 3, 4)} == {"x"}
    assert (layout["yaxis3"]["matches"], layout["yaxis4"]["matches"]) == ("y", "y2")
    assert layout["xaxis"]["range"][1] > 9
    shares = build_figure(compare(four(), ["init", "depth"], ""), SHARES)["layout"]
    assert (layout["yaxis"]["type"], shares["yaxis"]["type"]) == ("log", "linear")


def test_a_network_without_hidden_layers_has_a_page(tmp_path):
    page = page_of([result(init="xavier", depth=0)], ["init"], tmp_path)
    assert page.count('<td class="number">-</td>') == 4


@needs_chromium
def test_lines_are_hovered_switched_off_and_zoomed(tmp_path):
    page_of(four(), ["init", "depth"], tmp_path)
    with chromium(offline=True) as page:
        requests, messages = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.goto(f"file://{tmp_path}/comparison.html")

        def drawn() -> list[int]:
            """The lines of each panel, theory's with them."""
            panels = page.locator(".cartesianlayer .subplot").all()
            return [panel.locator(".scatterlayer .js-line").count() for panel in panels]

        def span(axis: str) -> list[float]:
            return page.evaluate(f"picture._fullLayout.{axis}.range")

        assert sorted(drawn()) == [2, 2, 4, 4]  # no theory of the gradient here
        page.uncheck("#theory")
        assert drawn() == [2, 2, 2, 2]

        middle = page.locator(".nsewdrag").nth(0).bounding_box()
        x, y = middle["x"], middle["y"]
        lowest = page.locator(".xy .scatterlayer .js-line").nth(0).bounding_box()
        page.mouse.move(lowest["x"] + lowest["width"] + 3, lowest["y"] + lowest["height"] - 3)
        hover = page.locator(".hoverlayer text").first
        hover.wait_for()
        for word in ("init=xavier depth=5", "vanishing", "layer 5: 0.00001", "theory: 0.000011"):
            assert word in hover.text_content()

        before = span("yaxis")
        page.locator(".legendtoggle").first.click()
        page.wait_for_function("document.querySelectorAll('.scatterlayer .js-line').length === 4")
        assert drawn() == [1, 1, 1, 1]
        assert span("yaxis") != before
        page.select_option("#quantities", "1")
        assert drawn() == [1, 1, 1, 1]
        assert page.locator(".ytitle").text_content() == "mean cosine of inputs"

        page.mouse.move(x + 100, y + 50)
        page.mouse.down()
        page.mouse.move(x + 300, y + 150, steps=3)
        page.mouse.up()
        page.wait_for_function("picture._fullLayout.xaxis4.range[0] > 1")
        assert span("xaxis") == span("xaxis4")
        assert span("yaxis") == span("yaxis3") != span("yaxis2")

        page.get_by_role("button", name="std last").click()
        first = page.locator("tbody").first.text_content()
        assert first.startswith("xavier9")
        assert requests == [f"file://{tmp_path}/comparison.html"]
        assert messages == []


@needs_chromium
def test_it_is_drawn_where_only_scripts_are_allowed(tmp_path):
    page_of([result(init=EVIL), result(init="plain")], ["init"], tmp_path, EVIL)
    frame = '<iframe sandbox="allow-scripts" src="comparison.html" width=900 height=900></iframe>'
    (tmp_path / "viewer.html").write_text(frame)
    with chromium(offline=True) as page:
        page.goto(f"file://{tmp_path}/viewer.html")
        inside = page.frame_locator("iframe")
        assert inside.locator(".scatterlayer .js-line").count() == 6
        assert inside.locator("h1").text_content() == EVIL
        assert page.frames[1].title() == EVIL
        assert inside.locator("body").evaluate("body => body.scrollWidth") <= 900
