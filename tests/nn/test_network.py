"""The network's two passes, with autograd as the referee of every gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator
from torch.nn import functional

from fanin.nn.activations import Identity, ReLU, Tanh
from fanin.nn.init import Normal, VarianceScaling
from fanin.nn.losses import MSE, CrossEntropy
from fanin.nn.network import Network
from fanin.nn.parameters import Parameters, draw

TARGETS = {
    MSE: lambda batch, outputs, seed: torch.randn(batch, outputs, generator=at(seed)),
    CrossEntropy: lambda batch, outputs, seed: torch.randint(outputs, (batch,), generator=at(seed)),
}
TORCH_LOSS = {MSE: functional.mse_loss, CrossEntropy: functional.cross_entropy}


def at(seed):
    return Generator().manual_seed(seed)


def build(
    init,
    activation,
    loss,
    seeds=(0,),
    *,
    depth=3,
    width=8,
    batch=7,
    inputs=10,
    outputs=4,
    dtype=torch.float64,
    data_seed=99,
):
    x = torch.randn(batch, inputs, generator=at(data_seed)).to(dtype)
    targets = TARGETS[type(loss)](batch, outputs, data_seed + 1)
    targets = loss.prepare(targets, dtype)
    parameters = draw(
        init, seeds, depth=depth, inputs=inputs, width=width, outputs=outputs, dtype=dtype
    )
    return Network(parameters, activation, loss, x, targets)


def kept(network):
    """Everything that a pass leaves behind, by name."""
    names = ("z", "a", "delta", "out", "loss")
    gradients = {f"gradients.{name}": g for name, g in vars(network.gradients).items()}
    return {name: getattr(network, name).clone() for name in names} | gradients


def assert_identical(one, other):
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


def assert_close(actual, expected, relative):
    """By norm: the error against the size of the whole tensor."""
    assert actual.shape == expected.shape
    assert (actual - expected).norm() <= relative * expected.norm()


def assert_gradients_are_autograds(network, function):
    """Each replica against a plain network of its own, built of PyTorch's functions."""
    layers = network.parameters.layers()
    gradients = network.gradients.layers()
    for replica in range(len(network.loss)):
        mine = [
            (w[replica].clone().requires_grad_(), b[replica].clone().requires_grad_())
            for w, b in layers
        ]
        x, zs = network.inputs, []
        for w, b in mine[:-1]:
            zs.append(functional.linear(x, w.mT, b[0]))
            zs[-1].retain_grad()
            x = function(zs[-1])
        out = functional.linear(x, mine[-1][0].mT, mine[-1][1][0])
        loss = TORCH_LOSS[type(network.loss_function)](out, network.targets)
        loss.backward()

        assert_close(network.out[replica], out.detach(), 1e-9)
        assert_close(network.loss[replica], loss.detach(), 1e-9)
        for layer, z in enumerate(zs):
            assert_close(network.z[layer, replica], z.detach(), 1e-9)
            assert_close(network.delta[layer, replica], z.grad, 1e-9)
        for (w, b), (w_grad, b_grad) in zip(mine, gradients, strict=True):
            assert_close(w_grad[replica], w.grad, 1e-9)
            assert_close(b_grad[replica], b.grad, 1e-9)


def test_gradients_of_every_activation_loss_and_init(activation, counterpart, loss, make_init):
    for init in (make_init(), make_init(bias_std=0.5)):
        network = build(init, activation, loss, seeds=(0, 1)).run()
        assert_gradients_are_autograds(network, counterpart)


@settings(deadline=None, max_examples=30)
@given(
    depth=st.integers(0, 4),
    width=st.integers(1, 6),
    batch=st.integers(1, 5),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 3),
    replicas=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_gradients_of_every_shape(
    activation, counterpart, loss, *, depth, width, batch, inputs, outputs, replicas, seed
):
    network = build(
        VarianceScaling(scale=1.5, bias_std=0.3),
        activation,
        loss,
        range(seed, seed + replicas),
        depth=depth,
        width=width,
        batch=batch,
        inputs=inputs,
        outputs=outputs,
        data_seed=seed + 10,
    )
    assert_gradients_are_autograds(network.run(), counterpart)


def test_a_target_without_columns_is_a_target_of_one():
    network = build(VarianceScaling(), Tanh(), MSE(), outputs=1).run()
    column = kept(network)
    network.targets = network.targets[:, 0]
    assert_identical(column, kept(network.run()))


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_stacks_have_a_slice_a_layer(depth):
    network = build(Normal(), ReLU(), MSE(), (0, 1), depth=depth).run()
    assert network.depth == depth
    for stack in (network.z, network.a, network.delta):
        assert stack.shape == (depth, 2, 7, 8)
    assert network.out.shape == (2, 7, 4)
    assert network.loss.shape == (2,)
    for stack, gradient in zip(
        vars(network.parameters).values(), vars(network.gradients).values(), strict=True
    ):
        assert gradient.shape == stack.shape


def test_each_activation_follows_from_its_layers_inputs():
    network = build(Normal(bias_std=1), Tanh(), MSE(), (0, 1)).run()
    x = network.inputs.expand(2, -1, -1)
    for (w, b), z, a in zip(network.parameters.layers(), network.z, network.a, strict=False):
        torch.testing.assert_close(z, x @ w + b, rtol=1e-12, atol=1e-12)
        assert torch.equal(a, z.tanh())
        x = a


def test_a_product_of_matrices_by_hand():
    layers = [torch.tensor([[[[2.0]]]]), torch.tensor([[[[3.0]]]]), torch.tensor([[[[5.0]]]])]
    zeros = torch.zeros(2, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    parameters = Parameters(layers[0], layers[1], layers[2], *zeros)
    network = Network(
        parameters, Identity(), MSE(), torch.tensor([[7.0]]), torch.tensor([200.0])
    ).run()
    assert network.z.flatten().tolist() == [14, 42]
    assert network.out.item() == 210
    assert network.loss.item() == 100
    assert network.delta.flatten().tolist() == [20 * 5 * 3, 20 * 5]
    assert [w.item() for w, _ in network.gradients.layers()] == [2100, 1400, 840]
    assert [b.item() for _, b in network.gradients.layers()] == [300, 100, 20]


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_replicas_are_independent_networks(init, dtype, relative):
    sizes = {"depth": 4, "width": 30, "dtype": dtype}
    together = kept(build(init, Tanh(), CrossEntropy(), range(4), **sizes).run())
    for seed in range(4):
        alone = kept(build(init, Tanh(), CrossEntropy(), [seed], **sizes).run())
        for name, value in alone.items():
            replica = 0 if name in ("out", "loss") else 1
            one = together[name].narrow(replica, seed, 1)
            assert_close(one, value, relative)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_same_seed_gives_the_same_bits(activation, loss, dtype):
    def memoize():
        init = VarianceScaling(bias_std=0.1)
        sizes = {"depth": 4, "width": 50, "batch": 40, "dtype": dtype}
        return kept(build(init, activation, loss, range(3), **sizes).run())

    assert_identical(memoize(), memoize())


def test_the_same_seed_gives_the_same_bits_on_all_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sizes = {"depth": 10, "width": 100, "batch": 200, "inputs": 100, "dtype": torch.float32}
        one, other = (
            kept(build(VarianceScaling(), Tanh(), MSE(), range(2), **sizes).run()) for _ in range(2)
        )
    finally:
        torch.set_num_threads(threads)
    assert_identical(one, other)


def test_a_pass_leaves_nothing_of_the_last_one():
    network = build(VarianceScaling(bias_std=0.1), Tanh(), MSE(), range(2)).run()
    first = kept(network)
    for stack in (network.z, network.a, network.delta, *vars(network.gradients).values()):
        stack.fill_(torch.nan)
    assert_identical(first, kept(network.run()))


def test_a_pass_changes_neither_weights_nor_data(activation, loss):
    network = build(Normal(bias_std=1), activation, loss, range(2))
    owned = [*vars(network.parameters).values(), network.inputs, network.targets]
    before = [tensor.clone() for tensor in owned]
    network.run()
    for tensor, kept_tensor in zip(owned, before, strict=True):
        assert torch.equal(tensor, kept_tensor)


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_after_layer_is_called_once_a_layer_when_that_layer_is_done(depth):
    network = build(VarianceScaling(), Tanh(), MSE(), depth=depth)
    for stack in (network.z, network.a, network.delta, *vars(network.gradients).values()):
        stack.fill_(torch.nan)
    forward, backward = [], []
    network.forward(lambda: forward.append(network.a.isfinite().all((1, 2, 3)).sum().item()))
    assert forward == [*range(1, depth + 1), depth]

    def done():
        return [w.isfinite().all() and b.isfinite().all() for w, b in network.gradients.layers()]

    network.backward(lambda: backward.append(done()))
    assert backward == [
        [layer >= depth - call for layer in range(depth + 1)] for call in range(depth + 1)
    ]
