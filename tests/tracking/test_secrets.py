"""A password in a store's address is never shown."""

import io

from omegaconf import OmegaConf
from rich.console import Console

from fanin.runner.results import typed
from fanin.runner.run import announce

ADDRESS = "postgresql://me:secret@host/db"


def test_not_where_the_run_is_announced():
    text = io.StringIO()
    config = OmegaConf.create({"tracking": {"uri": ADDRESS, "experiment": "lab"}})
    announce("a run", config, {}, Console(file=text, width=120))
    assert "secret" not in text.getvalue()
    assert "postgresql://***@host/db" in text.getvalue()


def test_not_among_the_overrides_that_are_kept():
    assert typed(["depth=1", f"tracking.uri={ADDRESS}", "tracking.job=3"]) == (
        "depth=1 tracking.uri=postgresql://***@host/db"
    )
