"""The computation of a run: build the network, run it, measure it, and compare it with theory.

fingerprint.py hashes this module, data.py and everything they import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fanin.measure.jacobian import Spectrum, spectrum
from fanin.measure.profile import Profile, measure
from fanin.measure.timing import time_passes, time_product
from fanin.nn.activations import Activation
from fanin.nn.engines import ENGINES
from fanin.nn.init import Init
from fanin.nn.losses import Loss
from fanin.nn.matmul import RUNGS
from fanin.nn.network import Network
from fanin.nn.parameters import draw
from fanin.runner.data_table import Batch, as_classes
from fanin.theory.comparison import add_predictions
from fanin.theory.input_stats import Inputs, describe
from fanin.theory.jacobian_spectrum import jacobian_predictions
from fanin.theory.mean_field import Prediction, predict

if TYPE_CHECKING:
    from fanin.config.settings import Settings  # a new setting changes no number
    from fanin.runner.data_facts import DataFacts  # texts and tags, no metric


@dataclass(frozen=True)
class Ingredients:
    """The parts of a network: the objects that the settings of a run name.

    inputs: (batch, features). targets: as the loss prepared them. outputs: number of output units.
    data: describes the data set of the batch.
    """

    init: Init
    activation: Activation
    loss: Loss
    inputs: Tensor
    targets: Tensor
    outputs: int
    device: torch.device
    dtype: torch.dtype
    data: "DataFacts"


def fit_targets(
    loss: Loss, batch: Batch, class_names: Sequence[str]
) -> tuple[Batch, tuple[str, ...]]:
    """The batch with targets for the loss, and the names of its classes if it takes classes.

    class_names: see as_classes. Raises ValueError if the targets do not fit the loss.
    """
    return as_classes(batch, class_names) if loss.takes_classes else (batch, ())


def assemble(
    init: Init,
    activation: Activation,
    loss: Loss,
    batch: Batch,
    facts: "DataFacts",
    device: torch.device,
    dtype: torch.dtype,
) -> Ingredients:
    """The ingredients of a network: the init as it is for the activation, the data in place.

    Raises ValueError if there is no such init for the activation.
    """
    return Ingredients(
        init=init.resolve(activation),
        activation=activation,
        loss=loss,
        inputs=batch.inputs.to(device, dtype),
        targets=loss.prepare(batch.targets, dtype).to(device),
        outputs=loss.outputs(loss.prepare(batch.all_targets, dtype)),
        device=device,
        dtype=dtype,
        data=facts,
    )


@dataclass(frozen=True)
class Computed:
    """The results of a run. theory_error: why theory could not be computed, if it failed."""

    profile: Profile
    jacobian: Spectrum | None
    prediction: Prediction | None
    theory_error: str | None


def compute(settings: "Settings", ingredients: Ingredients) -> Computed:
    """Build the network, run it, measure it, and add what theory predicts."""
    network, fit_steps = build_network(settings, ingredients)
    timing = settings.timing
    times = time_passes(network, warmup=timing.warmup, repeats=timing.repeats)
    extra: dict[str, float | np.ndarray] = {}
    if fit_steps is not None:
        extra["summary/fit_steps"] = fit_steps
    if timing.product:
        extra["summary/product_ms"] = time_product(
            network, warmup=timing.warmup, repeats=timing.repeats
        )
    jacobian = spectrum(network) if settings.jacobian and settings.depth else None
    if jacobian:
        extra |= jacobian.numbers()
    profile = measure(network, times, extra)
    try:
        prediction = predict_run(settings, ingredients, describe(ingredients.inputs))
        extra_theory: Mapping[str, float] = {}
        if jacobian:
            features = ingredients.inputs.shape[1]
            extra_theory = jacobian_predictions(
                ingredients.init, prediction, features, settings.hidden_size
            )
        profile = add_predictions(profile, prediction, settings.replicas, extra_theory)
    except Exception as error:  # a user-defined activation may support one dtype only
        return Computed(profile, jacobian, None, f"{type(error).__name__}: {error}")
    return Computed(profile, jacobian, prediction, None)


def build_network(settings: "Settings", ingredients: Ingredients) -> tuple[Network, int | None]:
    """The network, and the number of steps of an init that is fitted to the data, else None."""
    parameters = draw(
        ingredients.init,
        range(settings.seed, settings.seed + settings.replicas),
        depth=settings.depth,
        inputs=ingredients.inputs.shape[1],
        width=settings.hidden_size,
        outputs=ingredients.outputs,
        dtype=ingredients.dtype,
        device=ingredients.device,
    )
    steps = ingredients.init.fit(parameters.layers(), ingredients.activation, ingredients.inputs)
    network = ENGINES[settings.engine](
        parameters,
        ingredients.activation,
        ingredients.loss,
        ingredients.inputs,
        ingredients.targets,
        RUNGS[settings.matmul],
    )
    return network, steps


def predict_run(settings: "Settings", ingredients: Ingredients, inputs: Inputs) -> Prediction:
    """The prediction for the network that the settings describe."""
    return predict(
        ingredients.init,
        ingredients.activation,
        inputs,
        depth=settings.depth,
        width=settings.hidden_size,
        outputs=ingredients.outputs,
    )
