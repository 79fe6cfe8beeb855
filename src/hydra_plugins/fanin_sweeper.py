"""Where Hydra looks for sweepers, and finds ours: `hydra/sweeper=fanin`, the default."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore

from fanin.config.sweeper import Sweep


class FaninSweeper(Sweep):
    """Hydra takes only classes that are defined under hydra_plugins."""


@dataclass
class FaninSweeperConfig:
    _target_: str = "hydra_plugins.fanin_sweeper.FaninSweeper"
    params: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(
    group="hydra/sweeper", name="fanin", node=FaninSweeperConfig, provider="fanin"
)
