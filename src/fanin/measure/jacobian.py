"""The spectrum of the input-output Jacobian: what becomes of each direction, not of their average.

J = dh/dx, with x an input and h the activations of the last hidden layer. Its transpose is the
product of w and diag(phi'(z)) of each hidden layer in order. A singular value is the factor by
which a small step in one direction of x has grown in h; where all are near 1, no direction is
lost (dynamical isometry: Saxe et al. 2013; Pennington et al. 2017).

A product of fifty layers may leave the range of any number long before its spread does, so that
a power of two is taken out of it after each layer and kept apart. All is float64, on the CPU,
whatever the dtype and device of the network. Singular values below 1e-15 of the largest one are
rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fanin.measure.statistics import scale
from fanin.nn.network import Network

Array = np.ndarray

INPUTS = 4
"""Of the batch, the first so many: each has a Jacobian of its own."""


@dataclass(frozen=True)
class Spectrum:
    """The singular values of each Jacobian, `values` * 2^`exponents`.

    values: (replicas, inputs, min(features, width)), the largest first; inf where the pass or
    the product is not finite. exponents: (replicas, inputs).
    """

    values: Array
    exponents: Array
    width: int

    def numbers(self) -> dict[str, Array]:
        """name -> (replicas,), each the mean over the inputs.

        Of the `width` eigenvalues of J @ J.mT, with the zeros that it has where there are fewer
        features: their mean, and their std over that mean. And the largest singular value. Of a
        Jacobian that is zero the spread is nan.
        """
        eigenvalues = self.values**2
        with np.errstate(invalid="ignore", over="ignore"):  # 0 / 0, inf / inf; too large
            mean = eigenvalues.sum(-1) / self.width
            zeros = self.width - eigenvalues.shape[-1]
            squares = ((eigenvalues - mean[..., None]) ** 2).sum(-1) + zeros * mean**2
            spread = np.sqrt(squares / self.width) / mean
            numbers = {
                "summary/jacobian_mean_square": np.ldexp(mean, 2 * self.exponents),
                "summary/jacobian_spread": np.where(np.isinf(mean), np.inf, spread),
                "summary/jacobian_largest": np.ldexp(self.values[..., 0], self.exponents),
            }
        return {name: each.mean(-1) for name, each in numbers.items()}

    def rows(self) -> Iterator[tuple[int, int, int, float]]:
        """(replica, input, index, singular value), each counted from 1, of the finite ones."""
        with np.errstate(over="ignore"):
            values = np.ldexp(self.values, self.exponents[..., None])
        for index, value in np.ndenumerate(values):
            if np.isfinite(value):
                replica, number, rank = (n + 1 for n in index)
                yield replica, number, rank, float(value)


def spectrum(network: Network) -> Spectrum:
    """Of a network with a hidden layer or more that holds a pass, for its first inputs."""
    hidden = network.parameters.layers()[:-1]
    z = network.z[:, :, :INPUTS].cpu().double()
    slopes = network.activation.derivative(z, network.activation.forward(z))
    finite = z.isfinite().all(-1).all(0)
    values, exponents = [], []
    for replica in range(z.shape[1]):
        weights = (w[replica].cpu().double() for w, _ in hidden)
        product, exponent = _product(weights, slopes[:, replica])
        known = finite[replica] & product.isfinite().all(-1).all(-1)
        product[~known] = 0  # LAPACK takes no nan
        each = torch.linalg.svdvals(product)
        each[~known] = torch.inf
        values.append(each.numpy())
        exponents.append(exponent.numpy().astype(int))
    return Spectrum(np.stack(values), np.stack(exponents), width=z.shape[-1])


def _product(weights: Iterator[Tensor], slopes: Tensor) -> tuple[Tensor, Tensor]:
    """J.mT of each input, (inputs, features, width), divided by 2^e; and e, (inputs,).

    weights: (fan_in, fan_out) a layer. slopes: phi'(z), (depth, inputs, width).
    """
    product, exponent = scale(next(weights) * slopes[0][:, None])
    for w, slope in zip(weights, slopes[1:], strict=True):
        product, more = scale((product @ w).mul_(slope[:, None]))
        exponent += more
    return product, exponent
