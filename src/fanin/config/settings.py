"""The typed settings of a run: Hydra's schema and the input of the runner.

The classes are not frozen, because OmegaConf makes a frozen schema read-only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

from fanin.measure.claims import Claim

NON_MODEL_KEYS = ("tracking", "claims", "sweep", "from_run")
"""Settings that say how a run is made and tracked, not what it computes."""

GroupChoices = Mapping[str, str | None]
"""The option chosen in each group, and the experiment file, by name."""


@dataclass
class Timing:
    """How often a pass is run, and whether a bare product is timed too."""

    warmup: int = MISSING
    repeats: int = MISSING
    product: bool = MISSING


@dataclass
class Tracking:
    """Where a run is tracked. A sweep sets `parent` (a run id) and `job` (a number)."""

    uri: str = MISSING
    experiment: str | None = None
    timeout: int = MISSING
    parent: str | None = None
    job: int | None = None


@dataclass
class Sweeping:
    """How a sweep runs. Its jobs do not see these settings."""

    resume: bool = False
    plan: bool = False
    exclude: Any = field(default_factory=list)
    save_as: str | None = None


@dataclass
class Claims:
    """The expectations of an experiment file; with `strict`, a broken claim exits with status 1."""

    strict: bool = False
    made: list[Claim] = field(default_factory=list)


@dataclass
class Settings:
    """Every setting of a run. A group holds the `_target_` of its class and that class's settings.

    Hydra composes them; `fanin.config.complete` resolves and types them.
    """

    init: Any = MISSING
    activation: Any = MISSING
    data: Any = MISSING
    loss: Any = MISSING
    device: Any = MISSING
    depth: int = MISSING
    hidden_size: int = MISSING
    batch_size: int = MISSING
    replicas: int = MISSING
    seed: int = MISSING
    dtype: str = MISSING
    engine: str = MISSING
    matmul: str = MISSING
    jacobian: bool = MISSING
    timing: Timing = MISSING
    tracking: Tracking = MISSING
    claims: Claims = field(default_factory=Claims)
    sweep: Sweeping = field(default_factory=Sweeping)
    from_run: str | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Settings":
        """Make the settings from plain values, in the form that `as_values` returns."""
        claims = values["claims"]
        parts = {
            "timing": Timing(**values["timing"]),
            "tracking": Tracking(**values["tracking"]),
            "claims": Claims(claims["strict"], [Claim(**claim) for claim in claims["made"]]),
            "sweep": Sweeping(**values["sweep"]),
        }
        return cls(**{**values, **parts})

    def as_values(self) -> dict[str, Any]:
        """The settings as plain values, without claims.made, which no job needs."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        parts = {name: dict(vars(values[name])) for name in ("timing", "tracking", "sweep")}
        return {**values, **parts, "claims": {"strict": self.claims.strict, "made": []}}


SETTING_NAMES = tuple(each.name for each in fields(Settings) if each.name not in NON_MODEL_KEYS)
"""The settings that say what a run computes."""
