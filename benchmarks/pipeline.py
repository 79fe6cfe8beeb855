"""What measuring costs: a run's time inside the pipeline against the passes that it times.

    python benchmarks/pipeline.py

Everything but tracking counts as the pipeline: settings, data, the drawing of weights, warm-up,
the timed passes, every statistic, the verdict. Both come from the same run, so their ratio
means something on a noisy machine. Prints a Markdown table for benchmarks/README.md.
"""

import statistics
import time

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fanin import config
from fanin.pipeline import make_network, prepare
from fanin.signal.profile import measure
from fanin.signal.timing import time_passes
from fanin.signal.verdict import verdict

ROUNDS = 21
CASES = {
    "200 x 100, depth 50": ["depth=50"],
    "200 x 100, depth 50, tanh": ["depth=50", "activation=tanh"],
    "200 x 100, depth 50, 32 replicas": ["depth=50", "replicas=32"],
    "200 x 512, depth 50": ["depth=50", "hidden_size=512"],
}


def ratio(settings, choices) -> float:
    start = time.perf_counter()
    config.check(settings)
    network, _ = make_network(settings, prepare(settings, choices))
    warmup, repeats = settings.timing.warmup, settings.timing.repeats
    times = time_passes(network, warmup=warmup, repeats=repeats)
    verdict(measure(network, times))
    pipeline = 1e3 * (time.perf_counter() - start)
    return pipeline / (repeats * (times.forward_total + times.backward_total))


def main() -> None:
    config.register()
    print("| case | pipeline over its timed passes, median | least | most |")
    print("|---|---|---|---|")
    for name, overrides in CASES.items():
        with initialize_config_dir(str(config.PROJECT / "conf"), version_base="1.3"):
            settings = compose("config", overrides, return_hydra_config=True)
        choices = settings.hydra.runtime.choices
        settings = OmegaConf.masked_copy(settings, [k for k in settings if k != "hydra"])
        ratio(settings, choices)
        ratios = [ratio(settings, choices) for _ in range(ROUNDS if "512" not in name else 5)]
        median = statistics.median(ratios)
        print(f"| {name} | {median:.2f} | {min(ratios):.2f} | {max(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
