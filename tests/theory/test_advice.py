"""Advice has to be true: what is recommended is run, and found healthy."""

import re
from dataclasses import replace
from functools import cache

import pytest
import torch
from workplace import Workplace, made, options

from fanin.measure.profile import measure
from fanin.measure.timing import time_passes
from fanin.measure.verdict import verdict
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.runner.data import Gaussian
from fanin.theory.advice import Task, ranking, suggest
from fanin.theory.input_stats import describe

WIDTH, BATCH = 100, 40
X, Y, _ = Gaussian().load(BATCH)


def task(activation, depth):
    return Task(
        activation_name=activation,
        activation=made("activation", activation),
        inputs=describe(X),
        depth=depth,
        width=WIDTH,
        outputs=1,
        dtype=torch.float32,
    )


@cache
def measured(init, activation, depth, seed=0):
    """The verdict on a network that is run."""
    phi = made("activation", activation)
    drawn = init.given(phi)
    parameters = draw(drawn, [seed], depth=depth, inputs=100, width=WIDTH, outputs=1)
    drawn.fit(parameters.layers(), phi, X)
    network = Network(parameters, phi, MSE(), X, MSE().prepare(Y, torch.float32))
    return verdict(measure(network, time_passes(network, warmup=0, repeats=1)))


def of_settings(settings, init, activation, depth):
    """The network that results when these overrides are added to the line."""
    own = {}
    for setting in settings:
        name, value = setting.split("=")
        match name:
            case "init":
                init = value
            case "activation":
                activation = value
            case "depth":
                depth = int(value)
            case _:
                own[name.removeprefix("init.")] = float(value)
    return made("init", init, **own), activation, depth


@pytest.mark.parametrize("depth", [3, 15, 60])
@pytest.mark.parametrize("activation", options("activation"))
def test_advice_is_true(activation, depth):
    """For every init: each way out is healthy, whatever the seed."""
    wanted = task(activation, depth)
    for name in options("init"):
        try:
            init = made("init", name).given(wanted.activation)
        except ValueError:  # no critical point
            continue
        suggestion = suggest(init, wanted, has_scale=hasattr(made("init", name), "scale"))
        if not suggestion.settings:
            assert suggestion.text.startswith(("nothing that theory is sure of", "another seed"))
        for way in suggestion.settings:
            assert " ".join(way) in suggestion.text
            found = of_settings(way, name, activation, depth)
            assert [measured(*found, seed) for seed in (0, 1)] == ["healthy"] * 2, way


def test_what_is_ranked_healthy_is_healthy():
    found, _ = ranking(task("tanh", 30))
    assert sum(one.is_healthy for one in found) >= 5
    for one in (one for one in found if one.is_healthy):
        assert measured(*of_settings(one.settings, "", "tanh", 30)) == "healthy"


def test_the_ranking_has_every_init_or_says_why_not():
    found, refused = ranking(task("gelu", 10))
    names = [one.typed.removeprefix("init=") for one in found]
    assert sorted([*names, *refused]) == options("init")
    assert list(refused) == ["critical"]


def test_the_scale_that_is_advised_is_the_critical_one():
    suggestion = suggest(made("init", "xavier", scale=0.2), task("relu", 6), has_scale=True)
    assert suggestion.settings == [("init=kaiming",), ("init.scale=2",)]
    assert "relu passes 0.5 of the second moment" in suggestion.text


def test_nothing_is_advised_for_a_narrow_net():
    suggestion = suggest(made("init", "small"), replace(task("relu", 6), width=8), has_scale=False)
    assert suggestion.settings == []
    assert suggestion.text == "hidden_size=32 or more: theory is sure of no narrower net"


def test_biases_of_the_line_stay():
    wanted = replace(task("relu", 6), bias_std=0.3)
    found, refused = ranking(wanted)
    assert all(one.prediction.sigma_b2 == pytest.approx(0.09) for one in found)
    assert list(refused) == ["critical"]  # a bias adds to q in every ReLU layer


def test_where_no_init_helps_other_activations_and_depths_are_named():
    suggestion = suggest(made("init", "kaiming"), task("relu", 50), has_scale=True)
    ways = [" ".join(way) for way in suggestion.settings]
    assert ways[0].startswith("activation=tanh init=")
    assert re.fullmatch(r"init=kaiming depth=\d+", ways[1])


def test_the_command_ranks_and_names_the_line_to_run(tmp_path):
    place = Workplace(tmp_path)
    said = place.fanin("advise", "activation=tanh", "depth=200", "hidden_size=64").stdout
    rows = [line.split()[0] for line in said.splitlines() if line.rstrip().endswith(tuple(WORDS))]
    assert sorted(rows) == options("init")
    assert rows[0] == "orthogonal"
    assert "python run.py activation=tanh depth=200 hidden_size=64 init=orthogonal" in said
    wrong = place.fanin("advise", "depth=0", status=1)
    assert wrong.stderr == "fanin: depth=0: has no hidden layer to advise on; use 1 or more\n"
    assert not list(tmp_path.glob("*.db"))


WORDS = [w + mark for w in ("healthy", "vanishing", "exploding", "saturated") for mark in ("", "?")]
