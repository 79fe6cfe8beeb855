"""The spectrum of the input-output Jacobian: what happens to each direction, not only on average.

J = dh/dx, with x an input and h the activations of the last hidden layer. Its transpose is the
product of w and diag(phi'(z)) over the hidden layers in order. A singular value is the factor by
which a small step in one direction of x grows on its way to h. If all are near 1, no direction is
lost (dynamical isometry: Saxe et al. 2013; Pennington et al. 2017).

A product of fifty layers can overflow long before its spread does, so a power of two is taken out
of it after each layer and kept separately. All is float64, on the CPU, whatever the dtype and
device of the network. Singular values below 1e-15 of the largest one are rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fanin.measure.reductions import scale
from fanin.nn.network import Network

Array = np.ndarray

INPUTS = 4
"""The number of inputs, from the start of the batch, that get a Jacobian."""


@dataclass(frozen=True)
class Spectrum:
    """The singular values of each Jacobian, `values` * 2^`exponents`.

    values: (replicas, inputs, min(features, width)), the largest first; inf if the pass or the
    product is not finite. exponents: (replicas, inputs). width: units of the last hidden layer.
    """

    values: Array
    exponents: Array
    width: int

    def numbers(self) -> dict[str, Array]:
        """name -> (replicas,), each the mean over the inputs.

        The mean of the `width` eigenvalues of J @ J.mT, zeros included; their std over that mean,
        nan if J is zero; and the largest singular value of J.
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
        """(replica, input, index, singular value) of the finite ones, all counted from 1."""
        with np.errstate(over="ignore"):
            values = np.ldexp(self.values, self.exponents[..., None])
        for index, value in np.ndenumerate(values):
            if np.isfinite(value):
                replica, number, rank = (n + 1 for n in index)
                yield replica, number, rank, float(value)


def spectrum(network: Network) -> Spectrum:
    """The singular values of dh/dx for the first inputs of a network that holds a pass.

    The network has one hidden layer or more.
    """
    hidden = network.parameters.layers()[:-1]
    z = network.z[:, :, :INPUTS].cpu().double()
    slopes = network.activation.derivative(z, network.activation.forward(z))
    finite = z.isfinite().all(-1).all(0)
    values, exponents = [], []
    for replica in range(z.shape[1]):
        weights = (w[replica].cpu().double() for w, _ in hidden)
        product, exponent = _product(weights, slopes[:, replica])
        is_finite = finite[replica] & product.isfinite().all(-1).all(-1)
        product[~is_finite] = 0  # LAPACK rejects nan
        singular_values = torch.linalg.svdvals(product)
        singular_values[~is_finite] = torch.inf
        values.append(singular_values.numpy())
        exponents.append(exponent.numpy().astype(int))
    return Spectrum(np.stack(values), np.stack(exponents), width=z.shape[-1])


def _product(weights: Iterator[Tensor], slopes: Tensor) -> tuple[Tensor, Tensor]:
    """J.mT of each input, (inputs, features, width), divided by 2^e; and e, (inputs,).

    weights: (fan_in, fan_out) for each layer. slopes: phi'(z), (depth, inputs, width).
    """
    product, exponent = scale(next(weights) * slopes[0][:, None])
    for w, slope in zip(weights, slopes[1:], strict=True):
        product, more = scale((product @ w).mul_(slope[:, None]))
        exponent += more
    return product, exponent
