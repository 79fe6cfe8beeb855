"""Broadcasting: how tensors of different shapes are combined element by element.

Shapes are compared from the trailing dimension. Two sizes agree if they are equal or one of
them is 1; missing leading dimensions count as 1. Nothing is copied: an expanded dimension has
stride 0, so that every step along it lands on the same element.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

Shape = Sequence[int]


def broadcast_shape(*shapes: Shape) -> tuple[int, ...]:
    """The common shape. Raises a ValueError that names the dimension where sizes disagree."""
    result: list[int] = []
    for dimension in range(-1, -1 - max(map(len, shapes), default=0), -1):
        sizes = {shape[dimension] for shape in shapes if len(shape) >= -dimension}
        wide = sizes - {1}
        if len(wide) > 1:
            named = " and ".join(str(tuple(shape)) for shape in shapes)
            differing = ", ".join(map(str, sorted(wide)))
            raise ValueError(
                f"{named} do not broadcast: dimension {dimension} has sizes {differing}"
            )
        result.insert(0, wide.pop() if wide else 1)
    return tuple(result)


def expand(x: Tensor, shape: Shape) -> Tensor:
    """A view of x in a larger shape, with stride 0 along every expanded dimension.

    Raises a ValueError if x does not broadcast to exactly that shape.
    """
    if broadcast_shape(x.shape, shape) != tuple(shape):
        raise ValueError(f"{tuple(x.shape)} does not expand to {tuple(shape)}")
    missing = len(shape) - x.ndim
    sizes = (1,) * missing + tuple(x.shape)
    strides = (0,) * missing + x.stride()
    return x.as_strided(
        tuple(shape),
        tuple(
            stride if size == expanded else 0
            for stride, size, expanded in zip(strides, sizes, shape, strict=True)
        ),
        x.storage_offset(),
    )


def elementwise(operation: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply an operation such as torch.add or torch.lt element by element, after broadcasting."""
    shape = broadcast_shape(*(x.shape for x in tensors))
    return operation(*(expand(x, shape) for x in tensors))
