"""The short way to a job's configuration: everything that Hydra's own has, or its words."""

import pickle
from shutil import copytree

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict
from workplace import PROJECT

from fanin.config.complete import complete_values
from fanin.config.compose import ConfigTemplate, TemplateConfigLoader
from fanin.config.schema import register
from fanin.measure.params import GROUPS

BOTH = {
    "values": ["depth=3", "seed=7", "init.scale=1.5", "jacobian=true", "tracking.parent=12ab"],
    "options": ["init=xavier", "activation=leaky_relu", "depth=3", "activation.slope=0.3"],
    "a value before its option": ["init.scale=3", "init=xavier"],
    "a value twice": ["depth=3", "depth=4"],
    "an experiment": ["experiment=chapter/fifty_layers", "init=xavier", "seed=1"],
    "words": ["tracking.experiment='a b'", "dtype=float64", "device.name=cpu"],
    "an interpolation": ["hidden_size=${depth}", "depth=4"],
    "null": ["tracking.experiment=null", "depth=4"],
    "added": ["+activation.slope=0.1", "depth=4"],
    "left out": ["~init.mode", "depth=4"],
    "a list": ["sweep.exclude=[{depth: 3}]", "depth=4"],
    "a part": ["init={scale: 3}", "depth=4"],
    "a part after its value": ["init.scale=5", "init={scale: 3}"],
    "forced": ["++init.other=3", "depth=4"],
    "of Hydra's": ["hydra.job.name=mine", "depth=4"],
}
NEITHER = {
    "no such setting": ["dept=3"],
    "no such option": ["init=nope"],
    "no number, and then one": ["depth=three", "depth=4"],
    "not a number": ["depth=three"],
    "a part set to a value": ["timing=3"],
    "a group by a number": ["init=3"],
    "no such part": ["init.scael=3"],
}


@pytest.fixture(scope="module")
def loaders():
    setup_globals()
    register()
    plain = ConfigLoaderImpl(create_config_search_path(str(PROJECT / "conf")))
    sweep = plain.load_configuration("config", ["hydra.verbose=true"], RunMode.MULTIRUN)
    return sweep, plain, TemplateConfigLoader(plain)


@pytest.mark.parametrize("overrides", BOTH.values(), ids=BOTH)
def test_is_what_hydra_composes(loaders, overrides):
    sweep, plain, quick = loaders
    quick.load_sweep_config(sweep, ["seed=99", *overrides])  # it must leave no trace
    expected, found = (loader.load_sweep_config(sweep, overrides) for loader in (plain, quick))
    assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)
    assert types_and_flags(found) == types_and_flags(expected)


def types_and_flags(config, name="") -> dict[str, tuple]:
    """The types and flags of every part."""
    own = {name: (OmegaConf.get_type(config), config._metadata.flags, config._metadata.object_type)}
    for key in config if OmegaConf.is_dict(config) and not config._is_none() else ():
        node = config._get_node(key)
        own[f"{name}.{key}"] = type(node), node._metadata.optional, node._metadata.ref_type
        own |= types_and_flags(node, f"{name}.{key}") if OmegaConf.is_config(node) else {}
    return own


@pytest.mark.parametrize("overrides", NEITHER.values(), ids=NEITHER)
def test_a_wrong_one_is_answered_by_hydra(loaders, overrides):
    sweep, plain, quick = loaders
    raised = (HydraException, ValueError)
    with pytest.raises(raised) as expected:
        plain.load_sweep_config(sweep, overrides)
    with pytest.raises(raised) as found:
        quick.load_sweep_config(sweep, overrides)
    assert str(found.value) == str(expected.value)


VALUES = {
    "numbers": ("seed=0", "depth=3", "init.scale=1.5"),
    "of another type": ("seed=3", "depth=3", "init.scale=2"),
    "equal, and of another type": ("seed=3", "depth=3", "init.scale=1"),
    "again": ("seed=4", "depth=50", "init.scale=0.1"),
}
CLASSES = {
    "a class": ("activation._target_=fanin.nn.activations.ReLU",),
    "one with settings": ("activation._target_=fanin.nn.activations.LeakyReLU",),
}
MADE_FROM_OTHERS = {
    "from a value": ["hidden_size=${depth}", "depth=3"],
    "from a changed one": ["hidden_size=${depth}", "depth=4"],
    "itself no more": ["hidden_size=7", "depth=4"],
    "by a part": ["hidden_size=${.depth}", "depth=5"],
}


@pytest.mark.parametrize(
    "jobs", [VALUES, CLASSES, MADE_FROM_OTHERS], ids=["values", "classes", "interpolations"]
)
@pytest.mark.parametrize("backwards", [False, True])
def test_jobs_of_one_template_are_completed_as_each_by_itself(loaders, jobs, backwards):
    sweep, plain, quick = loaders
    lines = [["activation=relu", *line] for line in jobs.values()]
    if backwards:
        lines.reverse()
    template = ConfigTemplate(own(plain, sweep, lines[0]), {}, quick.split_overrides(lines[0])[1])
    for line in [*lines, *lines]:
        _, values = quick.split_overrides(line)
        found, expected = template.complete(values), complete_values(own(plain, sweep, line))
        assert repr(found) == repr(expected)
        found["depth"] = None  # it must leave no trace


@pytest.mark.parametrize("text", ["${timing}", "${timing.repeats}", "${${kind}.repeats}"])
def test_what_an_option_makes_from_others_follows_them(text):
    def config(repeats: int):
        made = {name: {"_target_": "fanin.nn.activations.ReLU"} for name in GROUPS}
        parts = {"timing": {"repeats": repeats}, "kind": "timing", "tracking": {"uri": "http://x"}}
        return OmegaConf.create({**made, **parts, "device": {"name": text}})

    template = ConfigTemplate(config(2), {}, {"timing.repeats": 2})
    for repeats in (2, 3, 2):
        found = template.complete({"timing.repeats": repeats})
        assert found == complete_values(config(repeats))


def test_all_jobs_have_the_time_of_their_sweep(loaders):
    sweep, _, quick = loaders
    quick.load_sweep_config(sweep, ["init=xavier", "seed=1"])
    place = sweep.hydra.sweep.dir  # read when the first job has been composed already
    for seed in (1, 2):
        job = quick.load_sweep_config(sweep, ["init=xavier", f"seed={seed}"])
        assert job.hydra.sweep.dir == place


def test_of_what_differs_in_single_values_one_is_completed_in_full(loaders, monkeypatch):
    sweep, plain, quick = loaders
    lines = [["init=xavier", f"seed={n}", f"depth={n + 1}"] for n in range(5)]
    template = ConfigTemplate(own(plain, sweep, lines[0]), {}, quick.split_overrides(lines[0])[1])
    in_full = []
    monkeypatch.setattr(
        "fanin.config.compose.complete_values", lambda c: in_full.append(c) or complete_values(c)
    )
    for line in lines:
        template.complete(quick.split_overrides(line)[1])
    assert len(in_full) == 1


def own(loader, sweep, overrides):
    """A job's configuration, without Hydra's part."""
    config = loader.load_sweep_config(sweep, overrides)
    with open_dict(config):
        config.pop("hydra")
    return config


def test_files_are_read_once_for_each_combination_of_options(tmp_path):
    copytree(PROJECT / "conf", tmp_path / "conf")
    plain = ConfigLoaderImpl(create_config_search_path(str(tmp_path / "conf")))
    sweep = plain.load_configuration("config", [], RunMode.MULTIRUN)
    quick = TemplateConfigLoader(plain)
    quick.load_sweep_config(sweep, ["init=xavier", "depth=3"])
    (tmp_path / "conf" / "init" / "xavier.yaml").unlink()
    for loader in (quick, pickle.loads(pickle.dumps(quick))):
        config = loader.load_sweep_config(sweep, ["init=xavier", "depth=4"])
        assert (config.init.scale, config.depth) == (1, 4)
    with pytest.raises(HydraException):
        quick.load_sweep_config(sweep, ["init=xavier", "activation=tanh"])
