"""Losses, each with its gradient with respect to the network's output.

    out (replicas, batch, outputs)   forward -> (replicas,)   backward -> out's shape

Every replica has its own loss, the mean over the batch. Targets are shared by all replicas.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


class Loss(ABC):
    """A loss of the network's output against the targets.

    takes_classes: whether the targets are class numbers 0, 1, 2, ... rather than values.
    """

    takes_classes: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, targets: Tensor, dtype: torch.dtype) -> Tensor:
        """The targets in the form that this loss needs. Raises ValueError if they do not fit it."""

    @abstractmethod
    def outputs(self, targets: Tensor) -> int:
        """The number of output units that prepared targets need."""

    @abstractmethod
    def forward(self, out: Tensor, targets: Tensor) -> Tensor:
        """The loss of each replica, (replicas,)."""

    @abstractmethod
    def backward(self, out: Tensor, targets: Tensor) -> Tensor:
        """dL/d(out), in the shape of out."""


@dataclass(frozen=True)
class MSE(Loss):
    """Mean squared error over the batch and the outputs.

    Targets are (batch, outputs), or (batch,) for a single output, whose last dimension is then
    dropped before the difference.
    """

    def prepare(self, targets: Tensor, dtype: torch.dtype) -> Tensor:
        return targets.to(dtype)

    def outputs(self, targets: Tensor) -> int:
        return 1 if targets.ndim == 1 else targets.shape[1]

    def forward(self, out: Tensor, targets: Tensor) -> Tensor:
        return _difference(out, targets).square().flatten(1).mean(1)

    def backward(self, out: Tensor, targets: Tensor) -> Tensor:
        return (2 * _difference(out, targets) / targets.numel()).reshape(out.shape)


def _difference(out: Tensor, targets: Tensor) -> Tensor:
    return (out.squeeze(-1) if targets.ndim == 1 else out) - targets


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """The mean of -log softmax(out)[target] over the batch. Targets are class numbers, (batch,)."""

    takes_classes: ClassVar[bool] = True

    def prepare(self, targets: Tensor, dtype: torch.dtype) -> Tensor:
        classes = targets.long()
        if targets.ndim != 1 or (classes != targets).any() or (classes < 0).any():
            raise ValueError("needs class numbers (0, 1, 2, ...) as targets")
        return classes

    def outputs(self, targets: Tensor) -> int:
        return int(targets.max()) + 1

    def forward(self, out: Tensor, targets: Tensor) -> Tensor:
        shifted = out - out.amax(-1, keepdim=True)
        log_softmax = shifted - shifted.exp().sum(-1, keepdim=True).log()
        return -torch.where(_is_target(out, targets), log_softmax, 0).sum(-1).mean(-1)

    def backward(self, out: Tensor, targets: Tensor) -> Tensor:
        softmax = (out - out.amax(-1, keepdim=True)).exp()
        softmax /= softmax.sum(-1, keepdim=True)
        return (softmax - _is_target(out, targets).to(out.dtype)) / len(targets)


def _is_target(out: Tensor, targets: Tensor) -> Tensor:
    return targets[:, None] == torch.arange(out.shape[-1], device=out.device)
