"""The ladder figure."""

from results import make_result

from fanin.report.comparison import compare
from fanin.report.ladder_figure import draw_ladder


def test_a_file_where_every_job_has_timed_its_product(tmp_path):
    results = [make_result([1], matmul=rung) for rung in ("python", "builtin")]
    results[0].profile.numbers["summary/product_ms"] = 900.0
    comparison = compare(results, ["matmul"], "")
    assert draw_ladder(comparison, tmp_path) == [*tmp_path.iterdir()] == []
    results[1].profile.numbers["summary/product_ms"] = 0.1
    assert draw_ladder(comparison, tmp_path) == ["ladder.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["ladder.png"]
