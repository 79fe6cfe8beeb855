"""A password in a store's address is never shown."""

import io

from rich.console import Console

from fanin.config.settings import Tracking
from fanin.runner.new_run import common_tags
from fanin.runner.storage import announce

ADDRESS = "postgresql://me:secret@host/db"


def test_not_where_the_run_is_announced():
    text = io.StringIO()
    announce("a run", "lab", Tracking(uri=ADDRESS), Console(file=text, width=120))
    assert "secret" not in text.getvalue()
    assert "postgresql://***@host/db" in text.getvalue()


def test_not_among_the_overrides_that_are_kept():
    tags = common_tags(["depth=1", f"tracking.uri={ADDRESS}", "tracking.job=3"])
    assert tags["overrides"] == "depth=1 tracking.uri=postgresql://***@host/db"
