"""The weights and biases of many networks at once.

Layers 1 to depth are hidden, and one output layer follows. All hidden layers but the first have
one shape, so the parameters are a few stacks, whose first dimension is the layers:

    first    (1 or 0, replicas, inputs, width)
    hidden   (depth - 1, replicas, width, width)
    last     (1, replicas, width, outputs); (1, replicas, inputs, outputs) at depth 0
    biases   (depth, replicas, 1, width) and last_bias (1, replicas, 1, outputs)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from fanin.nn.init import Init


@dataclass(frozen=True)
class Parameters:
    """Stacks of weights and biases, or of their gradients."""

    first: Tensor
    hidden: Tensor
    last: Tensor
    biases: Tensor
    last_bias: Tensor

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """(w, b) of each layer in order, the output layer last: views of the stacks."""
        weights = [*self.first, *self.hidden, *self.last]
        return list(zip(weights, [*self.biases, *self.last_bias], strict=True))

    def empty_like(self) -> "Parameters":
        return Parameters(*(torch.empty_like(stack) for stack in vars(self).values()))


def draw(
    init: Init,
    seeds: Sequence[int],
    *,
    depth: int,
    inputs: int,
    width: int,
    outputs: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Parameters:
    """Draw one network per seed.

    Each replica has its own generator and is drawn on the CPU in float32, then cast and moved. So
    a seed means the same network in any dtype, on any device, whatever the other seeds are.
    """

    def network(seed: int) -> tuple[Tensor, ...]:
        generator = Generator().manual_seed(seed)
        hidden = (min(depth, 1), inputs, width), (max(depth - 1, 0), width, width)
        last = (1, width if depth else inputs, outputs)
        return (
            *(init.weights(*shape, generator) for shape in (*hidden, last)),
            torch.cat([init.biases(*shape, generator) for shape in hidden]),
            init.biases(*last, generator),
        )

    networks = [network(seed) for seed in seeds]
    return Parameters(
        *(torch.stack(stack, dim=1).to(device, dtype) for stack in zip(*networks, strict=True))
    )
