"""What others write into a shared store: no command of ours obeys it.

End to end: run.py and `python -m fanin` on stores that somebody has tampered with.
"""

import json
import shutil
import time

import pytest
from workplace import Workplace

import fanin
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


@pytest.fixture
def tracked(tmp_path):
    """A workplace with one run in its store."""
    workplace = Workplace.with_own_project(tmp_path)
    workplace.run("depth=2")
    return workplace


def test_a_run_whose_folder_holds_anothers_record_is_read_from_the_store(tracked, tmp_path):
    (run,) = tracked.runs()
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((tracked.folder / "run" / "record.json").read_text())
    lie = {**record, "id": "d" * 32, "tags": {**record["tags"], "verdict": "a lie"}}
    for text in (json.dumps(lie), "[", "{}"):
        (other / "record.json").write_text(text)
        tracked.client().set_tag(run.info.run_id, OUTPUT_DIR, str(other))
        shown = tracked.fanin("compare", run.info.run_id, f"--to={tmp_path}/drawn").stdout
        assert "healthy" in shown
        assert "a lie" not in shown


def test_of_a_record_in_a_folder_only_numbers_are_believed(tracked, tmp_path):
    """Whoever writes to the store may also write to the folder that the run names."""
    (run,) = tracked.runs()
    path = tracked.folder / "run" / "record.json"
    record = json.loads(path.read_text())
    record["tags"]["because"] = "\x1b[2J"
    record["params"] |= {"init": "kai\x1b]0;owned", "depth": 10**13}
    record["metrics"].append(["no/metric\x1b", 1, 2.0])
    path.write_text(json.dumps(record))
    done = tracked.fanin("compare", run.info.run_id, f"--to={tmp_path}/drawn")
    assert "\x1b" not in done.stdout + done.stderr
    assert "is healthy" in done.stdout or "healthy" in done.stdout


@pytest.mark.parametrize("depth", [None, "abc", "-3", "1.5", "True", str(10**13)])
def test_a_run_of_an_impossible_depth_is_named_and_left_out(tracked, tmp_path, depth):
    (run,) = tracked.runs()
    client = tracked.client()
    tags = {**run.data.tags, OUTPUT_DIR: "nowhere", RECORD_ID: "e" * 32}
    foreign = client.create_run(run.info.experiment_id, tags=tags)
    for name, value in run.data.params.items():
        if name != "depth":
            client.log_param(foreign.info.run_id, name, value)
    if depth is not None:
        client.log_param(foreign.info.run_id, "depth", depth)
    client.set_terminated(foreign.info.run_id)
    done = tracked.fanin("compare", "params.init = 'kaiming'", f"--to={tmp_path}/drawn")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("left out: ")]
    assert f"run {foreign.info.run_id} is not one of fanin's: its depth is" in line
    alone = tracked.fanin("compare", foreign.info.run_id, status=1)
    assert "is not one of fanin's" in alone.stderr


@pytest.mark.parametrize(
    "table",
    ["", "layer\n", "layer,activation/std\nx,abc\n", "layer,activation/std\n1,1,2,3\n2,2\n3,3\n"],
)
def test_a_broken_profile_is_read_from_the_metrics(tracked, table):
    (run,) = tracked.runs()
    shutil.rmtree(tracked.folder / "run")
    (tracked.folder / "artifacts" / run.info.run_id / "artifacts" / "profile.csv").write_text(table)
    frame = fanin.load(run.info.run_id, uri=tracked.uri)
    curve = frame.set_index("layer")["activation/std"].to_dict()
    if "1,1" in table:
        assert curve == {1: 1.0, 2: 2.0}  # no more rows than layers, no more cells than names
    else:
        assert curve == tracked.curve(run, "activation/std")
