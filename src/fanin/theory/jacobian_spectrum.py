"""The spectrum of the input-output Jacobian in the limit of wide layers, by free probability.

Pennington, Schoenholz and Ganguli 2017: J is a product of weights and slopes that behave as if
they were independent. So the first two moments of the eigenvalues of J @ J.mT follow from the
first two moments of each layer.
"""

import math
from collections.abc import Sequence

from fanin.nn.init import Init
from fanin.theory.mean_field import Prediction


def jacobian_predictions(
    init: Init, prediction: Prediction, features: int, width: int
) -> dict[str, float]:
    """`summary/jacobian_mean_square_theory` and `_spread_theory` of the predicted network."""
    depth = len(prediction.slopes)
    fan_ins, fan_outs = [features, *[width] * (depth - 1)], [width] * depth
    mean_square, spread = spectrum(
        fan_ins,
        fan_outs,
        [float(variance) for variance in prediction.weight_variances],
        [float(slope) for slope in prediction.slopes],
        [float(fourth) for fourth in prediction.slope_fourths],
        [init.norm_variance_factor(*fans) for fans in zip(fan_ins, fan_outs, strict=True)],
    )
    return {
        "summary/jacobian_mean_square_theory": mean_square,
        "summary/jacobian_spread_theory": spread,
    }


def spectrum(
    fan_ins: Sequence[int],
    fan_outs: Sequence[int],
    weight_variances: Sequence[float],
    slope_second_moments: Sequence[float],
    slope_fourth_moments: Sequence[float],
    norm_variance_factors: Sequence[float],
) -> tuple[float, float]:
    """The mean of the eigenvalues of J @ J.mT, and their std over that mean, nan if that is 0.

    Each argument has one value per hidden layer, from layer 1: fan_in, fan_out, the variance of a
    weight, E[phi'(z)^2], E[phi'(z)^4], and `Init.norm_variance_factor`: 1 for independent weights,
    max(0, 1 - fan_out / fan_in) for orthonormal ones. The last fan_out is the number of
    eigenvalues, zeros included.

    With t(X) = tr(X^2) / tr(X)^2, t(J @ J.mT) starts at 1 / features. In each layer the weights add
    norm_variance_factor / fan_out and the slopes (E[phi'^4] / E[phi'^2]^2 - 1) / fan_out. The
    number of eigenvalues times the sum is 1 + spread^2. If all layers have one width, this is the
    paper's L (mu_2 / mu_1^2 - 1 - s_1), with s_1 = -1 for Gaussian weights and 0 for orthogonal
    ones.
    """
    mean = math.prod(
        fan_in * variance * slope
        for fan_in, variance, slope in zip(
            fan_ins, weight_variances, slope_second_moments, strict=True
        )
    )
    if 0 in (*weight_variances, *slope_second_moments):
        return mean, math.nan
    added = (
        (factor + fourth / second / second - 1) / fan_out
        for fan_out, second, fourth, factor in zip(
            fan_outs, slope_second_moments, slope_fourth_moments, norm_variance_factors, strict=True
        )
    )
    squared = fan_outs[-1] * (1 / fan_ins[0] + math.fsum(added)) - 1
    return mean, math.sqrt(max(squared, 0))
