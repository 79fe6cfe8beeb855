"""Reads tracked runs from a store, whichever sweeps they belong to."""

import re
import sys
from collections.abc import Iterator, Sequence

import pandas as pd

from fanin.config.compose import compose_overrides
from fanin.config.errors import SettingError
from fanin.config.saved_sweep import overrides_of_params, overrides_of_sweep
from fanin.config.settings import Tracking
from fanin.measure.result import RunResult
from fanin.report.tables import make_layer_table
from fanin.runner.results import read_tracked
from fanin.runner.sweep import SWEEP_FILE
from fanin.runner.sweep_plan import SWEEP_HASH
from fanin.tracking.errors import RefusedError, StoreError
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunStatus
from fanin.tracking.store import Store, find_run, search_all
from fanin.tracking.tags import PARENT, RECORD_ID
from fanin.tracking.tracked_run import TrackedRun

TIMEOUT = 10
"""Seconds to wait for a store."""
COMPARABLE = (
    f"attributes.status = '{RunStatus.FINISHED.value}' "
    f"and tags.verdict != '' and tags.`{RECORD_ID}` != ''"
)


def load(*references: str, uri: str | None = None) -> pd.DataFrame:
    """Load the profiles of tracked runs: one row per run and layer, with the run's params.

    references: ids of runs or of sweeps, or MLflow filters such as "params.activation = 'tanh'";
    all runs if there are none. uri: the store, by default that of run.py. Columns are named as
    params and metrics in MLflow; `layer` counts from 1; a value that was not finite is nan. Raises
    SettingError if nothing is found.
    """
    return make_layer_table(load_results(references, uri))


def load_results(references: Sequence[str], uri: str | None = None) -> list[RunResult]:
    """The results of the runs that `load` selects, each once. Raises SettingError."""
    uri = uri or _default_uri()
    results: dict[str, RunResult] = {}
    for reference in references or [""]:
        try:
            runs = [*_find_runs(reference, uri)]
            results |= _read_runs([(s, run) for s, run in runs if run.id not in results])
        except RefusedError as error:
            hint = "use the 32 digits of a run's id, or a filter such as params.init = 'kaiming'"
            raise SettingError(f"{reference}: {error}; {hint}") from error
        except StoreError as error:
            raise SettingError(f"{mask_passwords(uri)}: {error}") from error
        if not runs:
            raise SettingError(f"{reference or 'load'}: no finished run in {mask_passwords(uri)}")
    return [*results.values()]


def _read_runs(runs: Sequence[tuple[Store, TrackedRun]]) -> dict[str, RunResult]:
    """The results by run id. A run of several that cannot be read is named and left out."""
    if len(runs) == 1:
        ((store, run),) = runs
        return {run.id: read_tracked(store, run)}
    return {run.id: result for store, run in runs if (result := _read_or_name(store, run))}


def _read_or_name(store: Store, run: TrackedRun) -> RunResult | None:
    try:
        return read_tracked(store, run)
    except StoreError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None


def _find_runs(reference: str, uri: str) -> Iterator[tuple[Store, TrackedRun]]:
    """The finished runs that a reference selects, the oldest first."""
    if not re.fullmatch("[0-9a-f]{32}", reference):
        yield from search_all(uri, " and ".join(filter(None, (COMPARABLE, reference))), TIMEOUT)
        return
    store, run = find_run(uri, reference, TIMEOUT)
    children = store.search(f"tags.`{PARENT}` = '{run.id}' and {COMPARABLE}")
    for one in reversed(children) if SWEEP_HASH in run.tags else [run]:
        if "verdict" in one.tags:
            yield store, one


def _default_uri() -> str:
    values, _ = compose_overrides([])
    uri: str = values["tracking"]["uri"]
    return uri


def overrides_of_run(run_id: str, tracking: Tracking) -> list[str]:
    """The overrides that repeat a tracked run or sweep. Raises SettingError."""
    try:
        store, run = find_run(tracking.uri, run_id, tracking.timeout)
        if SWEEP_HASH in run.tags:
            return overrides_of_sweep(store.artifact_text(run.id, SWEEP_FILE))
        return overrides_of_params(run.params)
    except (StoreError, ValueError) as error:
        raise SettingError(f"from_run={run_id}: {error}") from error
