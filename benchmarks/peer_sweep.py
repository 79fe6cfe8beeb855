"""The peer of `one_sweep`: the same measurements, as one would write them with what is at hand.

Hydra's template, a torch.nn network, hooks, and MLflow's own functions; a run a job.

    python benchmarks/peer_sweep.py -m init=xavier,kaiming depth=10,50 'seed=range(0,5)'
    python benchmarks/peer_sweep.py -m ... log=batch
"""

import math
import statistics
import time
from dataclasses import dataclass

import hydra
import mlflow
import torch
from hydra.core.config_store import ConfigStore
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from torch import Tensor, nn

GAINS = {"xavier": 1.0, "kaiming": math.sqrt(2)}
Values = list[tuple[str, float, int]]
"""(metric, value, layer)."""


@dataclass
class Settings:
    init: str = "kaiming"
    depth: int = 10
    hidden_size: int = 100
    batch_size: int = 200
    features: int = 100
    seed: int = 0
    warmup: int = 2
    repeats: int = 5
    log: str = "value"  # or batch
    experiment: str = "peer"


ConfigStore.instance().store(name="settings", node=Settings)


def network(settings: Settings) -> nn.Sequential:
    layers: list[nn.Module] = []
    fan_in = settings.features
    for _ in range(settings.depth):
        layers += [nn.Linear(fan_in, settings.hidden_size), nn.ReLU()]
        fan_in = settings.hidden_size
    layers.append(nn.Linear(fan_in, 1))
    with torch.no_grad():
        for layer in layers[::2]:
            nn.init.normal_(layer.weight, std=GAINS[settings.init] / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def timed_passes(model: nn.Sequential, x: Tensor, y: Tensor, settings: Settings) -> Values:
    """Milliseconds of each layer, forward and backward: medians over the repeats."""
    forward: list[list[float]] = []
    backward: list[list[float]] = []
    ticks: list[float] = []
    hooks = [m.register_forward_hook(lambda *_: ticks.append(time.perf_counter())) for m in model]
    hooks += [
        m.register_full_backward_hook(lambda *_: ticks.append(time.perf_counter())) for m in model
    ]
    for _ in range(settings.warmup + settings.repeats):
        model.zero_grad()
        ticks[:] = [time.perf_counter()]
        loss = nn.functional.mse_loss(model(x), y)
        forward.append(ticks[:])
        ticks[:] = [time.perf_counter()]
        loss.backward()
        backward.append(ticks[:])
    for hook in hooks:
        hook.remove()
    values: Values = []
    for layer in range(settings.depth):
        there = [t[2 * layer + 2] - t[2 * layer] for t in forward[settings.warmup :]]
        from_end = 2 * (settings.depth - layer) + 1
        back = [t[from_end] - t[from_end - 2] for t in backward[settings.warmup :]]
        values.append(("time/forward_ms", 1e3 * statistics.median(there), layer + 1))
        values.append(("time/backward_ms", 1e3 * statistics.median(back), layer + 1))
    return values


def measured(model: nn.Sequential, x: Tensor, y: Tensor) -> Values:
    """What a pass tells of each layer, by hooks."""
    values: Values = []
    outputs: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    hooks = [module.register_forward_hook(keep) for module in model]
    model.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for layer, (linear, z, a) in enumerate(
            zip(model[:-1:2], outputs[:-1:2], outputs[1::2], strict=True), start=1
        ):
            unit = nn.functional.normalize(a, dim=1)
            count = len(a)
            correlation = ((unit @ unit.T).sum() - count) / (count * (count - 1))
            found = {
                "preactivation/mean": z.mean(),
                "preactivation/std": z.std(),
                "activation/mean": a.mean(),
                "activation/std": a.std(),
                "activation/dead_fraction": (a == 0).all(dim=0).float().mean(),
                "activation/correlation": correlation,
                "gradient/preactivation_norm": z.grad.norm(),
                "gradient/weight_norm": linear.weight.grad.norm(),
                "gradient/bias_norm": linear.bias.grad.norm(),
            }
            values += [(name, value.item(), layer) for name, value in found.items()]
    return [*values, ("summary/loss", loss.item(), 0)]


@hydra.main(version_base="1.3", config_path=None, config_name="settings")
def main(settings: Settings) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(settings.batch_size, settings.features), torch.randn(settings.batch_size, 1)
    torch.manual_seed(settings.seed)
    model = network(settings)
    mlflow.set_experiment(settings.experiment)
    with mlflow.start_run() as run:
        values = timed_passes(model, x, y, settings) + measured(model, x, y)
        finite = [(name, value, layer) for name, value, layer in values if math.isfinite(value)]
        if settings.log == "value":
            mlflow.log_params(dict(settings))
            for name, value, layer in finite:
                mlflow.log_metric(name, value, step=layer)
        else:
            now = time.time_ns() // 1_000_000
            MlflowClient().log_batch(
                run.info.run_id,
                metrics=[Metric(name, value, now, layer) for name, value, layer in finite],
                params=[Param(name, str(value)) for name, value in dict(settings).items()],
            )


if __name__ == "__main__":
    main()
