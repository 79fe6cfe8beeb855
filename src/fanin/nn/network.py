"""The network: one pass forward, one pass back, with a stack for each quantity.

z, a, delta   (depth, replicas, batch, width)   pre-activation, activation, dL/dz
out           (replicas, batch, outputs)        the linear output layer
loss          (replicas,)
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fanin.nn.activations import Activation, make_in_place
from fanin.nn.linear import bias_gradient, input_gradient, linear, weight_gradient
from fanin.nn.losses import Loss
from fanin.nn.matmul import Rung, builtin
from fanin.nn.parameters import Parameters


class Network:
    """Dense layers, and the stacks that hold one pass; each pass overwrites the last one.

    `inputs` is (batch, inputs), and `targets` is what `loss` prepared. All replicas share both.
    `inputs`, `targets`, `parameters` and the stacks have one dtype and one device.

    Each half of a pass calls `after_layer` once after each layer, the output layer included, so
    that the caller can read a clock.
    """

    def __init__(
        self,
        parameters: Parameters,
        activation: Activation,
        loss: Loss,
        inputs: Tensor,
        targets: Tensor,
        matmul: Rung = builtin,
    ) -> None:
        self.parameters = parameters
        self.gradients = parameters.empty_like()
        self.activation = activation
        self.loss_function = loss
        self.inputs = inputs
        self.targets = targets
        self.matmul = matmul

        depth, replicas, _, width = parameters.biases.shape
        stack = inputs.new_empty(depth, replicas, len(inputs), width)
        self.z, self.a, self.delta = stack, torch.empty_like(stack), torch.empty_like(stack)
        self.out = inputs.new_empty(replicas, len(inputs), parameters.last.shape[-1])
        self.loss = inputs.new_empty(replicas)

        # Views of each layer, made once, since the stacks are never reallocated.
        self._layers = parameters.layers()
        self._gradients = self.gradients.layers()
        self._stacks = list(zip(self.z, self.a, self.delta, strict=True))
        self._xs = [inputs.expand(replicas, *inputs.shape), *self.a]  # the input of each layer
        self._activate_into = make_in_place(activation)

    @property
    def depth(self) -> int:
        return len(self.z)

    def run(self) -> "Network":
        """One pass forward and one back; every stack is filled."""
        self.forward()
        self.backward()
        self.collect()
        return self

    def forward(self, after_layer: Callable[[], None] = lambda: None) -> None:
        """Layers 1 to depth, then the output layer and the loss."""
        layers = zip(self._xs, self._layers, strict=True)
        for (x, (w, b)), (z, a, _) in zip(layers, self._stacks, strict=False):
            linear(x, w, b, out=z, matmul=self.matmul)
            self._activate_into(z, out=a)
            after_layer()
        x, (w, b) = self._xs[-1], self._layers[-1]
        linear(x, w, b, out=self.out, matmul=self.matmul)
        self.loss = self.loss_function.forward(self.out, self.targets)
        after_layer()

    def backward(self, after_layer: Callable[[], None] = lambda: None) -> None:
        """The output layer, then layers depth to 1: the chain rule from the loss back."""
        grad = self.loss_function.backward(self.out, self.targets)
        for layer in reversed(range(self.depth + 1)):
            if layer < self.depth:
                z, a, delta = self._stacks[layer]
                w_next, _ = self._layers[layer + 1]
                input_gradient(grad, w_next, out=delta, matmul=self.matmul)
                delta *= self.activation.derivative(z, a)
                grad = delta
            w_grad, b_grad = self._gradients[layer]
            weight_gradient(self._xs[layer], grad, out=w_grad, matmul=self.matmul)
            bias_gradient(grad, out=b_grad)
            after_layer()

    def collect(self) -> None:
        """Copy results outside the stacks into them. Nothing to do here; subclasses override it."""
