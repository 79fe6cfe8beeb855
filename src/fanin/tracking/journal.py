"""The journal: a folder that names every run that was begun and is not yet whole in its store.

A run holds a lock for as long as its process lives, whatever ends that. So whoever comes next
can tell a run that goes on from one whose process is gone, and closes the latter: with its
record, where it had written one and the store was away, or else as KILLED.

    <id>.json   the record as the run was begun, or as it ended where the store did not take it;
                gone once the store has the whole
    <id>.lock   held by the run's process
    <uri>.away  touched when this store was found not to answer
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

from fanin.tracking.run_record import FILE, Record, now
from fanin.tracking.store import ERROR, RefusedError, Store, StoreError, without_password

Connect = Callable[[Record], Store]
"""The store that a record belongs to. May raise StoreError."""
Which = Callable[[Record], bool]
Answer = TypeVar("Answer")

REST = 60
"""Seconds for which jobs leave a store alone that did not answer."""
TRACEBACK = "traceback.txt"
MAX_ERROR_LENGTH = 500
INTERRUPTED = "interrupted"
ENDED_FROM_OUTSIDE = "its process was ended from outside: killed, out of memory, or exit"


class StillRunningError(Exception):
    """The run is still running, in another process."""


@dataclass
class FlushResult:
    """What became of the runs that were over: how many the store has now, and why others wait."""

    delivered: int = 0
    waiting: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    """For each store that did not take what it should, what it said."""


@dataclass(frozen=True)
class Journal:
    folder: Path

    @contextmanager
    def run(
        self,
        record: Record,
        connect: Connect,
        run_id: str | None = None,
        *,
        must_open: bool = False,
    ) -> Iterator[str | None]:
        """A run, whose record the block fills. Yields its id in the store.

        It is FINISHED at the end of the block (or what the block has made of its status), FAILED
        or KILLED if that raises. Where the store is away, or refuses, it has no id yet, and
        waits; with `must_open` that is a StoreError instead, and nothing was begun. With
        `run_id`, that run goes on; GoesOnError if it never stopped.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock_of(record, seconds=1):  # another may be looking whether it is held
            record.write(self._entry(record))
            opened = (
                self._open_or_forget(record, connect, run_id)
                if must_open
                else self._ask(record.uri, lambda: _open(record, connect, run_id))
            )
            record.run_id = opened[1] if opened else None
            try:
                yield record.run_id
                if record.status == "RUNNING":
                    record.status = "FINISHED"
            except Exception as error:
                record.status = "FAILED"
                _explain(record, error)
                raise
            except BaseException:
                record.status = "KILLED"
                record.tags[ERROR] = INTERRUPTED
                raise
            finally:
                record.ended = now()
                try:
                    record.write(Path(record.folder, FILE))
                finally:  # a full disk need not keep it from the store
                    if opened:  # or else the store was away a moment ago
                        self._ask(record.uri, lambda: self._deliver(*opened, record))
                    if self._entry(record).exists():  # it waits, and another may use its folder
                        record.write(self._entry(record))

    def settle(self, connect: Connect, which: Which) -> FlushResult:
        """Bring to their stores those runs that are over and not yet whole there.

        A store that does not answer is asked once.
        """
        settled = FlushResult()
        silent: set[str] = set()
        for begun in self._begun(which):
            with suppress(StillRunningError), self._lock_of(begun):
                if not self._entry(begun).exists():
                    continue  # somebody else has just delivered it
                record = _last_word(Record.read(self._entry(begun)))
                try:
                    if record.uri in silent:
                        raise StoreError(settled.reasons[record.uri])
                    store = connect(record)
                    run_id = store.find(record)
                    if run_id:  # whose process may have died before its params were there
                        store.log_params(run_id, record)
                    self._deliver(store, run_id or store.create(record), record)
                    self._away(record.uri).unlink(missing_ok=True)
                    settled.delivered += 1
                except StoreError as error:
                    if not isinstance(error, RefusedError):
                        silent.add(record.uri)
                    settled.reasons[record.uri] = str(error)
                    settled.waiting += 1
        return settled

    def running_count(self, which: Which) -> int:
        """How many runs there are whose process lives."""
        return sum(self._goes_on(begun) for begun in self._begun(which))

    def waiting(self, which: Which) -> int:
        """How many runs there are that are over and not yet whole in their store."""
        return sum(not self._goes_on(begun) for begun in self._begun(which))

    def _goes_on(self, begun: Record) -> bool:
        try:
            with self._lock_of(begun):
                return False
        except StillRunningError:
            return True

    def _begun(self, which: Which) -> Iterator[Record]:
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = Record.read(path)
            except FileNotFoundError:  # it was just delivered
                continue
            except (ValueError, TypeError):  # of another version, or written to a full disk
                path.rename(path.with_suffix(".unreadable"))
                continue
            if which(record):
                yield record

    def _open_or_forget(
        self, record: Record, connect: Connect, run_id: str | None
    ) -> tuple[Store, str]:
        try:
            opened = _open(record, connect, run_id)
        except StoreError:
            self._forget(record)
            raise
        self._away(record.uri).unlink(missing_ok=True)
        return opened

    def _deliver(self, store: Store, run_id: str, record: Record) -> None:
        store.complete(run_id, record)
        self._forget(record)

    def _forget(self, record: Record) -> None:
        for suffix in (".json", ".lock"):
            self._entry(record).with_suffix(suffix).unlink(missing_ok=True)

    def _ask(self, uri: str, question: Callable[[], Answer]) -> Answer | None:
        """What the store answers; None where it does not, or did not a moment ago."""
        away = self._away(uri)
        with suppress(FileNotFoundError):
            if time.time() - away.stat().st_mtime < REST:
                return None
        try:
            return question()
        except RefusedError:
            return None
        except StoreError:
            away.touch()
            return None

    @contextmanager
    def _lock_of(self, record: Record, seconds: float = 0) -> Iterator[None]:
        lock = FileLock(self._entry(record).with_suffix(".lock"))
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise StillRunningError(record.folder) from None
        try:
            yield
        finally:
            lock.release()

    def _entry(self, record: Record) -> Path:
        return self.folder / f"{record.id}.json"

    def _away(self, uri: str) -> Path:
        return self.folder / f"{hashlib.sha256(uri.encode()).hexdigest()[:16]}.away"


def _open(record: Record, connect: Connect, run_id: str | None) -> tuple[Store, str]:
    store = connect(record)
    if run_id is None:
        return store, store.create(record)
    store.reopen(run_id)
    return store, run_id


def _explain(record: Record, error: Exception) -> None:
    """Why it failed: in a line as a tag, and in full as a file."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    record.tags[ERROR] = without_password(line)[:MAX_ERROR_LENGTH]
    Path(record.folder, TRACEBACK).write_text(without_password(traceback.format_exc()))
    record.files.append(TRACEBACK)


def _last_word(record: Record) -> Record:
    """What is to be delivered of a run that is over, with those of its files that are there.

    A run that has not said how it ended, here or in its folder, was ended from outside.
    """
    folder = Path(record.folder)
    left = Record.read(folder / FILE) if (folder / FILE).exists() else None
    is_its_own = left is not None and left.id == record.id
    if record.ended is None and left and is_its_own and left.started == record.started:
        record = left
    elif record.ended is None:
        record.status = "KILLED"
        record.ended = _last_sign(record)
        record.tags[ERROR] = ENDED_FROM_OUTSIDE
    record.files = [n for n in record.files if is_its_own and (folder / n).exists()]
    return record


def _last_sign(begun: Record) -> int:
    """When anything last moved in the run's folder, in milliseconds since 1970."""
    moved = [path.stat().st_mtime for path in Path(begun.folder).glob("*")]
    return max([begun.started, *(int(seconds * 1000) for seconds in moved)])
