"""What a user gets wrong: one line that names it, status 1, nothing in the store."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
import torch
from workplace import Workplace

from fanin.config.errors import SettingError
from fanin.config.settings import Settings
from fanin.nn.device import can_multiply
from fanin.runner import ingredients
from fanin.runner.preflight import check_disk

OPTIONS = "critical, glorot, kaiming, lecun, lsuv, normal, orthogonal, small, torch_default, xavier"

# What is typed, and what the line says: the setting, the value, and what would work.
WRONG = {
    "init=kaimming": f"init=kaimming: no such option; did you mean kaiming? ({OPTIONS})",
    "-m init=xavier,kaimming": "init=kaimming: no such option; did you mean kaiming?",
    "activation=null": "a group takes the name of an option, as in activation=relu",
    "depth=-1": "depth=-1: use a whole number, 0 or more",
    "depth=ten": "depth=ten: use a whole number",
    "depth=": "depth=: use a whole number",
    "depth=1.5": "depth=1.5: use a whole number",
    "depth=[1,2]": "depth=[1, 2]: use a whole number",
    "depth=1,2": "depth=1,2: several values are a sweep; add -m",
    "-m depth=1,ten": "depth=ten: use a whole number",
    "-m depth=2,-1": "depth=-1: use a whole number, 0 or more",
    "detph=1": "detph: no such setting; did you mean depth?",
    "+extra=1": "extra: no such setting",
    "timing.repeat=3": "timing.repeat: no such setting; did you mean repeats?",
    "timing.repeats=0": "timing.repeats=0: use a whole number, 1 or more",
    "timing.warmup=-1": "timing.warmup=-1: use a whole number, 0 or more",
    "hidden_size=0": "hidden_size=0: use a whole number, 1 or more",
    "batch_size=0": "batch_size=0: use a whole number, 1 or more",
    "replicas=0": "replicas=0: use a whole number, 1 or more",
    "seed=-1": "seed=-1: use a whole number, 0 or more",
    "seed=4294967295 replicas=2": "seed=4294967295 replicas=2: use numbers whose sum is at most",
    "dtype=int8": "dtype=int8: use one of float32, float64, bfloat16, float16",
    "device=tpu": "device=tpu: no such option; did you mean cpu? (auto, cpu, cuda, mps)",
    "device.name=tpu": "device.name=tpu: use one of auto, cpu, cuda, mps",
    "init.scal=3": "init.scal: no such setting; did you mean scale?",
    "+init.gain=3": "init.gain: no such setting",
    "init.scale=big": "init.scale=big: use a number",
    "init.scale=-1": "init.scale=-1: use a finite number, 0 or more",
    "init.scale=nan": "init.scale=nan: use a finite number, 0 or more",
    "init.mode=fan": "init.mode=fan: use one of fan_in, fan_out, fan_avg",
    "init.bias_std=-1": "init.bias_std=-1: use a finite number, 0 or more",
    "init=normal init.std=-2": "init.std=-2: use a finite number, 0 or more",
    "init._target_=no.Such": "init: Error loading 'no.Such'",
    "data.features=0": "data.features=0: use a whole number, 1 or more",
    "data.seed=-1": "data.seed=-1: use a whole number, 0 or more",
    "data=file": "data.path is missing: give it a value",
    "data=file data.path=missing.csv": "data.path=missing.csv: there is no such file",
    "data=file data.path=letters.csv": "letters.csv: line 2, column 2 has 'b' among numbers",
    "data=file data.path=notes.md": "data.path=notes.md: use .csv, .tsv, .txt, ",
    "data=file data.path=letters.csv data.missing=skip": "missing=skip: use one of refuse",
    "data=wine loss=mse": "loss=mse data=wine: needs numbers as targets, and class has words",
    "loss=cross_entropy": "loss=cross_entropy data=gaussian: needs classes as targets, and",
    "tracking.uri=null": "tracking.uri",
    "tracking.uri=nonsense://here": "tracking.uri=nonsense://here:",
    "experiment=missing": "experiment",
    "~depth": "depth is missing: give it a",
    "~tracking": "tracking",
    "depth=range(1,4)": "depth=range(1,4): several values are a sweep; add -m",
    "hidden_size=300000": "use a smaller depth, hidden_size, batch_size or replicas",
    "batch_size=99999999999": "batch_size=99999999999 replicas=1 matmul=builtin: needs",
    "-m activation=[relu,tanh]": "activation: use the name of one option",
    "init._target_=fanin.nn.activations.ReLU ~init.mode ~init.distribution ~init.scale"
    " ~init.bias_std": "init._target_=fanin.nn.activations.ReLU: not a Init",
    "-m depth=range(5,1)": "depth=range(5,1): this sweep has no jobs",
    "-m tracking.experiment=x,y": "tracking.experiment=x,y: cannot be swept",
    "experiment=chapter/fify": "did you mean chapter/fifty_layers?",
    "tracking.uri=": "tracking.uri is empty",
    "tracking.uri=http://me:secret@localhost:1": "tracking.uri=http://***@localhost:1: ",
    "init={a:": "init={a:: cannot parse this; write NAME=VALUE",
    "--depth=10": "--depth=10: no such flag; write depth=10",
    "init=xavier --depth 10": "--depth 10: no such flag; write depth=10",
    "--bogus": "--bogus: no such flag; see --help",
    "--multirun=3": "--multirun/-m: ignored explicit argument '3'; see --help",
    "--config-name=x": "--config-name=x: no such file in conf/",
    "depth = 10": "depth: cannot parse this; write NAME=VALUE, without spaces",
    "init=xavier.yaml": "init=xavier.yaml: no such option; did you mean xavier?",
    "-m init=xavier,kaiming.yaml": "init=kaiming.yaml: no such option; did you mean kaiming?",
    "experiment=chapter/engines.yaml": "no such option; did you mean chapter/engines?",
    "init=XAVIER": "init=XAVIER: no such option; did you mean xavier?",
    "init=he": "init=he: no such option; did you mean kaiming?",
    "activation=swish": "activation=swish: no such option; did you mean silu?",
    "activation=linear": "activation=linear: no such option; did you mean identity?",
    "activation=logistic": "activation=logistic: no such option; did you mean sigmoid?",
    "loss=ce": "loss=ce: no such option; did you mean cross_entropy?",
    "loss=l2": "loss=l2: no such option; did you mean mse?",
    "device=gpu": "device=gpu: no such option; did you mean cuda or mps?",
    "device=0": "device=0: a group takes the name of an option, as in activation=relu",
    "dtype=half": "use one of float32, float64, bfloat16, float16; did you mean float16?",
    "engine=autograd": "did you mean autograd_function or module?",
    "width=50": "width: no such setting; did you mean hidden_size?",
    "layers=3": "layers: no such setting; did you mean depth?",
    "bs=8": "bs: no such setting; did you mean batch_size?",
    "hidden-size=8": "hidden-size: no such setting; did you mean hidden_size?",
    "repeats=3": "repeats: no such setting; did you mean timing.repeats?",
    "init=xavier init.std=2": "init.std: no such setting; init=normal has one",
    "activation.slope=0.1": "activation.slope: no such setting; activation=leaky_relu has one",
    "depth=1e3": "depth=1000.0: use a whole number, 1000",
    "depth=true": "depth=True: use a whole number",
    "depth=null": "depth=null: give it a value",
    "init.scale=null": "init.scale=null: give it a value",
    "claims.strict=maybe": "claims.strict=maybe: use true or false",
    "timing=fast": "timing=fast: set its parts one by one, timing.NAME=VALUE (warmup,",
    "tracking=off": "tracking=off: set its parts one by one, tracking.NAME=VALUE (uri,",
    "+depth=3": "+depth=3: the setting exists already; write depth=3",
    "+init=xavier": "+init=xavier: init already has a value; write init=xavier",
    "~detph": "~detph: no such setting",
    "~timing.warmup": "~timing.warmup: cannot be deleted; set it to another value",
    "hydra/launcher=nope": "hydra/launcher=nope: no such option (basic, joblib",
    "-m hydra.sweeper.params.depth=1": "hydra.sweeper.params.depth: no such setting",
    "experiment=chapter/fifty_layers depth=ten": "depth=ten: use a whole number",
    "-m experiment=chapter/engines,chapter/devices": "experiments cannot be swept; run them one",
    "hydra.run.dir=letters.csv/x": "letters.csv/x: Not a directory; name a folder with hydra.run.",
    "-m hydra.sweep.dir=letters.csv/x": "letters.csv; choose another folder",
    "tracking.uri=sqlite:///": "tracking.uri=sqlite:///: write sqlite:///FILE",
    "tracking.uri=sqlite:///.": "is a folder; name a file in it",
    "tracking.uri=sqlite:///letters.csv": "is not a SQLite database; name another file",
    "tracking.uri=sqlite:///letters.csv/x.db": "letters.csv; choose another folder",
    "tracking.uri=sqlite:///old.db": "of another version of MLflow (before, not ",
    "tracking.uri=file:///tmp/x": "file:///tmp/x: is neither a database nor a server; write",
    "tracking.uri=http://localhost:1": "no server answers there; is it running?",
    "tracking.uri=mssql+no://me:secret@here/x": "tracking.uri=mssql+no://***@here/x: ",
    "experiment=chapter/two_layers ~claims": "claims is missing: give it a value",
    "--run -m": "Only one of --run, --multirun",
    "claims.made=[1]": "claims.made",
    "matmul=loops": "replicas=1 matmul=loops: 7 passes would take 1.1 hours; use matmul=builtin",
    "matmul=rows hidden_size=3000": "hours; use matmul=builtin or a smaller depth",
    "matmul=einsum hidden_size=30000": "use matmul=builtin or a smaller depth",
    "data.features=99999999999": "data.features=99999999999 data.outputs=1 data.seed=0: too large",
    "sweep.resume=true": "sweep.resume=true: belongs to a sweep; add -m",
    "sweep.save_as=x": "sweep.save_as=x: belongs to a sweep; add -m",
    "from_run=abc": "from_run=abc: repeats a run as a sweep; add -m",
    "-m from_run=abc": "from_run=abc: Run with id=abc not found",
    "-m from_run=abc experiment=chapter/engines": "from_run and experiment: each is a sweep",
    "-m sweep.resume=maybe": "sweep.resume=maybe: use true or false",
    "-m sweep.plan=true,false": "plan=true,false: cannot be swept; it applies to the whole",
    "-m sweep.exclude=[{inti:xavier}]": "inti is not a setting of any job; did you mean init?",
    "-m depth=1,2 sweep.exclude=[{depth:3}]": "sweep.exclude={depth: 3}: matches no job",
    "-m depth=1,2 sweep.exclude=[{seed:0}]": "sweep.exclude: excludes all 2 jobs",
    "-m sweep.exclude=xavier": "sweep.exclude=xavier: use a list of settings",
    "-m sweep.exclude=5": "sweep.exclude=5: use a list of settings",
    "-m sweep.exclude=null": "sweep.exclude=None: use a list of settings",
    "-m sweep.exclude=[xavier]": "sweep.exclude=['xavier']: use a list of settings",
    "-m sweep.exclude={init:xavier}": "use a list, in brackets",
    "-m sweep.save_as=../x": "sweep.save_as=../x: use letters, digits, - and _",
    "-m sweep.save_as=chapter/engines seed=0,1": "exists already; use another name",
    "-m ~init.mode sweep.save_as=x": "sweep.save_as=x: an experiment file cannot delete settings",
    "-m sweep.skip=1": "sweep.skip: no such setting (resume, plan, exclude, save_as)",
    "-m resume=true": "resume: no such setting; did you mean sweep.resume?",
    "tracking.timeout=0": "tracking.timeout=0: use a whole number, 1 or more",
    "-m depth=1 hydra.sweep.dir=/dev/null/x": "sweep.dir=/dev/null/x: cannot write to /dev/null",
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Workplace:
    """A place with one run in its store, some files, and a store of an older MLflow."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "letters.csv").write_text("1,2\n3,b\n")
    (folder / "notes.md").write_text("1,2\n")
    place = Workplace(folder)
    place.run("depth=1", "hidden_size=2")
    shutil.copy(folder / "mlflow.db", folder / "old.db")
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        old.execute("update alembic_version set version_num = 'before'")
    return place


def everything(workplace: Workplace) -> list[str]:
    """All that is in the store."""
    client = workplace.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return experiments + [run.info.run_id for run in client.search_runs(experiments)]


@pytest.mark.parametrize("typed", WRONG)
def test_one_line_that_names_it(workplace, typed):
    before = everything(workplace)
    done = workplace.run_here(*typed.split(), status=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("fanin: ")
    assert WRONG[typed] in line
    assert done.stdout == ""
    assert "secret" not in line
    assert everything(workplace) == before


@pytest.mark.parametrize("typed", [*WRONG][::24])
def test_the_same_line_from_a_process_of_its_own(workplace, typed):
    done = workplace.run(*typed.split(), status=1)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("fanin: ")
    assert WRONG[typed] in line


def test_a_dtype_that_the_device_does_not_have(monkeypatch):
    """As on a device without half precision; there is none to try it on."""
    monkeypatch.setattr(ingredients, "can_multiply", lambda device, dtype: dtype.itemsize > 2)
    settings = Settings(device={"name": "cpu"}, dtype="float16")
    line = "dtype=float16: device=cpu cannot compute with it; use float32, float64 or device=cpu"
    with pytest.raises(SettingError, match=re.escape(line)):
        ingredients.prepare(settings, {})


def test_what_no_machine_computes_with():
    assert can_multiply(torch.device("cpu"), torch.float64)
    assert not can_multiply(torch.device("cpu"), torch.bool)


def test_a_disk_without_room(tmp_path):
    folder = tmp_path / "not" / "there" / "yet"
    check_disk("hydra.run.dir=there", folder, needed=1)
    with pytest.raises(SettingError, match=r"^hydra.run.dir=there: needs 900 TB and its disk"):
        check_disk("hydra.run.dir=there", folder, needed=9 * 10**14)
    assert not folder.exists()


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(workplace, device):
    if getattr(torch, device).is_available():
        pytest.skip(f"this machine has {device}")
    done = workplace.run_here(f"device={device}", status=1)
    assert done.stderr.startswith(f"fanin: device={device}: this machine has none; use auto or")
    assert len(workplace.runs()) == 1
