"""Advice has to be true: what is advised is run, and must be healthy."""

import re
from dataclasses import replace
from functools import cache

import pytest
import torch
from workplace import made, options

from fanin.measure.profile import measure
from fanin.measure.timing import time_passes
from fanin.measure.verdict import verdict
from fanin.nn.losses import MSE
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.runner.data import Gaussian
from fanin.theory.advice import Catalogue, NetworkSpec, ranking, suggest
from fanin.theory.input_stats import describe

WIDTH, BATCH = 100, 40
X, Y, _ = Gaussian().load(BATCH)
CATALOGUE = Catalogue(
    inits=tuple((name, made("init", name)) for name in options("init")),
    activations=tuple((name, made("activation", name)) for name in options("activation")),
)


def network_spec(activation, depth):
    return NetworkSpec(
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
    drawn = init.resolve(phi)
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


@pytest.mark.slow
@pytest.mark.parametrize("depth", [3, 15, 60])
@pytest.mark.parametrize("activation", options("activation"))
def test_advice_is_true(activation, depth):
    """For every init: each way out is healthy, whatever the seed."""
    network = network_spec(activation, depth)
    for name in options("init"):
        try:
            init = made("init", name).resolve(network.activation)
        except ValueError:  # no critical point
            continue
        suggestion = suggest(init, network, CATALOGUE, configured=made("init", name))
        if not suggestion.settings:
            assert suggestion.text.startswith(("nothing that theory is sure of", "another seed"))
        for way in suggestion.settings:
            assert " ".join(way) in suggestion.text
            advised = of_settings(way, name, activation, depth)
            assert [measured(*advised, seed) for seed in (0, 1)] == ["healthy"] * 2, way


def test_what_is_ranked_healthy_is_healthy():
    ranked, _ = ranking(network_spec("tanh", 30), CATALOGUE)
    assert sum(one.is_healthy for one in ranked) >= 5
    for one in (one for one in ranked if one.is_healthy):
        assert measured(*of_settings(one.settings, "", "tanh", 30)) == "healthy"


def test_the_ranking_has_every_init_or_says_why_not():
    ranked, reasons = ranking(network_spec("gelu", 10), CATALOGUE)
    names = [one.text.removeprefix("init=") for one in ranked]
    assert sorted([*names, *reasons]) == options("init")
    assert list(reasons) == ["critical"]


def test_the_scale_that_is_advised_is_the_critical_one():
    suggestion = suggest(made("init", "xavier", scale=0.2), network_spec("relu", 6), CATALOGUE)
    assert suggestion.settings == [("init=kaiming",), ("init.scale=2",)]
    assert "relu multiplies E[z^2] by 0.5, and" in suggestion.text


def test_nothing_is_advised_for_a_narrow_net():
    suggestion = suggest(
        made("init", "small"), replace(network_spec("relu", 6), width=8), CATALOGUE
    )
    assert suggestion.settings == []
    assert suggestion.text == "hidden_size=32 or more: theory is not sure of narrower nets"


def test_biases_of_the_line_stay():
    network = replace(network_spec("relu", 6), bias_std=0.3)
    ranked, reasons = ranking(network, CATALOGUE)
    assert all(one.prediction.sigma_b2 == pytest.approx(0.09) for one in ranked)
    assert list(reasons) == ["critical"]  # a bias adds to q in every ReLU layer


def test_where_no_init_helps_other_activations_and_depths_are_named():
    suggestion = suggest(made("init", "kaiming"), network_spec("relu", 50), CATALOGUE)
    ways = [" ".join(way) for way in suggestion.settings]
    assert ways[0].startswith("activation=tanh init=")
    assert re.fullmatch(r"init=kaiming depth=\d+", ways[1])
    assert suggestion.text.endswith(
        ": no init keeps 50-layer relu nets healthy for nearly all seeds"
    )


def test_an_init_that_cannot_be_made_has_a_reason_and_no_rank():
    catalogue = Catalogue(
        inits=(("xavier", made("init", "xavier")), ("mine", "its file is broken")),
        activations=(),
    )
    ranked, reasons = ranking(network_spec("tanh", 10), catalogue)
    assert [one.settings for one in ranked] == [("init=xavier",)]
    assert reasons == {"mine": "its file is broken"}


def test_an_empty_catalogue_leaves_the_scale():
    nothing = Catalogue(inits=(), activations=())
    init = made("init", "xavier", scale=0.2)
    assert suggest(init, network_spec("relu", 6), nothing).settings == [("init.scale=2",)]
    assert suggest(init, network_spec("relu", 50), nothing).text.startswith(
        "nothing that theory is sure of"
    )
