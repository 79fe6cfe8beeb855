"""The dense layer: y = x @ w + b, and what flows back through it.

Shapes, with any leading dimensions (replicas) in front:

    x (batch, fan_in)   w (fan_in, fan_out)   b (1, fan_out)   y (batch, fan_out)

Each function writes into `out` and returns it, so that a pass fills its stacks in place.
The gradients are the chain rule for a product; `grad` is dL/dy, of y's shape.
"""

import torch
from torch import Tensor


def linear(x: Tensor, w: Tensor, b: Tensor, out: Tensor) -> Tensor:
    return torch.matmul(x, w, out=out).add_(b)


def input_gradient(grad: Tensor, w: Tensor, out: Tensor) -> Tensor:
    return torch.matmul(grad, w.mT, out=out)


def weight_gradient(x: Tensor, grad: Tensor, out: Tensor) -> Tensor:
    return torch.matmul(x.mT, grad, out=out)


def bias_gradient(grad: Tensor, out: Tensor) -> Tensor:
    return torch.sum(grad, dim=-2, keepdim=True, out=out)
