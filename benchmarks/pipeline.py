"""What measuring costs: a run's time inside the pipeline against the passes that it times.

    python benchmarks/pipeline.py

Everything but tracking counts as the pipeline: settings, data, the drawing of weights, warm-up,
the timed passes, every statistic, the verdict. Both come from the same run, so their ratio
means something on a noisy machine. Prints a Markdown table for benchmarks/README.md.

Theory is timed beside it, worked out anew each time, as a share of the pipeline and what a tracked
job takes on top (Hydra and the store: fanin.runner.cost.JOB_SECONDS). In a sweep over seeds it is
worked out once.
"""

import statistics
import time

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fanin.config.schema import schema as config
from fanin.measure.profile import measure
from fanin.measure.timing import time_passes
from fanin.measure.verdict import verdict
from fanin.runner.cost import JOB_SECONDS
from fanin.runner.run import make_network, prepare
from fanin.theory.input_stats import describe
from fanin.theory.mean_field import predict

ROUNDS = 21
CASES = {
    "200 x 100, depth 50": ["depth=50"],
    "200 x 100, depth 50, tanh": ["depth=50", "activation=tanh"],
    "200 x 100, depth 50, 32 replicas": ["depth=50", "replicas=32"],
    "200 x 512, depth 50": ["depth=50", "hidden_size=512"],
}


def ratios(settings, choices) -> tuple[float, float]:
    """The pipeline over the passes, and theory's share of a tracked job."""
    start = time.perf_counter()
    config.check(settings)
    parts = prepare(settings, choices)
    network, _ = make_network(settings, parts)
    warmup, repeats = settings.timing.warmup, settings.timing.repeats
    times = time_passes(network, warmup=warmup, repeats=repeats)
    verdict(measure(network, times))
    pipeline = time.perf_counter() - start
    start = time.perf_counter()
    predict.__wrapped__(  # without its memory
        parts.init,
        parts.activation,
        describe(parts.inputs),
        depth=settings.depth,
        width=settings.hidden_size,
    )
    theory = time.perf_counter() - start
    passes = repeats * (times.forward_total + times.backward_total) / 1e3
    return pipeline / passes, theory / (pipeline + JOB_SECONDS + theory)


def main() -> None:
    config.register()
    print("| case | pipeline over its timed passes, median | least | most | theory, of a job |")
    print("|---|---|---|---|---|")
    for name, overrides in CASES.items():
        with initialize_config_dir(str(config.PROJECT / "conf"), version_base="1.3"):
            settings = compose("config", overrides, return_hydra_config=True)
        choices = settings.hydra.runtime.choices
        settings = OmegaConf.masked_copy(settings, [k for k in settings if k != "hydra"])
        ratios(settings, choices)
        found = [ratios(settings, choices) for _ in range(ROUNDS if "512" not in name else 5)]
        pipeline, theory = zip(*found, strict=True)
        figures = statistics.median(pipeline), min(pipeline), max(pipeline)
        cells = [f"{figure:.2f}" for figure in figures] + [f"{statistics.median(theory):.1%}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
