"""What makes two runs the same: each file that computes counts, and no other does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from workplace import PROJECT

from fanin.measure.params import GROUPS
from fanin.runner import fingerprint
from fanin.runner.jobs import Job, match_runs
from fanin.tracking.run_record import RunStatus
from fanin.tracking.tracked_run import TrackedRun

FILES = [str(path.relative_to(fingerprint.PACKAGE)) for path in fingerprint.computing_files()]
NO_CLASSES = {group: {} for group in GROUPS}


def test_every_file_that_computes_is_one_of_them():
    rooms = {name.partition("/")[0] for name in FILES}
    assert {"nn", "measure", "theory", "runner"} <= rooms
    assert not rooms & {"tracking", "report", "config"}
    for name in ("network", "init", "activations", "matmul", "engines", "losses"):
        assert f"nn/{name}.py" in FILES
    for name in (
        "measure/profile.py",
        "measure/verdict.py",
        "theory/mean_field.py",
        "runner/data.py",
    ):
        assert name in FILES


@pytest.mark.parametrize("group", GROUPS)
def test_every_class_that_conf_names_is_in_one_of_them(group):
    for path in (PROJECT / "conf" / group).glob("*.yaml"):
        target = OmegaConf.load(path).get("_target_")
        if target:
            assert (
                target.rpartition(".")[0].removeprefix("fanin.").replace(".", "/") + ".py" in FILES
            )


def test_what_a_computation_imports_is_what_is_hashed():
    """Python's own account of it, against what is read from the code."""
    imports = ", ".join(fingerprint.COMPUTING_MODULES)
    code = f"import sys, {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name for name in done.stdout.split() if name.split(".")[0] == "fanin"}
    hashed = {
        ".".join(["fanin", *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for name in FILES
    }
    packages = {
        name for name in imported if (fingerprint.PACKAGE.parent / name.replace(".", "/")).is_dir()
    }
    assert imported - packages == hashed - packages


@pytest.fixture
def changed_version(tmp_path, monkeypatch):
    """A function: the version of a copy of the code after one of its files has changed."""
    package = tmp_path / "fanin"
    shutil.copytree(fingerprint.PACKAGE, package)
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    monkeypatch.setattr(fingerprint, "_computing_code", fingerprint._computing_code.__wrapped__)

    def change(name: str) -> tuple[str, str]:
        before = fingerprint.code_version(NO_CLASSES)
        with (package / name).open("a") as file:
            file.write("# changed\n")
        return before, fingerprint.code_version(NO_CLASSES)

    return change


@pytest.mark.parametrize("name", FILES)
def test_a_change_to_a_file_that_computes_changes_the_version(changed_version, name):
    before, after = changed_version(name)
    assert before != after


@pytest.mark.parametrize(
    "name",
    ["report/comparison.py", "tracking/store.py", "config/schema.py", "runner/sweep.py"],
)
def test_a_change_elsewhere_does_not(changed_version, name):
    before, after = changed_version(name)
    assert before == after


def test_only_the_present_version_has_earlier_ones_that_are_equal():
    """Code that computes has changed: delete the entry, or compare the numbers again."""
    assert set(fingerprint.EARLIER_VERSIONS) <= {fingerprint.code_version(NO_CLASSES)}


def test_runs_of_an_equal_version_are_not_run_again(monkeypatch):
    monkeypatch.setattr(fingerprint, "EARLIER_VERSIONS", {"new": ("old",)})

    def job() -> Job:
        return Job(0, [], {}, config_hash="a", code_version="new")

    def run(version: str) -> TrackedRun:
        tags = {"config.hash": "a", "code.version": version}
        return TrackedRun(version, "", RunStatus.FINISHED, 0, {}, tags, {})

    for versions, done in ((["other"], None), (["other", "old"], "old"), (["old", "new"], "new")):
        jobs = [job()]
        match_runs(jobs, [run(version) for version in versions])
        assert (jobs[0].done and jobs[0].done.id) == done
