"""What others write into a shared store: no command of ours obeys it.

End to end: run.py and `python -m fanin` on stores that somebody has tampered with.
"""

import json
import time

import pytest
from workplace import Workplace

from fanin.tracking.tags import OUTPUT_DIR, PARENT, RECORD_ID

LINE = ["-m", "init=xavier,kaiming", "depth=2"]


@pytest.mark.parametrize("record_id", ["../../../victim/file", "c" * 32])
def test_a_foreign_parent_harms_no_file_of_whoever_resumes(tmp_path, record_id):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.run(*LINE)
    (parent,) = workplace.parents()
    victim = workplace.project / "outputs" / "victim"
    victim.mkdir()
    for file in (victim / "file.json", victim / "record.json"):
        file.write_text("mine")
    client = workplace.client()
    foreign = client.create_run(
        parent.info.experiment_id,
        start_time=int(time.time() * 1000) + 60_000,  # the latest
        tags={
            "sweep.hash": parent.data.tags["sweep.hash"],
            RECORD_ID: record_id,
            OUTPUT_DIR: str(victim),
            "seen": "abc",
        },
    )
    job = client.create_run(
        parent.info.experiment_id,
        tags={PARENT: foreign.info.run_id, "config.hash": "x", OUTPUT_DIR: str(victim)},
    )
    client.set_terminated(job.info.run_id)
    client.set_terminated(foreign.info.run_id, "FAILED")
    workplace.run(*LINE, "sweep.resume=true")
    assert sorted(file.name for file in victim.iterdir()) == ["file.json", "record.json"]
    assert all(file.read_text() == "mine" for file in victim.iterdir())


def test_a_run_whose_folder_holds_anothers_record_is_read_from_the_store(tmp_path):
    workplace = Workplace.with_own_project(tmp_path)
    workplace.run("depth=2")
    (run,) = workplace.runs()
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((workplace.folder / "run" / "record.json").read_text())
    lie = {**record, "id": "d" * 32, "tags": {**record["tags"], "verdict": "a lie"}}
    for text in (json.dumps(lie), "[", "{}"):
        (other / "record.json").write_text(text)
        workplace.client().set_tag(run.info.run_id, OUTPUT_DIR, str(other))
        shown = workplace.fanin("compare", run.info.run_id, f"--to={tmp_path}/drawn").stdout
        assert "healthy" in shown
        assert "a lie" not in shown
