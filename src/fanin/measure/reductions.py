"""Reductions of a whole stack at once: (depth, replicas, batch, width) -> (depth, replicas).

A measurement must not break before the thing measured does. Activations of 1e25 are still
finite in float32 but their squares are not. So a stack is first reduced as it stands. Layers whose
squares are out of range are then reduced again: divided by a power of two near their largest
entry, which costs no precision, and the result multiplied back in float64. Half precision is
reduced in float32. A layer that holds a value that is not finite gives nan or inf.

Rows are summed in the dtype of the stack and the row sums in float64: one long float32 sum would
lose digits.

Results are float64, on the CPU.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from fanin.nn.activations import Activation

DEAD_BELOW = 1e-6
"""A unit counts as dead on an input if |phi'| is below this share of its largest value."""

SATURATED_BELOW = 0.05
"""An entry counts as saturated if |phi'| is below this share of its largest value."""

RowReduction = Callable[..., tuple[Tensor, ...]]
"""(stacks) -> tensors whose first dimension is the layers."""

_CHUNK = 2**18  # entries reduced at once: the temporaries then stay in the cache


def mean(x: Tensor) -> Tensor:
    """Mean over batch and units."""
    return mean_and_std(x)[0]


def std(x: Tensor) -> Tensor:
    """Standard deviation over batch and units, n - 1 below; 0 for a single value."""
    return mean_and_std(x)[1]


def norm(x: Tensor) -> Tensor:
    """L2 norm over all entries of a layer."""
    return _reduce_any_scale(lambda _, norms: _total_norm(norms), _norms, x, _by_layers(_norms, x))


def correlation(a: Tensor) -> Tensor:
    """Mean cosine between the activation vectors of different inputs of the batch.

    With unit vectors u_i, the cosines of all pairs sum to |sum u_i|^2 - n. An input whose
    activations are all zero has no direction and is left out. nan if fewer than two inputs are
    left, and in a layer of one unit, in which a direction is only a sign.
    """
    return _correlation(a, *_by_layers(_norms_and_units, a))


def mean_and_std(x: Tensor) -> tuple[Tensor, Tensor]:
    """`mean` and `std` for the cost of one of them."""
    mean, std = _reduce_any_scale(_moments, _norms_and_sums, x, _by_layers(_norms_and_sums, x))
    return mean, std


def mean_std_and_correlation(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`mean`, `std` and `correlation` from one pass over a."""

    def reduce_rows(a: Tensor) -> tuple[Tensor, ...]:
        norms, sums = _norms_and_sums(a)
        return norms, sums, _sum_of_units(a, norms)

    norms, sums, units = _by_layers(reduce_rows, a)
    mean, std = _reduce_any_scale(_moments, _norms_and_sums, a, (norms, sums))
    return mean, std, _correlation(a, norms, units)


def dead_and_saturated(activation: Activation, z: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """The share of dead units, and the share of saturated entries.

    A unit is dead if its derivative is zero on every input. An entry is one activation of one
    input. Only a bounded activation saturates; for any other the second share is nan.
    """

    def reduce_rows(z: Tensor, a: Tensor) -> tuple[Tensor, ...]:
        slope = activation.derivative(z, a).abs()
        dead = (slope.amax(-2) < DEAD_BELOW * activation.steepest).double().mean(-1)
        saturated = torch.full_like(dead, torch.nan)
        if activation.bounded:
            flat = slope < SATURATED_BELOW * activation.steepest
            saturated = flat.sum((-2, -1)).double() / (z.shape[-2] * z.shape[-1])
        return dead, saturated

    dead, saturated = _by_layers(reduce_rows, z, a)
    return dead, saturated


def _norms(x: Tensor) -> tuple[Tensor, ...]:
    """The norm of each row, which holds one input's values in a layer: (depth, replicas, batch)."""
    return (torch.linalg.vector_norm(_at_least_float32(x), dim=-1),)


def _norms_and_sums(x: Tensor) -> tuple[Tensor, ...]:
    x = _at_least_float32(x)
    return *_norms(x), x.sum(-1)


def _norms_and_units(a: Tensor) -> tuple[Tensor, ...]:
    (norms,) = _norms(a)
    return norms, _sum_of_units(a, norms)


def _sum_of_units(a: Tensor, norms: Tensor) -> Tensor:
    """The sum of all inputs' unit vectors: (depth, replicas, width)."""
    weights = torch.where(norms > 0, 1 / norms, 0)
    return (a * weights[..., None]).sum(-2)


def _total_norm(norms: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(norms.double(), dim=-1)
    return norm


def _moments(x: Tensor, norms: Tensor, sums: Tensor) -> Tensor:
    """Mean and std, (2, depth, replicas), from the norms and sums of x's rows.

    The variance is the mean square minus the squared mean, unless most of that cancels.
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
    """The mean squared deviation, which stays accurate around a large mean.

    Corrected for the rounding of the mean (Chan et al. 1983, eq. 1.7).
    """
    x = _at_least_float32(x)
    deviation = x - mean.to(x)[..., None, None]
    correction = deviation.mean((-2, -1)).square()
    return deviation.square_().mean((-2, -1)).sub_(correction).clamp_(min=0).cpu().double()


def _correlation(a: Tensor, norms: Tensor, units: Tensor) -> Tensor:
    """The mean cosine, from the norms of a's rows and the sum of their unit vectors."""
    for layers in _chunks_where(~_in_range(norms), a):
        scaled, _ = scale(a[layers], dim=(-1,))
        norms[layers], units[layers] = _by_layers(_norms_and_units, scaled)
    n = (norms > 0).sum(-1).double()
    pairs = units.double().square().sum(-1) - n
    is_defined = (n > 1) & (a.shape[-1] > 1)
    return pairs / torch.where(is_defined, n * (n - 1), torch.nan)


def _reduce_any_scale(
    reduction: Callable[..., Tensor], of_rows: RowReduction, x: Tensor, rows: tuple[Tensor, ...]
) -> Tensor:
    """A reduction of x that is proportional to the scale of x.

    rows: what `of_rows` made of x, the norms first. Layers whose squares are out of range are
    reduced again from a scaled copy.
    """
    result = reduction(x, *rows)
    for layers in _chunks_where(~_in_range(_total_norm(rows[0]).to(rows[0].dtype)), x):
        scaled, exponent = scale(x[layers])
        again = reduction(scaled, *_by_layers(of_rows, scaled))
        result[..., layers, :] = again * exponent.exp2()
    return result


def _in_range(norms: Tensor) -> Tensor:
    """Whether the summed squares can neither have overflowed nor have lost digits."""
    limits = torch.finfo(norms.dtype)
    low, high = float(limits.tiny) ** 0.4, float(limits.max) ** 0.4
    in_range: Tensor = (norms > low) & (norms < high)
    return in_range


def scale(x: Tensor, dim: tuple[int, ...] = (-2, -1)) -> tuple[Tensor, Tensor]:
    """A copy of x divided by 2^e, and e, which has no `dim`.

    2^e is near the largest entry along `dim`.
    """
    x = _at_least_float32(x)
    exponent = x.abs().amax(dim, keepdim=True).frexp().exponent.to(x.dtype)
    # Within these limits both 2^e and 2^-e are normal numbers, and no square overflows.
    limit = math.frexp(torch.finfo(x.dtype).max)[1] - 8
    exponent.clamp_(-limit, limit)
    return x * (-exponent).exp2(), exponent.squeeze(dim).cpu().double()


def _by_layers(of_rows: RowReduction, *stacks: Tensor) -> tuple[Tensor, ...]:
    """Reduce stacks a few layers at a time, so that layers and temporaries stay in the cache."""
    depth = len(stacks[0])
    results: tuple[Tensor, ...] = ()
    for layers in _chunks(stacks[0]):
        parts = of_rows(*(stack[layers] for stack in stacks))
        # Allocated once: small results in between would keep temporaries from reusing memory.
        results = results or tuple(part.new_empty(depth, *part.shape[1:]) for part in parts)
        for result, part in zip(results, parts, strict=True):
            result[layers] = part
    return tuple(result.cpu() for result in results)


def _chunks(x: Tensor) -> list[slice]:
    """Slices of a stack's layers, at least one."""
    layers = max(1, _CHUNK // max(1, x[:1].numel()))
    return [slice(first, first + layers) for first in range(0, max(len(x), 1), layers)]


def _chunks_where(condition: Tensor, x: Tensor) -> Iterator[slice]:
    """The chunks of x in which a condition on its layers holds anywhere."""
    if condition.any():
        yield from (layers for layers in _chunks(x) if condition[layers].any())


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
