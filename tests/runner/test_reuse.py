"""Plan, leave out, save, repeat: the same sweep again, or another from it."""

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from workplace import Workplace

from fanin.config.saved_sweep import (
    LineSetting,
    experiment_content,
    overrides_of_params,
    overrides_of_sweep,
)

SMALL = ["hidden_size=4", "batch_size=3", "data.features=4", "timing.warmup=0", "timing.repeats=1"]


@pytest.fixture
def own(tmp_path):
    """A workplace whose project may be written to."""
    return Workplace.with_own_project(tmp_path)


def combinations(runs, *names):
    return [tuple(run.data.params[name] for name in names) for run in runs]


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line[:1].isdigit()]


def test_what_is_left_out_keeps_its_number_and_is_recorded(workplace):
    line = ["-m", "init=xavier,kaiming", "depth=1,2", *SMALL]
    done = workplace.run(*line, "sweep.exclude=[{init: xavier, depth: 2}]")
    assert combinations(workplace.children(), "init", "depth") == [
        ("xavier", "1"),
        ("kaiming", "1"),
        ("kaiming", "2"),
    ]
    folders = [run.data.tags["output_dir"].rsplit("/")[-1] for run in workplace.children()]
    assert folders == ["0", "2", "3"]
    (parent,) = workplace.parents()
    assert parent.data.tags["sweep.left_out"].startswith("1 (init=xavier depth=2")
    table = (workplace.folder / "sweep" / "jobs.csv").read_text().splitlines()
    assert [line.rsplit(",")[-1] for line in table[1:]] == [
        "finished",
        "left out",
        "finished",
        "finished",
    ]
    assert "3/3" in done.stderr


def test_a_job_that_cannot_work_can_be_left_out(workplace):
    exclude = "sweep.exclude=[{data: gaussian, loss: cross_entropy}]"
    workplace.run("-m", "data=gaussian,digits", "loss=mse,cross_entropy", "depth=1", exclude)
    assert len(workplace.children()) == 3


def test_a_plan_runs_nothing_and_makes_nothing(workplace):
    line = ["-m", "init=xavier,kaiming", "depth=1,2", *SMALL]
    done = workplace.run(*line, "sweep.plan=true", "sweep.exclude=[{init: xavier, depth: 2}]")
    table = rows(done.stdout)[:4]
    assert [row[:3] for row in table] == [
        ["0", "xavier", "1"],
        ["1", "xavier", "2"],
        ["2", "kaiming", "1"],
        ["3", "kaiming", "2"],
    ]
    assert [row[-2:] for row in table] == [["to", "run"], ["left", "out"], *2 * [["to", "run"]]]
    assert [row[-3] for row in table] == ["healthy?", "-", "healthy?", "healthy?"]  # narrow nets
    assert "3 to run, 1 left out" in done.stdout
    assert "one after another" in done.stdout
    assert not list(workplace.folder.iterdir())


def test_a_plan_knows_what_is_done(workplace):
    workplace.run("-m", "seed=0,1", "depth=1", *SMALL)
    done = workplace.run("-m", "seed=0,1", "depth=1", *SMALL, "sweep.plan=true")
    assert done.stdout.count("done already") == 3
    assert len(workplace.runs()) == 3


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (["-m", "init.scale=1,1.5", "depth=2", "activation=tanh", *SMALL], ["init.scale"]),
        (["experiment=chapter/two_layers", "init=glob(*a*)", *SMALL], ["init", "activation"]),
        (["-m", "seed=range(0,3)", *SMALL, "sweep.exclude=[{seed: 1}]"], ["seed"]),
    ],
)
def test_a_saved_sweep_is_the_same_sweep(own, line, names):
    own.run(*line, "sweep.save_as=mine/one")
    own.run("experiment=mine/one")
    first = own.runs("chapter/two_layers") or own.runs()
    again = own.runs("mine/one")
    leave = ("tracking.experiment",)
    params = [
        [{k: v for k, v in run.data.params.items() if k not in leave} for run in runs[1:]]
        for runs in (first, again)
    ]
    assert params[0] == params[1]
    assert len({tuple(p[name] for name in names) for p in params[0]}) == len(params[0]) > 1
    claims = "claims" in yaml.safe_load((own.project / "experiments/mine/one.yaml").read_text())
    assert claims == ("two_layers" in line[0])


def test_a_name_that_is_taken_is_not_written_over(own):
    own.run("-m", "seed=0,1", *SMALL, "sweep.save_as=mine")
    own.run("-m", "seed=0,1", *SMALL, "sweep.save_as=mine", "sweep.resume=true")
    done = own.run("-m", "seed=0,2", *SMALL, "sweep.save_as=mine", status=1)
    assert "exists already; use another name" in done.stderr
    assert len(own.parents()) == 1


def test_a_tracked_run_is_repeated_with_what_is_typed(workplace):
    workplace.run("init=glorot", "init.scale=3", "activation=tanh", "depth=3", *SMALL)
    (run,) = workplace.runs()
    workplace.run("-m", f"from_run={run.info.run_id}", "depth=4,5")
    for child in workplace.children():
        changed = {
            name
            for name, value in child.data.params.items()
            if run.data.params[name] != value and not name.startswith("tracking.")
        }
        assert changed == {"depth"}
    assert combinations(workplace.children(), "depth") == [("4",), ("5",)]
    # An option that is typed brings its own settings.
    workplace.run("-m", f"from_run={run.info.run_id}", "init=kaiming")
    last = workplace.runs()[-1]
    first, second = workplace.parents()
    assert first.data.tags["sweep.hash"] != second.data.tags["sweep.hash"]
    assert second.info.run_name == f"from_run={run.info.run_id} init=kaiming"
    assert last.info.run_name.startswith("kaiming tanh 3x4 data.features=4 batch_size=3")
    assert last.data.params["init.scale"] == "2.0"
    assert last.data.params["activation"] == "tanh"


def test_a_tracked_sweep_is_repeated_with_what_is_typed(workplace):
    left_out = "sweep.exclude=[{init: xavier, depth: 2}]"
    workplace.run("-m", "init=xavier,kaiming", "depth=1,2", *SMALL, left_out)
    (parent,) = workplace.parents()
    assert "sweep.yaml" in [f.path for f in workplace.client().list_artifacts(parent.info.run_id)]
    workplace.run("-m", f"from_run={parent.info.run_id}", "seed=7")
    before, after = workplace.children()[:3], workplace.children()[3:]
    names = ("init", "depth", "hidden_size")
    assert combinations(after, *names) == combinations(before, *names)
    assert combinations(after, "seed") == [("7",)] * 3


@pytest.mark.parametrize(
    "param",
    [
        {"init._target_": "os.system"},
        {"init.scale": "${oc.env:HOME}"},
        {"hydra.sweep.dir": "elsewhere"},
        {"hydra/launcher": "joblib"},
        {"sweep.save_as": "x", "depth ": "1"},
        {"depth=1 init": "x"},
        {"~depth": ""},
    ],
)
def test_code_is_not_taken_from_a_run(param):
    params = dict.fromkeys(("init", "activation", "data", "loss", "device"), "a")
    assert overrides_of_params(params) == [f"{group}=a" for group in params]
    with pytest.raises(ValueError, match=r"does not accept .* from a stored run"):
        overrides_of_params(params | param)


@pytest.mark.parametrize(
    "text",
    [
        "init: {_target_: os.system}",
        "depth: ${oc.env:HOME}",
        "hydra: {sweeper: {params: {hydra.launcher: x}}}",
        "hydra: {sweeper: {params: {activation: '{_target_:mine.Own},relu'}}}",
        "hydra: {sweeper: {params: {activation: 'relu,../../../evil'}}}",
        "defaults: [{override /activation: ../../../evil}]",
        "activation: ../../../evil",
        "timing: [{_target_: os.system}]",
        "hydra: {sweeper: {params: {depth: '1,${oc.env:HOME}'}}}",
        "defaults: [{/hydra/launcher: joblib}]",
        "defaults: [{override /tracking: x}]",
        "sweep: {exclude: [{init: '${oc.env:HOME}'}]}",
        "tracking: {uri: http://localhost:1}",
        "!!python/object/apply:os.system [ls]",
        "[1, 2]",
        "'text'",
        "a: b: c",
        "hydra: 3",
        "defaults: 3",
    ],
)
def test_code_is_not_taken_from_a_sweep(text):
    with pytest.raises(
        ValueError,
        match=r"not accept .* from a stored run|not valid YAML|not hold settings",
    ):
        overrides_of_sweep(text)


@pytest.mark.parametrize("params", [{}, {"lr": "0.1"}, {"init": "kaiming", "depth": "3"}])
def test_a_run_of_something_else_is_refused(params):
    with pytest.raises(ValueError, match="was not made by fanin"):
        overrides_of_params(params)


def test_a_run_that_is_not_there(workplace):
    workplace.run("depth=1", *SMALL)
    done = workplace.run("-m", "from_run=nonsense", status=1)
    assert done.stderr.startswith("fanin: from_run=nonsense: ")
    assert len(done.stderr.splitlines()) == 1
    assert len(workplace.runs()) == 1


def test_a_poisoned_run_is_refused(workplace):
    workplace.run("depth=1", *SMALL)
    (run,) = workplace.runs()
    workplace.client().log_param(run.info.run_id, "activation._target_", "os.system")
    done = workplace.run("-m", f"from_run={run.info.run_id}", status=1)
    assert "fanin does not accept the setting activation._target_ from a stored run" in done.stderr
    assert len(workplace.runs()) == 1


def test_values_come_back_as_they_went():
    settings = [
        LineSetting("data.path", "", "it's a \\ path, really", False, True, False),
        LineSetting("init.scale", "1,2", None, True, True, False),
        LineSetting("timing.product", "true", True, False, True, False),
        LineSetting("seed", "3", 3, False, True, False),
        LineSetting("tracking.uri", "x", "x", False, True, False),
    ]
    file = experiment_content({}, settings, [{"init": "xavier", "seed": 1}])
    text = yaml.safe_dump(file, sort_keys=False)
    assert overrides_of_sweep(text) == [
        "data.path='it\\'s a \\ path, really'",
        "timing.product=true",
        "seed=3",
        "init.scale=1,2",
        "sweep.exclude=[{init:xavier,seed:1}]",
    ]


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1).filter(lambda t: "${" not in t))
def test_any_text_comes_back_as_it_went(text):
    setting = LineSetting("data.path", "", text, False, True, False)
    (line,) = overrides_of_sweep(yaml.safe_dump(experiment_content({}, [setting], [])))
    (override,) = OverridesParser.create().parse_overrides([line])
    assert str(override.value()) == text
