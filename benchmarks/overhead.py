"""What measuring costs: the time of a run, but for tracking, over that of its timed passes.

    python -m benchmarks.overhead

A run's time counts settings, data, the drawing of weights, warm-up, the timed passes, every
statistic and the verdict. Both come from the same run, so their ratio
means something on a noisy machine. Prints a Markdown table for benchmarks/README.md.

Theory is timed beside it, worked out anew each time, as a share of a run and what a tracked
job takes on top (Hydra and the store: fanin.runner.cost.JOB_SECONDS). In a sweep over seeds it is
worked out once.
"""

import statistics
import time

from fanin.config.compose import compose_overrides
from fanin.config.settings import GroupChoices, Settings
from fanin.measure.profile import measure
from fanin.measure.timing import time_passes
from fanin.measure.verdict import verdict
from fanin.runner.compute import build_network
from fanin.runner.cost import JOB_SECONDS
from fanin.runner.ingredients import prepare
from fanin.theory.input_stats import describe
from fanin.theory.mean_field import predict

ROUNDS = 21
CASES = {
    "200 x 100, depth 50": ["depth=50"],
    "200 x 100, depth 50, tanh": ["depth=50", "activation=tanh"],
    "200 x 100, depth 50, 32 replicas": ["depth=50", "replicas=32"],
    "200 x 512, depth 50": ["depth=50", "hidden_size=512"],
}


def ratios(settings: Settings, choices: GroupChoices) -> tuple[float, float]:
    """The work around a run's passes over the passes, and theory's share of a tracked job."""
    start = time.perf_counter()
    ingredients = prepare(settings, choices)
    network, _ = build_network(settings, ingredients)
    warmup, repeats = settings.timing.warmup, settings.timing.repeats
    times = time_passes(network, warmup=warmup, repeats=repeats)
    verdict(measure(network, times))
    whole = time.perf_counter() - start
    start = time.perf_counter()
    predict.__wrapped__(  # without its memory
        ingredients.init,
        ingredients.activation,
        describe(ingredients.inputs),
        depth=settings.depth,
        width=settings.hidden_size,
    )
    theory = time.perf_counter() - start
    passes = repeats * (times.forward_total + times.backward_total) / 1e3
    return whole / passes, theory / (whole + JOB_SECONDS + theory)


def main() -> None:
    print("| case | a run over its timed passes, median | least | most | theory, of a job |")
    print("|---|---|---|---|---|")
    for name, overrides in CASES.items():
        values, choices = compose_overrides(overrides)
        settings = Settings.from_values(values)
        ratios(settings, choices)
        found = [ratios(settings, choices) for _ in range(ROUNDS if "512" not in name else 5)]
        whole, theory = zip(*found, strict=True)
        figures = statistics.median(whole), min(whole), max(whole)
        cells = [f"{figure:.2f}" for figure in figures] + [f"{statistics.median(theory):.1%}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
