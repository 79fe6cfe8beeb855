"""Statistics of a whole stack at once: (depth, replicas, batch, width) -> (depth, replicas).

A measurement must not break before the thing measured does. Activations of 1e25 are still
finite in float32 but their squares are not. So a stack is measured as it stands, in a few
readings, and then once more with care where that says little: a layer whose squares are out of
range is divided by a power of two near its largest entry, which costs no precision, and the
result is multiplied back in float64. Half precision is measured in float32. A layer that holds
a value that is not finite gives nan or inf.

Entries are added up row by row, and the rows in float64: one long float32 sum would lose digits.

Results are float64, on the CPU.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from fanin.nn.activations import Activation

DEAD_BELOW = 1e-6
"""A unit counts as dead on an input where |phi'| is below this share of its largest value."""

SATURATED_BELOW = 0.05
"""An entry counts as saturated where |phi'| is below this share of its largest value."""

Reading = Callable[..., tuple[Tensor, ...]]
"""(stacks) -> tensors with layers in front."""

_CHUNK = 2**18  # entries measured at once: the temporaries then stay in the cache


def mean(x: Tensor) -> Tensor:
    """Mean over batch and units."""
    return mean_and_std(x)[0]


def std(x: Tensor) -> Tensor:
    """Standard deviation over batch and units, n - 1 below; 0 for a single value."""
    return mean_and_std(x)[1]


def norm(x: Tensor) -> Tensor:
    """L2 norm over all entries of a layer."""
    return _at_any_size(lambda _, norms: _length(norms), _norms, x, _by_layers(_norms, x))


def correlation(a: Tensor) -> Tensor:
    """Mean cosine between the activation vectors of different inputs of the batch.

    With unit vectors u_i, the sum of the cosines of all pairs is |sum u_i|^2 - n. An input
    whose activations are all zero has no direction and is left out; nan where fewer than two
    inputs are left, and in a layer of one unit, where a direction is no more than a sign.
    """
    return _correlation(a, *_by_layers(_norms_and_units, a))


def mean_and_std(x: Tensor) -> tuple[Tensor, Tensor]:
    """`mean` and `std`, for what one of them costs."""
    mean, std = _at_any_size(_moments, _norms_and_sums, x, _by_layers(_norms_and_sums, x))
    return mean, std


def mean_std_and_correlation(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`mean`, `std` and `correlation`, from one reading of a."""

    def read(a: Tensor) -> tuple[Tensor, ...]:
        norms, sums = _norms_and_sums(a)
        return norms, sums, _sum_of_units(a, norms)

    norms, sums, units = _by_layers(read, a)
    mean, std = _at_any_size(_moments, _norms_and_sums, a, (norms, sums))
    return mean, std, _correlation(a, norms, units)


def dead_and_saturated(activation: Activation, z: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Two shares: of dead units, zero in derivative on every input, and of saturated entries.

    The entries are those of all inputs and units. Only where phi is flat on both sides can it
    be saturated; for any other the second is nan.
    """

    def chunk(z: Tensor, a: Tensor) -> tuple[Tensor, ...]:
        slope = activation.derivative(z, a).abs()
        dead = (slope.amax(-2) < DEAD_BELOW * activation.steepest).double().mean(-1)
        saturated = torch.full_like(dead, torch.nan)
        if activation.bounded:
            flat = slope < SATURATED_BELOW * activation.steepest
            saturated = flat.sum((-2, -1)).double() / (z.shape[-2] * z.shape[-1])
        return dead, saturated

    dead, saturated = _by_layers(chunk, z, a)
    return dead, saturated


def _norms(x: Tensor) -> tuple[Tensor, ...]:
    """Of each input's values in a layer: (depth, replicas, batch)."""
    return (torch.linalg.vector_norm(_at_least_float32(x), dim=-1),)


def _norms_and_sums(x: Tensor) -> tuple[Tensor, ...]:
    x = _at_least_float32(x)
    return *_norms(x), x.sum(-1)


def _norms_and_units(a: Tensor) -> tuple[Tensor, ...]:
    (norms,) = _norms(a)
    return norms, _sum_of_units(a, norms)


def _sum_of_units(a: Tensor, norms: Tensor) -> Tensor:
    """Of all inputs' vectors, each over its norm: (depth, replicas, width)."""
    weights = torch.where(norms > 0, 1 / norms, 0)
    return (a * weights[..., None]).sum(-2)


def _length(norms: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(norms.double(), dim=-1)
    return length


def _moments(x: Tensor, norms: Tensor, sums: Tensor) -> Tensor:
    """Mean and std, (2, depth, replicas), given the norms and sums of x's rows.

    The variance is the mean square less the square of the mean, unless most of it cancels.
    """
    n = x.shape[-2] * x.shape[-1]
    mean = sums.double().sum(-1) / n
    square = norms.double().square().sum(-1) / n
    variance = square - mean.square()
    cancels = ~(8 * variance > square)
    for layers in _chunks_where(cancels, x):
        accurate = _variance_around(mean[layers], x[layers])
        variance[layers] = torch.where(cancels[layers], accurate, variance[layers])
    return torch.stack([mean, (variance * (n / max(n - 1, 1))).sqrt()])


def _variance_around(mean: Tensor, x: Tensor) -> Tensor:
    """The mean square around the mean, which is accurate where the mean is large against it.

    Corrected for the rounding of that mean (Chan et al. 1983, eq. 1.7).
    """
    x = _at_least_float32(x)
    deviation = x - mean.to(x)[..., None, None]
    correction = deviation.mean((-2, -1)).square()
    return deviation.square_().mean((-2, -1)).sub_(correction).clamp_(min=0).cpu().double()


def _correlation(a: Tensor, norms: Tensor, units: Tensor) -> Tensor:
    """Given the norms of a's rows and the sum of their unit vectors."""
    for layers in _chunks_where(~_in_range(norms), a):
        scaled, _ = scale(a[layers], dim=(-1,))
        norms[layers], units[layers] = _by_layers(_norms_and_units, scaled)
    n = (norms > 0).sum(-1).double()
    pairs = units.double().square().sum(-1) - n
    some = (n > 1) & (a.shape[-1] > 1)
    return pairs / torch.where(some, n * (n - 1), torch.nan)


def _at_any_size(
    statistic: Callable[..., Tensor], read: Reading, x: Tensor, found: tuple[Tensor, ...]
) -> Tensor:
    """A statistic of x and what was read of it, the norms first; one that grows with x.

    Measured again, on a copy of another size, where squares are out of range.
    """
    result = statistic(x, *found)
    for layers in _chunks_where(~_in_range(_length(found[0]).to(found[0].dtype)), x):
        scaled, exponent = scale(x[layers])
        again = statistic(scaled, *_by_layers(read, scaled))
        result[..., layers, :] = again * exponent.exp2()
    return result


def _in_range(norms: Tensor) -> Tensor:
    """Where the squares that were added up cannot have overflown, nor have lost digits."""
    limits = torch.finfo(norms.dtype)
    least, most = float(limits.tiny) ** 0.4, float(limits.max) ** 0.4
    inside: Tensor = (norms > least) & (norms < most)
    return inside


def scale(x: Tensor, dim: tuple[int, ...] = (-2, -1)) -> tuple[Tensor, Tensor]:
    """x divided by 2^e, near the largest entry along `dim`, in a copy; and e, without `dim`."""
    x = _at_least_float32(x)
    exponent = x.abs().amax(dim, keepdim=True).frexp().exponent.to(x.dtype)
    # Within these limits both 2^e and 2^-e are normal numbers, and no square overflows.
    limit = math.frexp(torch.finfo(x.dtype).max)[1] - 8
    exponent.clamp_(-limit, limit)
    return x * (-exponent).exp2(), exponent.squeeze(dim).cpu().double()


def _by_layers(read: Reading, *stacks: Tensor) -> tuple[Tensor, ...]:
    """Read stacks a few layers at a time, so that these, and temporaries, stay in the cache."""
    depth = len(stacks[0])
    found: tuple[Tensor, ...] = ()
    for layers in _chunks(stacks[0]):
        parts = read(*(stack[layers] for stack in stacks))
        # Made at once: small results in between would keep temporaries from reusing their room.
        found = found or tuple(part.new_empty(depth, *part.shape[1:]) for part in parts)
        for one, part in zip(found, parts, strict=True):
            one[layers] = part
    return tuple(one.cpu() for one in found)


def _chunks(x: Tensor) -> list[slice]:
    """Of a stack's layers; at least one."""
    layers = max(1, _CHUNK // max(1, x[:1].numel()))
    return [slice(first, first + layers) for first in range(0, max(len(x), 1), layers)]


def _chunks_where(condition: Tensor, x: Tensor) -> Iterator[slice]:
    """The chunks of x in which a condition, with layers in front, holds anywhere."""
    if condition.any():
        yield from (layers for layers in _chunks(x) if condition[layers].any())


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
