"""Claims: what an experiment expects, as data, held against what was measured.

    claims:
      - says: He's scale keeps fifty ReLU layers alive
        where: {init: kaiming, activation: relu}
        metric: activation/std
        between: [0.1, 3]

`where` selects jobs by their params, and each of them must keep the claim. The value is the
metric's at the last layer, or at `layer`, or a number such as summary/loss. With `ratio_to` it
is divided by the same value of the job that differs in no more than what is named there.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the schema needs Claim, and must not wait for torch
    from fanin.measure.profile import Profile

Params = Mapping[str, str]


class RunResult(Protocol):
    """A job that has ended well."""

    @property
    def params(self) -> Params: ...

    @property
    def profile(self) -> "Profile": ...


@dataclass(frozen=True)
class Finding:
    """What became of a claim: kept, broken, or untested because no job was there to test it.

    metric: with the layer and what it is divided by, where the claim names them.
    """

    says: str
    metric: str
    expected: str
    measured: str
    verdict: str


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

    def wrong(self) -> str | None:
        """Why the claim could not be judged, whatever is measured; None where it could."""
        if self.between is None and self.below is None and self.above is None:
            return "it has no bound; add between, below or above"
        low, *high = self.between or [0, 0]
        if len(high) != 1 or low > high[0]:
            return f"between={self.between}; use two numbers, the smaller first"
        if self.layer is not None and self.layer < 1:
            return f"layer={self.layer}; use a whole number, 1 or more"
        return None

    def selects(self, params: Params) -> bool:
        return agree(params, self.where)

    def expects(self) -> str:
        low, high = self._bounds()
        if math.isinf(low):
            return f"at most {high:.12g}"
        return f"at least {low:.12g}" if math.isinf(high) else f"{low:.12g} to {high:.12g}"

    def keeps(self, value: float) -> bool:
        low, high = self._bounds()
        return low <= value <= high

    def _bounds(self) -> tuple[float, float]:
        low, high = self.between or (-math.inf, math.inf)
        low = low if self.above is None else max(low, self.above)
        return low, high if self.below is None else min(high, self.below)

    def judge(self, jobs: Sequence[RunResult], varying: Sequence[str]) -> Finding:
        """Hold the claim against the jobs of a sweep that differ in the settings `varying`."""
        values = []
        for job in jobs:
            if self.selects(job.params):
                value = self._value(job.profile)
                values += [value / base for base in self._bases(job, jobs, varying)]
        if not values:
            verdict = "untested"
        else:
            verdict = "kept" if all(self.keeps(value) for value in values) else "broken"
        measured = _range(values, self._digits())
        return Finding(self.says, self._value_said(), self.expects(), measured, verdict)

    def _value_said(self) -> str:
        """Such as "activation/std at layer 3, over that of init=xavier"."""
        layer = f" at layer {self.layer}" if self.layer else ""
        base = " ".join(f"{name}={value}" for name, value in (self.ratio_to or {}).items())
        return f"{self.metric}{layer}{f', over that of {base}' if base else ''}"

    def _digits(self) -> int:
        """As many as its bounds have, so that both can be compared by eye; at least 3."""
        bounds = [bound for bound in self._bounds() if math.isfinite(bound)]
        digits = [
            f"{bound:.12e}".split("e")[0].replace(".", "").strip("-").rstrip("0")
            for bound in bounds
        ]
        return max(3, *map(len, digits))

    def _bases(
        self, job: RunResult, jobs: Sequence[RunResult], varying: Sequence[str]
    ) -> Iterator[float]:
        """What the job's value is divided by: 1, or the values that `ratio_to` names."""
        if self.ratio_to is None:
            yield 1.0
            return
        wanted = {name: job.params[name] for name in varying} | self.ratio_to
        for other in jobs:
            if agree(other.params, wanted):
                yield self._value(other.profile) or math.nan

    def _value(self, profile: "Profile") -> float:
        """nan where nothing finite was measured."""
        if self.metric in profile.curves:
            curve = profile.curves[self.metric]
            layer = self.layer or profile.depth
            return float(curve[layer - 1]) if 0 < layer <= len(curve) else math.nan
        return profile.numbers.get(self.metric, math.nan)


def agree(params: Params, wanted: Mapping[str, Any]) -> bool:
    """Whether a job has all of these settings; where a list is wanted, one of it."""
    return all(
        name in params and any(_equal(params[name], one) for one in _several(value))
        for name, value in wanted.items()
    )


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _equal(param: str, wanted: object) -> bool:
    """Params are texts: 2 and 2.0 are one number, and relu is itself."""
    try:
        return float(param) == float(str(wanted))
    except ValueError:
        return param == str(wanted)


def _range(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    if any(math.isnan(value) for value in values):
        return "not finite"
    low, high = f"{min(values):.{digits}g}", f"{max(values):.{digits}g}"
    return low if low == high else f"{low} to {high}"
