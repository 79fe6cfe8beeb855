"""What a user gets wrong: one line that names it, status 1, nothing in the store."""

import pytest
import torch
from workplace import Workplace

OPTIONS = "glorot, kaiming, lecun, normal, orthogonal, small, torch_default, xavier"

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
    "seed=4294967295 replicas=2": "seed=4294967295: use a number under 2^32",
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
    "data=file data.path=letters.csv": "line 2 has 'b'; use numbers",
    "data=file data.path=notes.txt": "use a .npz or a .csv file",
    "data=digits batch_size=2000": "batch_size=2000: the data has 1797 rows; use that or fewer",
    "loss=cross_entropy": "loss=cross_entropy: needs class numbers (0, 1, 2, ...) as targets",
    "tracking.uri=null": "tracking.uri",
    "tracking.uri=nonsense://here": "tracking.uri=nonsense://here:",
    "experiment=missing": "experiment",
    "~depth": "depth is missing: give it a",
    "~tracking": "tracking",
    "depth=range(1,4)": "depth=range(1,4): several values are a sweep; add -m",
    "hidden_size=300000": "use smaller ones",
    "batch_size=99999999999": "batch_size=99999999999: too large for this machine",
    "-m activation=[relu,tanh]": "activation: use the name of one option",
    "init._target_=fanin.nn.activations.ReLU ~init.mode ~init.distribution ~init.scale"
    " ~init.bias_std": "init._target_=fanin.nn.activations.ReLU: not a Init",
    "-m depth=range(5,1)": "depth=range(5,1): a sweep of no jobs",
    "-m tracking.experiment=x,y": "tracking.experiment=x,y: a sweep is tracked in one place",
    "experiment=chapter/fify": "did you mean chapter/fifty_layers?",
    "tracking.uri=": "tracking.uri is empty",
    "tracking.uri=http://me:secret@localhost:1": "tracking.uri=http://***@localhost:1: ",
    "init={a:": "init={a:: not a setting that can be read; write NAME=VALUE",
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Workplace:
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "letters.csv").write_text("1,2\n3,b\n")
    (folder / "notes.txt").write_text("1,2\n")
    return Workplace(folder)


@pytest.mark.parametrize("typed", WRONG)
def test_one_line_that_names_it(workplace, typed):
    done = workplace.run(*typed.split(), status=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("fanin: ")
    assert WRONG[typed] in line
    assert done.stdout == ""
    assert "secret" not in line
    assert not (workplace.folder / "mlflow.db").exists() or workplace.runs() == []


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(workplace, device):
    if getattr(torch, device).is_available():
        pytest.skip(f"this machine has {device}")
    done = workplace.run(f"device={device}", status=1)
    assert done.stderr.startswith(f"fanin: device={device}: this machine has none; use auto or")
    assert workplace.runs() == []
