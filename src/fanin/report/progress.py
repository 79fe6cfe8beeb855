"""What is shown while work goes on, on standard error."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status

_SECONDS_BETWEEN = 0.2


def status(label: str) -> Status:
    """Show that something goes on while the block runs."""
    return Console(stderr=True).status(label)


@contextmanager
def progress(label: str, total: int, done: Callable[[], int]) -> Iterator[None]:
    """Show a bar with count and time left while the block runs.

    The work may be done in other processes: `done` is asked again and again how far it is.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
    )
    task = bar.add_task(label, total=total)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_SECONDS_BETWEEN):
            bar.update(task, completed=done())

    watcher = threading.Thread(target=watch, daemon=True)
    with bar:
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            bar.update(task, completed=done())
