"""Tracked runs, whichever sweeps they come from, read back from their store."""

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from fanin.config.schema import GROUPS, NON_MODEL_KEYS, SettingError, composed, register
from fanin.measure.result import RunResult
from fanin.report.comparison import Comparison, compare
from fanin.report.tables import layers
from fanin.runner.results import outcome_of
from fanin.tracking.store import (
    PARENT,
    RefusedError,
    Store,
    StoreError,
    Tracked,
    run_of,
    runs_where,
    without_password,
)

TIMEOUT = 10
"""Seconds after which a store that does not answer is left alone."""
COMPARABLE = "attributes.status = 'FINISHED' and tags.verdict != '' and tags.`record.id` != ''"
Found = tuple[Store, Tracked]


def load(*references: str, uri: str | None = None) -> pd.DataFrame:
    """The profiles of tracked runs: a row a run and layer, with the run's params beside each.

    references: ids of runs or of sweeps, or filters in MLflow's words such as
    "params.activation = 'tanh'"; all runs if there are none. uri: of the store, by default that of
    run.py. Columns have the names that params and metrics have in MLflow; `layer` counts from 1;
    a value that was not finite is nan. Raises SettingError where nothing is found.
    """
    return layers(find(references, uri))


def find(references: Sequence[str], uri: str | None = None) -> list[RunResult]:
    """What came out of the runs that `load` would take, each once. Raises SettingError."""
    uri = uri or _default_uri()
    found: dict[str, RunResult] = {}
    for reference in references or [""]:
        try:
            runs = [*_runs(reference, uri)]
            new = [(store, run) for store, run in runs if run.id not in found]
            found |= {run.id: outcome_of(store, run) for store, run in new}
        except RefusedError as error:
            hint = "use the 32 digits of a run's id, or a filter such as params.init = 'kaiming'"
            raise SettingError(f"{reference}: {error}; {hint}") from error
        except StoreError as error:
            raise SettingError(f"{without_password(uri)}: {error}") from error
        if not runs:
            raise SettingError(f"{reference or 'load'}: no finished run in {without_password(uri)}")
    return [*found.values()]


def comparison_of(outcomes: Sequence[RunResult], title: str) -> Comparison:
    return compare(outcomes, varying(outcomes), title)


def varying(outcomes: Sequence[RunResult]) -> list[str]:
    """The params in which runs differ, without those that go with an option that differs.

    Such as init.scale, where each init has one of its own.
    """
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.params)
    several = [name for name in names if len(_values(name, outcomes)) > 1]
    return [name for name in several if _is_of_itself(name, outcomes)]


def _is_of_itself(name: str, outcomes: Sequence[RunResult]) -> bool:
    group, dot, _ = name.partition(".")
    if group in NON_MODEL_KEYS:
        return False
    if not dot or group not in GROUPS:
        return True
    options = _values(group, outcomes)
    return any(
        len(_values(name, [o for o in outcomes if o.params[group] == option])) > 1
        for option in options
    )


def _values(name: str, outcomes: Sequence[RunResult]) -> set[str | None]:
    return {outcome.params.get(name) for outcome in outcomes}


def _runs(reference: str, uri: str) -> Iterator[Found]:
    """The finished runs that a reference means, the oldest first."""
    if not re.fullmatch("[0-9a-f]{32}", reference):
        yield from runs_where(uri, " and ".join(filter(None, (COMPARABLE, reference))), TIMEOUT)
        return
    store, run = run_of(uri, reference, TIMEOUT)
    children = store.where(f"tags.`{PARENT}` = '{run.id}' and {COMPARABLE}")
    for one in reversed(children) if "sweep.hash" in run.tags else [run]:
        if "verdict" in one.tags:
            yield store, one


def _default_uri() -> str:
    register()
    config, _ = composed([])
    uri: str = config.tracking.uri
    return uri
