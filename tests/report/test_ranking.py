"""Which results are best, and the sentence that names the best setting."""

import math

import numpy as np
import pytest
from results import make_result

from fanin.report.comparison import compare
from fanin.report.line import Line
from fanin.report.ranking import describe_best, sort_best_first


def job(factor=1.0, verdict="healthy", depth=3, **params):
    """A net whose std changes by this factor a layer, and whose gradient does not."""
    std = np.array(factor) ** np.arange(1, depth + 1)
    result = make_result(std, np.ones(depth), verdict=verdict, depth=depth, **params)
    result.profile.curves.update(
        {
            "activation/mean": std,
            "activation/correlation": np.zeros(depth),
            "activation/dead_fraction": np.zeros(depth),
        }
    )
    result.profile.numbers["summary/loss"] = 1.0
    return result


def sentence(results, *settings):
    return describe_best(compare(results, settings, ""))


def order(*results):
    lines = [Line({}, [result]) for result in results]
    return [lines.index(line) for line in sort_best_first(lines)]


def test_the_healthy_first_and_of_them_the_steady():
    lost = make_result([1, math.nan], verdict="nonfinite")
    lost.profile.curves["activation/mean"] = np.array([1, math.nan])
    lost.profile.curves["activation/correlation"] = np.zeros(2)
    results = [job(10, "exploding"), lost, job(3), job(0.1, "vanishing", depth=2), job()]
    assert order(*results) == [4, 2, 3, 0, 1]


def test_equals_keep_their_order():
    assert order(job(), job(1.001), job()) == [0, 1, 2]


def test_the_gradient_and_the_angles_count_as_the_size_does():
    loses_gradients, forgets = job(), job()
    loses_gradients.profile.curves["gradient/preactivation_norm"][0] = 1e-3
    forgets.profile.numbers["summary/input_correlation"] = 0.0
    forgets.profile.curves["activation/correlation"][-1] = 1 - 1e-2
    assert order(loses_gradients, forgets, job()) == [2, 1, 0]
    forgets.profile.curves["activation/correlation"][-1] = 1.0  # by all that float32 can tell
    assert order(forgets, loses_gradients, job()) == [2, 1, 0]


def test_the_choice_that_does_best_at_all_tasks():
    results = [
        job(0.1, "vanishing", init="xavier", depth=5),
        job(1, "healthy", init="kaiming", depth=5),
        job(0.1, "vanishing", init="xavier", depth=9),
        job(1, "collapsed", init="kaiming", depth=9),
    ]
    assert (
        sentence(results, "init", "depth")
        == "best: init=kaiming, healthy at depth=5, collapsed at depth=9"
    )


def test_where_none_is_healthy_the_closest_is_named():
    results = [job(9, "exploding", init="a"), job(5, "exploding", init="b")]
    assert sentence(results, "init") == "none is healthy; closest: init=b, exploding"


@pytest.mark.parametrize(
    ("depths", "verdict"), [((3,), "healthy"), ((3, 4, 5), "healthy in all 3")]
)
def test_a_choice_that_is_healthy_throughout(depths, verdict):
    results = [
        job(factor, init=init, depth=d) for init, factor in (("a", 2), ("b", 1)) for d in depths
    ]
    assert sentence(results, "init", "depth") == f"best: init=b, {verdict}"


def test_choices_are_judged_by_the_tasks_that_all_have():
    results = [
        job(1, "healthy", init="kaiming", depth=5),
        job(0.1, "vanishing", init="kaiming", depth=9),
        job(2, "healthy", init="xavier", depth=5),  # the deeper one failed
    ]
    assert (
        sentence(results, "init", "depth")
        == "best: init=kaiming, healthy at depth=5, vanishing at depth=9"
    )


def test_equals_are_counted_and_not_passed_over():
    results = [job(init=init) for init in "ab"] + [job(9, "exploding", init="c")]
    assert sentence(results, "init") == "best: init=a, tied with 1 other; healthy"


def test_where_all_are_lost_none_is_the_fastest():
    results = [job(9, "exploding", init=init) for init in "abc"]
    closest = "none is healthy; closest: init=a, tied with 2 others; exploding"
    assert sentence(results, "init") == closest


def test_many_tasks_are_counted():
    results = [
        job(init="b", depth=d, verdict="healthy" if d < 5 else "collapsed") for d in range(2, 9)
    ]
    results += [job(3, "exploding", init="a", depth=d) for d in range(2, 9)]
    assert (
        sentence(results, "init", "depth") == "best: init=b, healthy in 3 of 7, collapsed in 4 of 7"
    )


def test_of_several_seeds_the_median_decides_and_the_others_are_counted():
    seeds = [job(1, "healthy", init="a", seed=n) for n in range(3)]
    seeds += [job(0.01, "vanishing", init="a", seed=3), job(7, "exploding", init="b", seed=0)]
    assert sentence(seeds, "init", "seed") == "best: init=a, healthy, 3 of 4"


@pytest.mark.parametrize(
    ("number", "time"),
    [("summary/forward_ms", "2 ms forward and back"), ("summary/product_ms", "1 ms per product")],
)
def test_where_all_jobs_behave_alike_the_fastest_is_named(number, time):
    results = [job(engine="module"), job(engine="manual")]
    for result, milliseconds in zip(results, (3.0, 1.0), strict=True):
        result.profile.numbers["summary/backward_ms"] = 1.0
        result.profile.numbers[number] = milliseconds
    fastest = "all jobs behave alike; the fastest is engine=manual, with"
    assert sentence(results, "engine") == f"{fastest} {time}"


def test_without_a_choice_nothing_is_best():
    assert sentence([job(), job(depth=5)], "depth") == ""
    assert sentence([job()], "init") == ""
