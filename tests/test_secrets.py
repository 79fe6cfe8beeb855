"""A password in a store's address is never shown."""

import io

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from rich.console import Console

from fanin.pipeline import announce
from fanin.sweep import _failures

ADDRESS = "postgresql://me:secret@host/db"


def test_not_where_the_run_is_announced():
    text = io.StringIO()
    config = OmegaConf.create({"tracking": {"uri": ADDRESS, "experiment": "lab"}})
    announce("a run", config, {}, Console(file=text, width=120))
    assert "secret" not in text.getvalue()
    assert "postgresql://***@host/db" in text.getvalue()


def test_not_in_the_line_of_a_job_that_failed():
    failed = JobReturn(status=JobStatus.FAILED)
    failed.return_value = RuntimeError(f"{ADDRESS} is away")
    (line,) = _failures([["depth=1", f"tracking.uri={ADDRESS}"]], [failed])
    assert "secret" not in line
    assert line.startswith("job 0 (depth=1 tracking.uri=postgresql://***@host/db): RuntimeError:")
