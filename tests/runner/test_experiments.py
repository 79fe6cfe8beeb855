"""The files in experiments/: all of them run, say what they are for, and keep their claims."""

import csv
import json
import shutil

import pytest
from omegaconf import OmegaConf
from workplace import PROJECT, Workplace

EXPERIMENTS = sorted(
    str(path.relative_to(PROJECT / "experiments").with_suffix(""))
    for path in (PROJECT / "experiments").rglob("*.yaml")
)
PAPERS = [name for name in EXPERIMENTS if name.startswith("paper/")]
SHRUNK = ["batch_size=3", "data.features=4", "timing.warmup=0", "timing.repeats=1"]


def children(workplace: Workplace, experiment: str) -> list:
    _, *rest = workplace.runs(experiment)
    return rest


@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_keeps_its_claims(workplace, name):
    quick = ["timing.warmup=0", "timing.repeats=1"]  # no paper's claim is about time
    workplace.run(f"experiment={name}", "claims.strict=true", *quick)
    stated = len(OmegaConf.load(PROJECT / "experiments" / f"{name}.yaml").claims)
    (parent, *_) = workplace.runs(name)
    assert parent.data.metrics == {"summary/claims_kept": stated, "summary/claims_broken": 0}


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in PAPERS])
def test_every_other_experiment_runs_shrunk(workplace, name):
    file = OmegaConf.load(PROJECT / "experiments" / f"{name}.yaml")
    depth = ["depth=2"] if file.get("depth") else []
    width = ["hidden_size=3"] if "hidden_size" not in file.hydra.sweeper.params else []
    done = workplace.run(f"experiment={name}", *SHRUNK, *depth, *width)
    parent, *jobs = workplace.runs(name)
    assert parent.info.status == "FINISHED"
    assert jobs
    assert {job.data.tags["mlflow.parentRunId"] for job in jobs} == {parent.info.run_id}
    assert f"tracked as experiment={name}" in done.stdout


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_opens_with_question_command_expectation_and_cost(name):
    text = (PROJECT / "experiments" / f"{name}.yaml").read_text()
    comment = text.split("\n\n")[0].splitlines()
    assert comment[0].startswith("# Question: ")
    assert comment[0].endswith("?")
    assert f"#     python run.py experiment={name}" in comment
    assert any(line.startswith("# Expect") for line in comment)
    assert any(line.startswith("# Cost: ") for line in comment)


def test_fifty_layers_keeps_every_claim_over_many_seeds(workplace):
    quick = ["timing.warmup=0", "timing.repeats=1", "claims.strict=true"]
    workplace.run("experiment=chapter/fifty_layers", "replicas=64", *quick)
    parent = workplace.runs("chapter/fifty_layers")[0]
    assert parent.data.metrics == {"summary/claims_kept": 5, "summary/claims_broken": 0}
    (table,) = (workplace.folder / "artifacts" / parent.info.run_id).rglob("claims.json")
    columns = json.loads(table.read_text())
    assert columns["columns"] == ["says", "metric", "expected", "measured", "verdict"]
    assert {row[-1] for row in columns["data"]} == {"kept"}


def test_a_scale_broken_by_hand_breaks_the_right_claim(workplace):
    narrowed = ["init=kaiming", "init.scale=1", "timing.repeats=1"]
    done = workplace.run("experiment=chapter/fifty_layers", *narrowed)
    parent = workplace.runs("chapter/fifty_layers")[0]
    assert parent.data.tags["claims.broken"] == (
        "He's scale keeps the size of a signal through fifty ReLU layers"
    )
    assert parent.data.metrics == {"summary/claims_kept": 0, "summary/claims_broken": 1}
    assert done.stdout.count("untested") == 4
    workplace.run("experiment=chapter/fifty_layers", *narrowed, "claims.strict=true", status=1)


def test_a_value_on_the_command_line_narrows_or_widens(workplace):
    workplace.run(
        "experiment=chapter/fifty_layers", "init=xavier", "hidden_size=5,7", "depth=2", *SHRUNK
    )
    jobs = children(workplace, "chapter/fifty_layers")
    assert len(jobs) == 4
    assert {job.data.params["init"] for job in jobs} == {"xavier"}
    assert {job.data.params["hidden_size"] for job in jobs} == {"5", "7"}


def test_the_ladder_has_five_times_and_four_speed_ups_in_order(workplace):
    done = workplace.run("experiment=chapter/matmul_ladder", *SHRUNK)
    rungs = ["loops", "rows", "broadcast", "einsum", "builtin"]
    rows = [line.split() for line in done.stdout.splitlines() if line.endswith("healthy")]
    assert [row[0] for row in rows] == rungs
    products = [float(row[3].replace(",", "")) for row in rows]
    faster = [float(row[4].replace(",", "")) for row in rows[1:]]
    assert rows[0][4] == "-"
    for product, ratio in zip(products[1:], faster, strict=True):
        assert ratio == pytest.approx(products[0] / product, rel=0.02)
    parent, *jobs = workplace.runs("chapter/matmul_ladder")
    assert list((workplace.folder / "artifacts" / parent.info.run_id).rglob("ladder.png"))
    assert [job.data.params["matmul"] for job in jobs] == rungs


def test_the_engines_leave_the_same_curves(workplace):
    workplace.run("experiment=chapter/engines", "depth=4", *SHRUNK, "claims.strict=true")
    tables = []
    for job in children(workplace, "chapter/engines"):
        (path,) = (workplace.folder / "artifacts" / job.info.run_id).rglob("profile.csv")
        with path.open() as file:
            tables.append(list(csv.DictReader(file)))
    manual, *others = tables
    for other in others:
        for ours, theirs in zip(manual, other, strict=True):
            for name, value in ours.items():
                if not name.startswith("time/"):
                    assert float(theirs[name]) == pytest.approx(float(value), rel=1e-10, abs=1e-14)


@pytest.fixture
def copy(tmp_path) -> Workplace:
    """A copy of the project, for experiment files of one's own."""
    project = tmp_path / "src"  # on PYTHONPATH below, before the installed one
    shutil.copytree(PROJECT / "src", project / "src")
    for folder in ("conf", "experiments"):
        shutil.copytree(PROJECT / folder, project / folder)
    shutil.copy(PROJECT / "run.py", project)
    return Workplace(project / "src", project)


MINE = """
# Question: mine?
depth: 2
hydra:
  sweeper:
    params:
      init: xavier,kaiming
claims:
  - says: alive
    where: {init: kaiming}
    metric: activation/std
    above: 0.01
"""


def test_a_file_of_ones_own_is_listed_and_runs(copy):
    (copy.project / "experiments" / "mine.yaml").write_text(MINE)
    assert "mine" in copy.run("--help").stdout
    copy.run("experiment=mine", "claims.strict=true")
    assert len(children(copy, "mine")) == 2


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("detph: 2", "experiments/mine.yaml: detph: no such setting; did you mean depth?"),
        ("depth: ten", "experiments/mine.yaml: depth=ten: use a whole number"),
        ("depth: [1", "experiments/mine.yaml: cannot be read"),
        ("- depth", "experiments/mine.yaml: cannot be read"),
        ("depth: -1", "depth=-1: use a whole number, 0 or more"),
        (
            "hydra: {sweeper: {params: {depth: [1, 2]}}}",
            "hydra.sweeper.params.depth=[1, 2]: write the values as one string, depth: 1,2,3",
        ),
        ("hydra: {sweeper: {params: {detph: '1,2'}}}", "detph: no such setting"),
        ("defaults: [{override /init: kaimming}]", "init=kaimming: no such option"),
        (MINE.replace("above: 0.01", "abov: 1"), "abov: no such setting; did you mean above?"),
        (MINE.replace("    above: 0.01", ""), "claim 'alive': it has no bound"),
        (MINE.replace("{init: kaiming}", "{init: lecun}"), "matches no job in this sweep"),
        (MINE.replace("activation/std", "activation/sdt"), "metric=activation/sdt"),
    ],
)
def test_a_mistake_in_it_is_one_line(copy, wrong, line):
    (copy.project / "experiments" / "mine.yaml").write_text(wrong)
    done = copy.run("experiment=mine", status=1)
    (said,) = done.stderr.splitlines()
    assert line in said
    assert copy.runs("mine") == []
    copy.run("--help")  # and hinders nothing else


def test_a_sweep_of_experiments_is_refused(workplace):
    both = "experiment=chapter/two_layers,chapter/engines"
    done = workplace.run("-m", both, status=1)
    assert done.stderr == f"fanin: {both}: experiments cannot be swept; run them one at a time\n"
