"""The numbers of a run that are not curves: their names, and how they follow from the curves."""

import math

import numpy as np

from fanin.measure.percentiles import percentile

Array = np.ndarray

LOSS = "summary/loss"
INPUT_CORRELATION = "summary/input_correlation"
FIRST_NONFINITE = "summary/first_nonfinite_layer"

SUMMARIES = {
    LOSS: "Loss of the pass; the median over replicas.",
    INPUT_CORRELATION: "Mean cosine between different inputs, from -1 to 1.",
    "summary/std_growth": "Factor per layer by which the std of the activations changes; "
    "the median over replicas.",
    "summary/gradient_growth": "Factor per layer by which the norm of dL/dz changes on the way "
    "back; the median over replicas.",
    FIRST_NONFINITE: "First layer, forward and then backward, at which a replica holds a value "
    "that is not finite; absent if there is none.",
    "summary/forward_ms": "Time of the forward pass, output layer and loss included, in ms.",
    "summary/backward_ms": "Time of the backward pass, output layer included, in ms.",
    "summary/product_ms": "Time of the bare product of the inputs with the first layer's weights, "
    "in ms; with timing.product=true.",
    "summary/fit_steps": "Rescaling steps of a data-dependent init (LSUV); the largest count "
    "over replicas.",
    "summary/jacobian_mean_square": "Mean of the squared singular values of dh/dx over "
    "hidden_size; with jacobian=true.",
    "summary/jacobian_spread": "Std of the squared singular values over their mean; "
    "with jacobian=true.",
    "summary/jacobian_largest": "Largest singular value of dh/dx; with jacobian=true.",
    "summary/std_spread": "Std over replicas of the log of the last layer's std; "
    "with replicas over 1.",
}
"""name -> meaning, of every measured number; theory adds its own."""


def growth(curve: Array) -> float:
    """Factor per layer between the first and the last positive finite value; nan without two."""
    (layers,) = np.nonzero(np.isfinite(curve) & (curve > 0))
    if len(layers) < 2:
        return math.nan
    first, last = layers[0], layers[-1]
    log_ratio = math.log(curve[last]) - math.log(curve[first])
    return math.exp(log_ratio / (last - first))


def median_growth(values: Array) -> float:
    """The median growth over the replicas of (depth, replicas) that have one; nan if none has."""
    return float(percentile(np.array([growth(curve) for curve in values.T]), 50))


def spread(values: Array) -> float:
    """Std over replicas of the log of the last layer's value; nan for fewer than two replicas."""
    last = values[-1] if len(values) else values.ravel()
    positive = np.log(last[np.isfinite(last) & (last > 0)])
    return float(positive.std(ddof=1)) if len(positive) > 1 else math.nan


def first_nonfinite_layer(forward: Array, backward: Array) -> float:
    """The first layer of a pass, 1 to depth and back to 1, that is not finite; nan if all are.

    forward, backward: whether each layer and replica is finite in that half of the pass. The
    replica that fails first counts.
    """
    layers = np.arange(1, len(forward) + 1)
    finite = np.concatenate([forward, backward[::-1]]).all(axis=1)
    nonfinite = np.concatenate([layers, layers[::-1]])[~finite]
    return float(nonfinite[0]) if len(nonfinite) else math.nan
