"""Broadcasting: how tensors of unlike shapes meet element by element.

Shapes are compared from the trailing dimension. Two sizes agree if they are equal or one of
them is 1, and dimensions that are missing in front count as 1. Nothing is copied: a dimension
is expanded by giving it a stride of 0, so that every step along it lands on the same element.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

Shape = Sequence[int]


def broadcast_shape(*shapes: Shape) -> tuple[int, ...]:
    """The shape in which all of these meet; a ValueError that names the dimension otherwise."""
    result: list[int] = []
    for dimension in range(-1, -1 - max(map(len, shapes), default=0), -1):
        sizes = {shape[dimension] for shape in shapes if len(shape) >= -dimension}
        wide = sizes - {1}
        if len(wide) > 1:
            named = " and ".join(str(tuple(shape)) for shape in shapes)
            unlike = ", ".join(map(str, sorted(wide)))
            raise ValueError(f"{named} do not broadcast: dimension {dimension} has sizes {unlike}")
        result.insert(0, wide.pop() if wide else 1)
    return tuple(result)


def expand(x: Tensor, shape: Shape) -> Tensor:
    """x as seen in a larger shape: a view, with stride 0 along every expanded dimension."""
    if broadcast_shape(x.shape, shape) != tuple(shape):
        raise ValueError(f"{tuple(x.shape)} does not expand to {tuple(shape)}")
    missing = len(shape) - x.ndim
    sizes = (1,) * missing + tuple(x.shape)
    strides = (0,) * missing + x.stride()
    return x.as_strided(
        tuple(shape),
        tuple(
            stride if size == wanted else 0
            for stride, size, wanted in zip(strides, sizes, shape, strict=True)
        ),
        x.storage_offset(),
    )


def elementwise(operation: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """An operation such as torch.add or torch.lt, element by element after broadcasting."""
    shape = broadcast_shape(*(x.shape for x in tensors))
    return operation(*(expand(x, shape) for x in tensors))
