"""Opens the store that the settings name, delivers pending runs, and prints where results are."""

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
"""The artifact folder of stores that do not choose their own."""
JOURNAL = Journal(PROJECT / "outputs" / "journal")


def open_run_store(tracking: Tracking, experiment: str, depth: int = 0) -> Store:
    """Open the store that the settings name, and its MLflow experiment. Raises SettingError.

    depth: the store must have room for a run of this depth.
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
    """Open the store, or return None if it or its experiment is missing. Creates nothing."""
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
    """Check that a SQLite store can be opened or created. (Its driver would retry for minutes.)"""
    if not uri.startswith("sqlite:///"):
        return
    path = Path(uri.removeprefix("sqlite:///"))
    if path.is_dir():
        raise SettingError(f"tracking.uri={uri}: is a folder; name a file in it")
    check_disk(f"tracking.uri={uri}", path.parent, needed)


def connect_as(tracking: Tracking) -> Connect:
    """Make the function with which the journal opens a store, with the password in the settings."""
    return lambda record: open_store_once(
        tracking.uri, record.experiment, ARTIFACTS, tracking.timeout
    )


def flush_pending(tracking: Tracking) -> FlushResult:
    """Deliver the pending runs of this store."""
    masked = mask_passwords(tracking.uri)
    return JOURNAL.flush_pending(connect_as(tracking), lambda record: record.uri == masked)


def flush_all_pending(timeout: int) -> FlushResult:
    """Deliver the pending runs of every store.

    The address of a store with a password is read from MLFLOW_TRACKING_URI.
    """
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
    """Print where a run or a sweep is tracked, and how many runs wait for its store.

    links: name -> address of a page of MLflow.
    """
    uri = mask_passwords(tracking.uri)
    print_location(name, experiment, uri, console)
    print_links({what: f"{base_address(uri)}/{link}" for what, link in links.items()}, console)
    waiting = JOURNAL.waiting_count(lambda record: record.uri == uri)
    if waiting:
        print_waiting(waiting, uri, console)
