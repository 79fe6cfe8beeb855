"""The dense layer: y = x @ w + b, and its gradients.

Shapes, with any leading dimensions (replicas) in front:

    x (batch, fan_in)   w (fan_in, fan_out)   b (1, fan_out)   y (batch, fan_out)

The gradients are the chain rule for a product; `grad` is dL/dy, in the shape of y. Each function
writes into `out` if it is given, so that a pass fills its stacks in place, and multiplies with the
rung of `fanin.nn.matmul` that it is given.
"""

import torch
from torch import Tensor

from fanin.nn.matmul import Rung, builtin


def linear(
    x: Tensor, w: Tensor, b: Tensor, out: Tensor | None = None, matmul: Rung = builtin
) -> Tensor:
    if matmul is builtin and x.ndim == w.ndim == 3:
        return torch.baddbmm(b, x, w, out=out)  # the same, in one step
    return matmul(x, w, out).add_(b)


def input_gradient(
    grad: Tensor, w: Tensor, out: Tensor | None = None, matmul: Rung = builtin
) -> Tensor:
    return matmul(grad, w.mT, out)


def weight_gradient(
    x: Tensor, grad: Tensor, out: Tensor | None = None, matmul: Rung = builtin
) -> Tensor:
    return matmul(x.mT, grad, out)


def bias_gradient(grad: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.sum(grad, dim=-2, keepdim=True, out=out)
