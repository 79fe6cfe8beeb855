"""Progress of the work, on standard error."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status

_UPDATE_SECONDS = 0.2


def show_status(label: str) -> Status:
    """Show a spinner with a label while the block runs."""
    return Console(stderr=True).status(label)


@contextmanager
def show_progress(label: str, total: int, count_done: Callable[[], int]) -> Iterator[None]:
    """Show a bar with a count and the time left while the block runs.

    Other processes may do the work: the bar shows what `count_done` returns.
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

    def follow() -> None:
        while not ended.wait(_UPDATE_SECONDS):
            bar.update(task, completed=count_done())

    follower = threading.Thread(target=follow, daemon=True)
    with bar:
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()
            bar.update(task, completed=count_done())
