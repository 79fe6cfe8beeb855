"""The store that settings name, and the journal of runs under way: opened, flushed, announced."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from fanin.config.errors import SettingError
from fanin.config.project import PROJECT
from fanin.config.settings import Tracking
from fanin.report.terminal import print_links, print_location, print_waiting
from fanin.runner import cost
from fanin.runner.mlflow_pages import EXPERIMENT_TAGS, experiment_views
from fanin.runner.preflight import check_disk
from fanin.tracking.errors import StoreError
from fanin.tracking.journal import Connect, FlushResult, Journal
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import RunRecord
from fanin.tracking.store import Store, open_existing, open_store, open_store_once
from fanin.tracking.ui import base_address

ARTIFACTS = PROJECT / "outputs" / "artifacts"
"""Of stores that say no place of their own."""
JOURNAL = Journal(PROJECT / "outputs" / "journal")


def open_run_store(tracking: Tracking, experiment: str, depth: int = 0) -> Store:
    """The store that settings name, with its MLflow experiment. Raises SettingError.

    depth: of a run that it must have room for.
    """
    _check_database(tracking.uri, cost.disk(depth))
    with store_errors_as_settings(tracking):
        return open_store(
            tracking.uri,
            experiment,
            ARTIFACTS,
            tracking.timeout,
            EXPERIMENT_TAGS,
            experiment_views(),
        )


def open_existing_store(tracking: Tracking, experiment: str) -> Store | None:
    """The same, or None where store or experiment do not exist; nothing is made."""
    with store_errors_as_settings(tracking):
        return open_existing(tracking.uri, experiment, tracking.timeout)


@contextmanager
def store_errors_as_settings(tracking: Tracking) -> Iterator[None]:
    """Turn a StoreError into a SettingError that begins with tracking.uri."""
    try:
        yield
    except StoreError as error:
        raise SettingError(f"tracking.uri={mask_passwords(tracking.uri)}: {error}") from error


def _check_database(uri: str, needed: int) -> None:
    """A SQLite store is a file, or can become one. (Its driver would try for minutes.)"""
    if not uri.startswith("sqlite:///"):
        return
    path = Path(uri.removeprefix("sqlite:///"))
    if path.is_dir():
        raise SettingError(f"tracking.uri={uri}: is a folder; name a file in it")
    check_disk(f"tracking.uri={uri}", path.parent, needed)


def connect_as(tracking: Tracking) -> Connect:
    """How the journal opens the store of a record, with the password that settings have."""
    return lambda record: open_store_once(
        tracking.uri, record.experiment, ARTIFACTS, tracking.timeout
    )


def flush_pending(tracking: Tracking) -> FlushResult:
    """Deliver what earlier runs left in the journal for this store."""
    masked = mask_passwords(tracking.uri)
    return JOURNAL.flush_pending(connect_as(tracking), lambda record: record.uri == masked)


def flush_all_pending(timeout: int) -> FlushResult:
    """The same for every store. MLFLOW_TRACKING_URI gives the address of one with a password."""
    variable = os.environ.get("MLFLOW_TRACKING_URI", "")

    def address(record: RunRecord) -> str:
        return variable if mask_passwords(variable) == record.uri else record.uri

    return JOURNAL.flush_pending(
        lambda record: open_store(address(record), record.experiment, ARTIFACTS, timeout),
        lambda record: True,
    )


def announce(
    name: str,
    experiment: str,
    tracking: Tracking,
    console: Console,
    links: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Print where a run or a sweep is to be found, and how many runs wait for its store.

    links: a name -> an address in MLflow's pages.
    """
    uri = mask_passwords(tracking.uri)
    print_location(name, experiment, uri, console)
    print_links({what: f"{base_address(uri)}/{link}" for what, link in links.items()}, console)
    waiting = JOURNAL.waiting_count(lambda record: record.uri == uri)
    if waiting:
        print_waiting(waiting, uri, console)
