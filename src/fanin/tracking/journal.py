"""The journal: a folder with an entry for each run that is not complete in its store yet.

A run's process holds a lock while it lives. So any process can tell a running run from one whose
process is gone, and can complete the latter: from its record if the store was unreachable, else as
KILLED.

    <id>.json          the record at the start of the run, or at its end if the store did not take
                       it; removed once the store has all of it
    <id>.lock          held by the run's process
    <uri>.unreachable  touched when this store did not answer
"""

import hashlib
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from fanin.tracking.errors import RefusedError, StoreError
from fanin.tracking.passwords import mask_passwords
from fanin.tracking.run_record import FILE, RunRecord, RunStatus, now
from fanin.tracking.store import Store
from fanin.tracking.tags import ERROR

Connect = Callable[[RunRecord], Store]
"""Opens the store that a record belongs to. May raise StoreError."""
Selects = Callable[[RunRecord], bool]
"""Selects entries of the journal."""
Answer = TypeVar("Answer")

SECONDS_BETWEEN_TRIES = 60
"""How long runs leave an unreachable store alone."""
TRACEBACK = "traceback.txt"
MAX_ERROR_LENGTH = 500
INTERRUPTED = "interrupted"
ENDED_FROM_OUTSIDE = "its process was ended from outside: killed, out of memory, or exit"


class StillRunningError(Exception):
    """The run is still running, in another process. Its text is the run's folder."""


@dataclass
class FlushResult:
    """How many pending runs the stores have now, how many still wait, and why.

    reasons: address of a store that did not take every run -> its error.
    """

    delivered: int = 0
    waiting: int = 0
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Journal:
    """The entries in one folder, which many processes may use at once."""

    folder: Path

    @contextmanager
    def run(
        self,
        record: RunRecord,
        connect: Connect,
        run_id: str | None = None,
        *,
        must_open: bool = False,
    ) -> Iterator[str | None]:
        """Track the block as a run; the block fills the record. Yields the run's id in the store.

        The run is FINISHED at the end of the block (or has the status that the block set), FAILED
        or KILLED if the block raises. If the store is unreachable or refuses, the id is None and
        the run waits in the journal; with `must_open` it raises StoreError and leaves no entry.
        run_id: continue this run of the store; raises StillRunningError if it has not ended.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._hold_lock(record, seconds=1):  # another process may be testing the lock
            if run_id is not None:
                self._reject_entry_of_another(record)
            record.write(self._entry(record))
            opened = (
                self._open_or_forget(record, connect, run_id)
                if must_open
                else self._try_store(record.uri, lambda: _open_run(record, connect, run_id))
            )
            record.run_id = opened[1] if opened else None
            try:
                yield record.run_id
                if record.status == RunStatus.RUNNING:
                    record.status = RunStatus.FINISHED
            except Exception as error:
                record.status = RunStatus.FAILED
                _add_error(record, error)
                raise
            except BaseException:
                record.status = RunStatus.KILLED
                record.tags[ERROR] = INTERRUPTED
                raise
            finally:
                record.ended = now()
                try:
                    record.write(Path(record.folder, FILE))
                finally:  # even if the disk is full, the store may take it
                    if opened:  # else the store was unreachable a moment ago
                        self._try_store(record.uri, lambda: self._deliver(*opened, record))
                    if self._entry(record).exists():  # it waits, and its folder may be reused
                        record.write(self._entry(record))

    def flush_pending(self, connect: Connect, selects: Selects) -> FlushResult:
        """Deliver the runs that have ended but are not complete in their store.

        A store that does not answer is tried once.
        """
        result = FlushResult()
        unreachable: set[str] = set()
        for started in self._entries(selects):
            with suppress(StillRunningError), self._hold_lock(started):
                if not self._entry(started).exists():
                    continue  # another process has just delivered it
                record = _find_final_record(RunRecord.read(self._entry(started)))
                try:
                    if record.uri in unreachable:
                        raise StoreError(result.reasons[record.uri])
                    self._deliver_pending(connect(record), record)
                    result.delivered += 1
                except StoreError as error:
                    if not isinstance(error, RefusedError):
                        unreachable.add(record.uri)
                    result.reasons[record.uri] = str(error)
                    result.waiting += 1
        return result

    def running_count(self, selects: Selects) -> int:
        """Return how many runs have a live process."""
        return sum(self._is_running(record) for record in self._entries(selects))

    def waiting_count(self, selects: Selects) -> int:
        """Return how many runs have ended but are not complete in their store."""
        return sum(not self._is_running(record) for record in self._entries(selects))

    def _is_running(self, record: RunRecord) -> bool:
        try:
            with self._hold_lock(record):
                return False
        except StillRunningError:
            return True

    def _entries(self, selects: Selects) -> Iterator[RunRecord]:
        """Yield the selected records, and rename files that cannot be read."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = RunRecord.read(path)
            except FileNotFoundError:  # it was just delivered
                continue
            except ValueError:  # another version, or a full disk
                path.rename(path.with_suffix(".unreadable"))
                continue
            if selects(record):
                yield record

    def _reject_entry_of_another(self, record: RunRecord) -> None:
        """Raise RefusedError if a different run waits under the id that a store gave this one."""
        if not self._entry(record).exists():
            return
        entry = RunRecord.read(self._entry(record))
        if (entry.uri, entry.experiment, entry.parent) != (record.uri, record.experiment, None):
            raise RefusedError(f"its run has the record.id {record.id} of another run, which waits")

    def _open_or_forget(
        self, record: RunRecord, connect: Connect, run_id: str | None
    ) -> tuple[Store, str]:
        try:
            opened = _open_run(record, connect, run_id)
        except StoreError:
            self._forget(record)
            raise
        self._unreachable_mark(record.uri).unlink(missing_ok=True)
        return opened

    def _deliver_pending(self, store: Store, record: RunRecord) -> None:
        run_id = store.find_run_id(record)
        if run_id:  # its process may have died before it wrote params
            store.log_params(run_id, record)
        self._deliver(store, run_id or store.create_run(record), record)
        self._unreachable_mark(record.uri).unlink(missing_ok=True)

    def _deliver(self, store: Store, run_id: str, record: RunRecord) -> None:
        store.complete_run(run_id, record)
        self._forget(record)

    def _forget(self, record: RunRecord) -> None:
        for suffix in (".json", ".lock"):
            self._entry(record).with_suffix(suffix).unlink(missing_ok=True)

    def _try_store(self, uri: str, request: Callable[[], Answer]) -> Answer | None:
        """Return the store's answer; None if it does not answer or did not a moment ago."""
        mark = self._unreachable_mark(uri)
        with suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime < SECONDS_BETWEEN_TRIES:
                return None
        try:
            return request()
        except RefusedError:
            return None
        except StoreError:
            mark.touch()
            return None

    @contextmanager
    def _hold_lock(self, record: RunRecord, seconds: float = 0) -> Iterator[None]:
        lock = FileLock(self._entry(record).with_suffix(".lock"))
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise StillRunningError(record.folder) from None
        try:
            yield
        finally:
            lock.release()

    def _entry(self, record: RunRecord) -> Path:
        return self.folder / f"{record.id}.json"

    def _unreachable_mark(self, uri: str) -> Path:
        return self.folder / f"{hashlib.sha256(uri.encode()).hexdigest()[:16]}.unreachable"


def _open_run(record: RunRecord, connect: Connect, run_id: str | None) -> tuple[Store, str]:
    store = connect(record)
    if run_id is None:
        return store, store.create_run(record)
    store.reopen(run_id)
    return store, run_id


def _add_error(record: RunRecord, error: Exception) -> None:
    """Add an exception to the record: a line as a tag, the traceback as a file."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    record.tags[ERROR] = mask_passwords(line)[:MAX_ERROR_LENGTH]
    Path(record.folder, TRACEBACK).write_text(mask_passwords(traceback.format_exc()))
    record.files.append(TRACEBACK)


def _find_final_record(entry: RunRecord) -> RunRecord:
    """Return the final record of a run that has ended, with those of its files that exist.

    A run whose end is recorded neither in the journal nor in its folder was killed.
    """
    folder = Path(entry.folder)
    saved = RunRecord.read_from(folder, entry.id)
    record = entry
    if entry.ended is None and saved and saved.started == entry.started:
        record = saved
    elif entry.ended is None:
        record.status = RunStatus.KILLED
        record.ended = _find_last_change(entry)
        record.tags[ERROR] = ENDED_FROM_OUTSIDE
    record.files = [name for name in record.files if saved and (folder / name).exists()]
    return record


def _find_last_change(entry: RunRecord) -> int:
    """Return when a file in the run's folder last changed, in milliseconds since 1970."""
    changes = [path.stat().st_mtime for path in Path(entry.folder).glob("*")]
    return max([entry.started, *(int(seconds * 1000) for seconds in changes)])
