"""Three engines for one network: ours, and two ways to let PyTorch's autograd run it.

    manual              the network of fanin.nn.network, forward and backward by hand
    autograd_function   each operation a torch.autograd.Function around our pair of functions
    module              nn.Module layers and plain autograd, the usual way

They share the mathematics: the second calls the same value and gradient functions as the first;
the third calls the same value functions and leaves the gradients to autograd. All fill the same
stacks, so that each can be measured in the same way.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.autograd.function import Function

from fanin.nn.activations import Activation
from fanin.nn.linear import bias_gradient, input_gradient, linear, weight_gradient
from fanin.nn.losses import Loss
from fanin.nn.matmul import Rung
from fanin.nn.network import Network

Operation = Callable[[Tensor], Tensor]


class AutogradNetwork(Network):
    """A network whose backward pass is autograd's.

    Its pass lives in autograd's graph; `collect` copies it into the stacks, outside the clock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._leaves = [(nn.Parameter(w), nn.Parameter(b)) for w, b in self._layers]
        self._linears, self._activate, self._measure_loss = self._operations()
        self._after_layer: Callable[[], None] = lambda: None

    def _operations(self) -> tuple[list[Operation], Operation, Operation]:
        """The linear operation of each layer, the activation, and the loss of the output."""
        raise NotImplementedError

    def forward(self, after_layer: Callable[[], None] = lambda: None) -> None:
        *hidden, last = self._linears
        x = self.inputs
        self._z: list[Tensor] = []
        self._a: list[Tensor] = []
        for layer in hidden:
            z = layer(x)
            z.retain_grad()
            x = self._activate(z)
            # Called once dL/dx is known: the layer above is done.
            x.register_hook(lambda _: self._after_layer())
            self._z.append(z)
            self._a.append(x)
            after_layer()
        self._out = last(x)
        self.loss = self._measure_loss(self._out)
        after_layer()

    def backward(self, after_layer: Callable[[], None] = lambda: None) -> None:
        for leaves in self._leaves:
            for leaf in leaves:
                leaf.grad = None
        self._after_layer = after_layer
        self.loss.sum().backward()
        after_layer()

    def collect(self) -> None:
        self.out.copy_(self._out.detach())
        self.loss = self.loss.detach()
        for layer, (z, a) in enumerate(zip(self._z, self._a, strict=True)):
            self.z[layer], self.a[layer], self.delta[layer] = z.detach(), a.detach(), _grad(z)
        for gradients, leaves in zip(self._gradients, self._leaves, strict=True):
            for gradient, leaf in zip(gradients, leaves, strict=True):
                gradient.copy_(_grad(leaf))


def _grad(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad


class FunctionNetwork(AutogradNetwork):
    """Each operation a torch.autograd.Function around our pair of functions."""

    def _operations(self) -> tuple[list[Operation], Operation, Operation]:
        def layer(w: Tensor, b: Tensor) -> Operation:
            return lambda x: LinearFunction.apply(x, w, b, self.matmul)  # type: ignore[no-untyped-call]

        return (
            [layer(*leaves) for leaves in self._leaves],
            lambda z: ActivationFunction.apply(z, self.activation),  # type: ignore[no-untyped-call]
            lambda out: LossFunction.apply(out, self.targets, self.loss_function),  # type: ignore[no-untyped-call]
        )


class LinearFunction(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, matmul: Rung) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.matmul = matmul
        return linear(x, w, b, matmul=matmul)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w = ctx.saved_tensors
        needs_grad = ctx.needs_input_grad[0]  # the inputs of the network need no gradient
        x_grad = input_gradient(grad, w, matmul=ctx.matmul) if needs_grad else None
        return x_grad, weight_gradient(x, grad, matmul=ctx.matmul), bias_gradient(grad), None


class ActivationFunction(Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, activation: Activation) -> Tensor:
        a = activation.forward(z)
        ctx.save_for_backward(z, a)
        ctx.activation = activation
        return a

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad * ctx.activation.derivative(*ctx.saved_tensors), None


class LossFunction(Function):
    @staticmethod
    def forward(ctx: Any, out: Tensor, targets: Tensor, loss: Loss) -> Tensor:
        ctx.save_for_backward(out, targets)
        ctx.loss = loss
        return loss.forward(out, targets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad[:, None, None] * ctx.loss.backward(*ctx.saved_tensors), None, None


class ModuleNetwork(AutogradNetwork):
    """nn.Module layers; autograd derives every gradient."""

    def _operations(self) -> tuple[list[Operation], Operation, Operation]:
        layers = nn.ModuleList(LinearModule(w, b, self.matmul) for w, b in self._leaves)
        return (
            list(layers),
            ActivationModule(self.activation),
            lambda out: self.loss_function.forward(out, self.targets),
        )


class LinearModule(nn.Module):
    def __init__(self, weight: nn.Parameter, bias: nn.Parameter, matmul: Rung) -> None:
        super().__init__()
        self.weight, self.bias, self.matmul = weight, bias, matmul

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias, matmul=self.matmul)


class ActivationModule(nn.Module):
    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, z: Tensor) -> Tensor:
        return self.activation.forward(z)


ENGINES: dict[str, type[Network]] = {
    "manual": Network,
    "autograd_function": FunctionNetwork,
    "module": ModuleNetwork,
}
