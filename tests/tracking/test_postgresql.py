"""The README's server for a team: MLflow over HTTP, its numbers in PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from server import Server, free_port
from workplace import Workplace

BINARIES = [shutil.which("initdb"), *map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
INITDB = next(filter(None, BINARIES), None)
# initdb refuses to be run by root.
USER = {"user": "postgres"} if os.geteuid() == 0 else {}

pytestmark = pytest.mark.skipif(INITDB is None, reason="PostgreSQL's initdb is not installed")


@pytest.fixture
def database():
    """The address of a PostgreSQL server of its own."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's folders are for their owner
    if USER:
        shutil.chown(folder, "postgres")
    port = free_port()
    binaries = Path(INITDB).resolve().parent

    def run(name: str, *arguments: str) -> None:
        command = [str(binaries / name), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **USER)

    run("initdb", "-D", f"{folder}/data", "-U", "fanin", "--auth=trust")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start")
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "fanin", "mlflow")
        yield f"postgresql+psycopg://fanin@127.0.0.1:{port}/mlflow"
    finally:
        run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def test_a_sweep_and_its_resumption_through_a_server_on_postgresql(database, tmp_path):
    server = Server(tmp_path, store=database)
    server.start()
    try:
        workplace = Workplace.with_own_project(tmp_path, server.address)
        line = ["-m", "init=xavier,kaiming", "depth=3", "hidden_size=8"]
        workplace.run(*line)
        workplace.run(*line, "sweep.resume=true")
        (parent,) = workplace.parents()
        children = workplace.children()
        assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
        for run in children:
            assert sorted(workplace.curve(run, "activation/std")) == [1, 2, 3]
            names = {file.path for file in workplace.client().list_artifacts(run.info.run_id)}
            assert names == {"config.yaml", "profile.csv"}
    finally:
        server.stop()


def test_a_sweep_straight_into_postgresql(database, tmp_path):
    workplace = Workplace.with_own_project(tmp_path, database)
    workplace.run("-m", "seed=0,1", "depth=2", "hidden_size=8")
    assert [run.info.status for run in workplace.runs()] == ["FINISHED"] * 3
    assert (workplace.project / "outputs" / "artifacts").is_dir()
