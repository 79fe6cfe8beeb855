"""Statistics of a whole stack at once: (depth, replicas, batch, width) -> (depth, replicas).

A measurement must not break before the thing measured does. Activations of 1e25 are still
finite in float32 but their squares are not, so each layer is first divided by a power of two
near its largest entry, which costs no precision, and the result is multiplied back in
float64. Half precision is measured in float32. A layer that holds a value that is not finite
gives nan or inf.

Results are float64, on the CPU.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fanin.nn.activations import Activation

DEAD_BELOW = 1e-6
"""A unit counts as dead on an input where |phi'| is below this share of its largest value."""

SATURATED_BELOW = 0.05
"""An entry counts as saturated where |phi'| is below this share of its largest value."""

_CHUNK = 2**18  # entries measured at once: the temporaries then stay in the cache


def mean(x: Tensor) -> Tensor:
    """Mean over batch and units."""

    def chunk(x: Tensor) -> Tensor:
        scaled, exponent = scale(x)
        return _result(scaled.mean((-2, -1)), exponent)

    return _by_layers(chunk, x)


def std(x: Tensor) -> Tensor:
    """Standard deviation over batch and units, n - 1 below; 0 for a single value.

    Taken around the mean, and corrected for the rounding of that mean (Chan et al. 1983,
    eq. 1.7), so that it stays accurate where the mean is large against it.
    """

    def chunk(x: Tensor) -> Tensor:
        scaled, exponent = scale(x)
        n = x.shape[-2] * x.shape[-1]
        deviation = scaled.sub_(scaled.mean((-2, -1), keepdim=True))
        correction = deviation.mean((-2, -1)).square()
        variance = deviation.square_().mean((-2, -1)).sub_(correction).clamp_(min=0)
        return _result((variance * (n / max(n - 1, 1))).sqrt(), exponent)

    return _by_layers(chunk, x)


def norm(x: Tensor) -> Tensor:
    """L2 norm over all entries of a layer."""

    def chunk(x: Tensor) -> Tensor:
        scaled, exponent = scale(x)
        # Row by row first: one long float32 sum would lose digits on a large layer.
        rows = torch.linalg.vector_norm(scaled, dim=-1)
        return _result(torch.linalg.vector_norm(rows, dim=-1), exponent)

    return _by_layers(chunk, x)


def dead_and_saturated(activation: Activation, z: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Two shares: of dead units, zero in derivative on every input, and of saturated entries.

    The entries are those of all inputs and units. Only where phi is flat on both sides can it
    be saturated; for any other the second is nan.
    """

    def chunk(z: Tensor, a: Tensor) -> Tensor:
        slope = activation.derivative(z, a).abs()
        dead = (slope.amax(-2) < DEAD_BELOW * activation.steepest).double().mean(-1)
        saturated = torch.full_like(dead, torch.nan)
        if activation.bounded:
            flat = slope < SATURATED_BELOW * activation.steepest
            saturated = flat.sum((-2, -1)).double() / (z.shape[-2] * z.shape[-1])
        return torch.stack([dead, saturated], dim=-1)

    dead, saturated = _by_layers(chunk, z, a).unbind(-1)
    return dead, saturated


def correlation(a: Tensor) -> Tensor:
    """Mean cosine between the activation vectors of different inputs of the batch.

    With unit vectors u_i, the sum of the cosines of all pairs is |sum u_i|^2 - n. An input
    whose activations are all zero has no direction and is left out; nan where fewer than two
    inputs are left, and in a layer of one unit, where a direction is no more than a sign.
    """

    def chunk(a: Tensor) -> Tensor:
        a = _at_least_float32(a)
        largest = a.abs().amax(-1, keepdim=True)
        n = (largest > 0).sum((-2, -1)).double()
        u = a / largest.masked_fill_(largest == 0, 1)
        u /= torch.linalg.vector_norm(u, dim=-1, keepdim=True).clamp_(min=0.5)
        pairs = u.sum(-2).square().sum(-1).double() - n
        some = (n > 1) & (a.shape[-1] > 1)
        return pairs / torch.where(some, n * (n - 1), torch.nan)

    return _by_layers(chunk, a)


def _by_layers(statistic: Callable[..., Tensor], *stacks: Tensor) -> Tensor:
    """Apply a statistic to a few layers at a time, so that its temporaries stay small."""
    layers = max(1, _CHUNK // max(1, stacks[0][:1].numel()))
    chunks = zip(*(torch.split(stack, layers) for stack in stacks), strict=True)
    return torch.cat([statistic(*chunk) for chunk in chunks]).cpu().double()


def scale(x: Tensor) -> tuple[Tensor, Tensor]:
    """x divided by 2^e, near each layer's largest entry, in a copy; and e, (layers, replicas)."""
    x = _at_least_float32(x)
    exponent = x.abs().amax((-2, -1)).frexp().exponent.to(x.dtype)
    # Within these limits both 2^e and 2^-e are normal numbers, and no square overflows.
    limit = math.frexp(torch.finfo(x.dtype).max)[1] - 8
    exponent.clamp_(-limit, limit)
    return x * (-exponent).exp2()[..., None, None], exponent


def _result(value: Tensor, exponent: Tensor) -> Tensor:
    """value * 2^exponent, in float64's range."""
    return value.cpu().double() * exponent.cpu().double().exp2()


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
