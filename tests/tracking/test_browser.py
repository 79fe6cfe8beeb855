"""What a user sees of a sweep in MLflow's own UI: the main job, a real server, a real browser."""

import re

import mlflow
import pytest
from browser import chromium, needs_chromium
from playwright.sync_api import expect
from server import Server
from workplace import Workplace

from fanin.tracking.ui import LOCAL, Pages
from fanin.tracking.versions import has_tested_ui

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(
        not has_tested_ui(mlflow.__version__),
        reason="fanin links only to the plain pages of this MLflow",
    ),
]
PAGES = Pages("1", is_tested=True)
DEPTHS = {"xavier relu 10x100": 10, "xavier relu 50x100": 50}
DEPTHS |= {"kaiming relu 10x100": 10, "kaiming relu 50x100": 50}
LONG = 30_000  # milliseconds, for a page on a busy machine


@pytest.fixture(scope="module")
def main_job(tmp_path_factory):
    """The parent, its children, what was printed, and an empty page on a UI that has them."""
    workplace = Workplace(tmp_path_factory.mktemp("ui"))
    done = workplace.run("-m", "init=xavier,kaiming", "depth=10,50")
    (parent,) = workplace.parents()
    server = Server(workplace.folder, workplace.uri, name="ui")
    server.start()
    try:
        with chromium(width=1900) as page:
            page.set_default_timeout(LONG)
            expect.set_options(timeout=LONG)
            printed = done.stdout.replace(LOCAL, server.address)
            yield parent, workplace.children(), printed, page, server.address
    finally:
        server.stop()


@pytest.fixture
def look(main_job):
    """Open an address within the UI, as if it were typed."""
    *_, page, base = main_job

    def go(address: str):
        page.goto("about:blank")
        page.goto(address if address.startswith(base) else f"{base}/{address}")
        return page

    return go


def rows(page):
    """Of the runs table: the part with the numbers, and not those with the names."""
    return page.locator(".ag-center-cols-container [role=row]")


def drawn(page) -> dict[tuple[str, str], list[int]]:
    """The curves of the first chart, (run, how its line is drawn) -> the steps."""
    page.wait_for_selector(".js-plotly-plot .scatterlayer .trace")
    found = page.evaluate(
        "document.querySelector('.js-plotly-plot').data.map(t => [t.name, t.line.dash, [...t.x]])"
    )
    return {(name, dash): steps for name, dash, steps in found}


def layout(page) -> dict:
    return page.evaluate("document.querySelector('.js-plotly-plot').layout")


def test_a_sweep_folds_its_jobs(look):
    page = look("#/experiments/1?workflowType=machine_learning")
    expect(rows(page)).to_have_count(1)
    page.locator(".ag-pinned-left-cols-container [role=row] button").first.click()
    expect(rows(page)).to_have_count(5)


@pytest.mark.parametrize(
    ("what", "metric", "dashed"),
    [
        ("std of every layer", "activation/std", "activation/std_theory"),
        ("gradients", "gradient/preactivation_norm", "gradient/preactivation_norm_theory"),
        ("times", "time/forward_ms", "time/backward_ms"),
    ],
)
def test_the_printed_link_draws_all_jobs_over_the_layers(main_job, look, what, metric, dashed):
    _, _, printed, *_ = main_job
    (address,) = re.findall(rf"^    {what} +(http\S+)$", printed, re.MULTILINE)
    page = look(address)
    expect(page.get_by_text(f"{metric} vs {dashed}")).to_be_visible()
    expected = [*range(1, 51)]
    curves = drawn(page)
    assert {name for name, dash in curves if dash == "solid"} == {*DEPTHS}
    assert {name for name, dash in curves if dash == "dash"} == {*DEPTHS}
    for (name, _), steps in curves.items():
        assert steps == expected[: DEPTHS[name]]
    assert layout(page)["yaxis"]["type"] == "log"


def test_the_figures_show(main_job, look):
    parent, *_ = main_job
    page = look(PAGES.run(parent.info.run_id))
    page.get_by_text("Show more").click()
    page.wait_for_function(
        "[...document.images].some(i => i.src.includes('comparison.svg') && i.width > 500)"
    )
    page = look(PAGES.run(parent.info.run_id, "comparison.png"))
    page.wait_for_function("[...document.images].some(i => i.naturalWidth > 1000)")
    page = look(PAGES.run(parent.info.run_id, "comparison.html"))
    shown = page.frame_locator("iframe")
    expect(shown.locator(".scatterlayer .trace").first).to_be_attached()
    expect(shown.locator("tbody")).to_have_count(4)


def test_the_description_says_what_came_out_and_leads_to_the_curves(main_job, look):
    parent, *_ = main_job
    page = look(PAGES.run(parent.info.run_id))
    expect(page.get_by_text("Where will a signal survive: init xavier, kaiming")).to_be_visible()
    expect(page.get_by_text("2 healthy, 1 collapsed, 1 vanishing")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="std of every layer").click()
    assert {name for name, _ in drawn(opened.value)} == {*DEPTHS}
    opened.value.close()
    page.get_by_text("Show more").click()
    expect(page.get_by_text("python run.py -m init=xavier,kaiming depth=10,50")).to_be_visible()
    expect(page.locator("table", has_text="std a layer").locator("tbody tr")).to_have_count(4)


def test_the_table_of_a_sweep_has_the_verdicts_and_the_numbers(main_job, look):
    parent, children, *_ = main_job
    page = look(PAGES.runs_table(parent.info.run_id))
    expect(rows(page)).to_have_count(4)
    by_std = sorted(children, key=lambda run: run.data.metrics["activation/std"])
    for n, run in enumerate(by_std):
        for kind, name in (
            ("params", "init"),
            ("params", "depth"),
            ("tags", "verdict"),
            ("metrics", "activation/std"),
            ("metrics", "summary/gradient_growth"),
        ):
            shown = rows(page).nth(n).locator(f"[col-id='{kind}.`{name}`']").inner_text()
            if kind == "metrics":
                assert float(shown) == pytest.approx(run.data.metrics[name])
            else:
                assert shown == getattr(run.data, kind)[name]


def test_the_view_of_the_experiment_is_in_the_menu(look):
    page = look("#/experiments/1/runs?workflowType=machine_learning")
    page.get_by_role("button", name="Views").click()
    page.get_by_text("signals", exact=True).click()
    expect(page.locator("[col-id='metrics.`summary/std_growth`']").first).to_be_visible()


def test_a_run_says_what_it_asked_and_how_to_repeat_it(main_job, look):
    _, children, *_ = main_job
    run = next(r for r in children if r.data.tags["verdict"] == "vanishing")
    page = look(PAGES.run(run.info.run_id))
    expect(page.get_by_text("survive 50 layers of 100 units with relu under init")).to_be_visible()
    page.get_by_text("Show more").click()
    expect(page.get_by_text("python run.py init=xavier depth=50")).to_be_visible()
    page = look(PAGES.run(run.info.run_id, "profile.csv"))
    expect(page.get_by_text("Previewing the first 50 rows")).to_be_visible()


def test_all_charts_of_a_sweep_show_its_jobs(main_job, look):
    parent, *_ = main_job
    page = look(PAGES.charts(parent.info.run_id))
    assert {name for name, _ in drawn(page)} == {*DEPTHS}
