"""Claims: machine-checked expectations of an experiment.

    claims:
      - says: He's scale keeps fifty ReLU layers alive
        where: {init: kaiming, activation: relu}
        metric: activation/std
        between: [0.1, 3]

`where` selects jobs by their params, and each of them must keep the claim. The value is the
metric's at the last layer, or at `layer`, or a number such as summary/loss. With `ratio_to` it is
divided by the same value of the job that differs only in the settings named there.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from fanin.measure.params import Params, matches

if TYPE_CHECKING:  # the schema imports Claim, and must not import torch
    from fanin.measure.profile import Profile
    from fanin.measure.result import RunResult


class ClaimVerdict(str, Enum):
    """UNTESTED: no finished job tests the claim."""

    KEPT = "kept"
    BROKEN = "broken"
    UNTESTED = "untested"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim.

    says: as in the claim. metric: with the layer and the divisor, if the claim names them.
    expected, measured: texts such as "0.1 to 3" and "0.53".
    """

    says: str
    metric: str
    expected: str
    measured: str
    verdict: ClaimVerdict


@dataclass
class Claim:
    """Bounds are inclusive; at least one of `between`, `below` and `above` must be given."""

    says: str
    metric: str
    where: dict[str, Any] = field(default_factory=dict)
    layer: int | None = None
    between: list[float] | None = None
    below: float | None = None
    above: float | None = None
    ratio_to: dict[str, Any] | None = None

    def problem(self) -> str | None:
        """Why the claim cannot be judged, whatever is measured; None if it can."""
        if self.between is None and self.below is None and self.above is None:
            return "it has no bound; add between, below or above"
        low, *high = self.between or [0, 0]
        if len(high) != 1 or low > high[0]:
            return f"between={self.between}; use two numbers, the smaller first"
        if self.layer is not None and self.layer < 1:
            return f"layer={self.layer}; use a whole number, 1 or more"
        return None

    def selects(self, params: Params) -> bool:
        """Whether `where` selects a job with these params."""
        return matches(params, self.where)

    def judge(self, results: "Sequence[RunResult]", varying: Sequence[str]) -> Finding:
        """Judge the claim by the results of a sweep whose jobs differ in the settings `varying`."""
        values: list[float] = []
        for result in results:
            if self.selects(result.params):
                value = self._value(result.profile)
                values += [value / base for base in self._bases(result, results, varying)]
        if not values:
            verdict = ClaimVerdict.UNTESTED
        elif all(self._is_kept_by(value) for value in values):
            verdict = ClaimVerdict.KEPT
        else:
            verdict = ClaimVerdict.BROKEN
        return Finding(
            says=self.says,
            metric=self._describe_value(),
            expected=self._describe_bounds(),
            measured=_format_range(values, self._digits()),
            verdict=verdict,
        )

    def _is_kept_by(self, value: float) -> bool:
        low, high = self._bounds()
        return low <= value <= high

    def _bounds(self) -> tuple[float, float]:
        low, high = self.between or (-math.inf, math.inf)
        low = low if self.above is None else max(low, self.above)
        return low, high if self.below is None else min(high, self.below)

    def _describe_bounds(self) -> str:
        low, high = self._bounds()
        if math.isinf(low):
            return f"at most {high:.12g}"
        return f"at least {low:.12g}" if math.isinf(high) else f"{low:.12g} to {high:.12g}"

    def _describe_value(self) -> str:
        """For example "activation/std at layer 3, over that of init=xavier"."""
        layer = f" at layer {self.layer}" if self.layer else ""
        base = " ".join(f"{name}={value}" for name, value in (self.ratio_to or {}).items())
        return f"{self.metric}{layer}{f', over that of {base}' if base else ''}"

    def _digits(self) -> int:
        """The digits to show: as many as the bounds have, at least 3."""
        bounds = [bound for bound in self._bounds() if math.isfinite(bound)]
        digits = [
            f"{bound:.12e}".split("e")[0].replace(".", "").strip("-").rstrip("0")
            for bound in bounds
        ]
        return max(3, *map(len, digits))

    def _bases(
        self, result: "RunResult", results: "Sequence[RunResult]", varying: Sequence[str]
    ) -> Iterator[float]:
        """What the job's value is divided by: 1, or the values of the jobs of `ratio_to`."""
        if self.ratio_to is None:
            yield 1.0
            return
        # A list of one: a value that is itself a list must be equal, not one of its parts.
        required = {name: [result.params[name]] for name in varying} | self.ratio_to
        for other in results:
            if matches(other.params, required):
                yield self._value(other.profile) or math.nan

    def _value(self, profile: "Profile") -> float:
        """nan if nothing finite was measured."""
        if self.metric in profile.curves:
            curve = profile.curves[self.metric]
            layer = self.layer or profile.depth
            return float(curve[layer - 1]) if 0 < layer <= len(curve) else math.nan
        return profile.numbers.get(self.metric, math.nan)


def _format_range(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    if any(math.isnan(value) for value in values):
        return "not finite"
    low, high = f"{min(values):.{digits}g}", f"{max(values):.{digits}g}"
    return low if low == high else f"{low} to {high}"
