"""The default sweeper, `hydra/sweeper=fanin`. It connects config and runner."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fanin.config.settings import Tracking
from fanin.config.sweep_composer import SweepComposer
from fanin.report.progress import show_status
from hydra_plugins._fanin_jobs import job_error


class FaninSweeper(Sweeper):
    """params: the values that an experiment file sweeps, such as {"depth": "10,50"}."""

    def __init__(self, params: dict[str, Any] | None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from hydra.core.plugins import Plugins  # it imports this plugin, so not at the top

        self._composer = SweepComposer(config, hydra_context.config_loader)
        self.hydra_context: HydraContext = HydraContext(
            config_loader=self._composer.loader, callbacks=hydra_context.callbacks
        )
        self.config: DictConfig = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Compose and check every job; then save, plan or run the sweep."""
        with show_status("composing and checking the jobs ..."):
            spec = self._composer.read(arguments, self.params, _overrides_of_run)
            if not spec.sweep.plan and hasattr(self.launcher, "get_ready"):
                self.launcher.get_ready()
            from fanin.runner.sweep_plan import SweepPlan  # imports torch: seconds

            plan = SweepPlan(spec)
        if spec.sweep.save_as:
            from fanin.runner.sweep_preview import save_sweep

            save_sweep(plan, spec.sweep.save_as)
        if spec.sweep.plan:
            from fanin.runner.sweep_preview import show_preview

            show_preview(plan)
        else:
            from fanin.runner.sweep import run_sweep

            run_sweep(plan, self._launch)

    def _launch(self, jobs: Sequence[tuple[int, list[str]]], parent: str) -> dict[int, str]:
        """Run jobs, each a number and overrides, under a parent run.

        Returns the errors of failed jobs as the launcher reports them, by number.
        """
        overrides = [
            [*own, f"tracking.parent={parent}", f"tracking.job={number}"] for number, own in jobs
        ]
        returns = self.launcher.launch(overrides, initial_job_idx=0)
        errors = {
            number: job_error(result) for (number, _), result in zip(jobs, returns, strict=True)
        }
        return {
            number: " ".join(f"{type(error).__name__}: {error}".split())
            for number, error in errors.items()
            if error
        }


def _overrides_of_run(run_id: str, tracking: Tracking) -> list[str]:
    from fanin.runner.load import overrides_of_run  # imports mlflow: seconds

    return overrides_of_run(run_id, tracking)


@dataclass
class FaninSweeperConfig:
    _target_: str = "hydra_plugins.fanin_sweeper.FaninSweeper"
    params: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(
    group="hydra/sweeper", name="fanin", node=FaninSweeperConfig, provider="fanin"
)
