"""Nothing passes without a rule, and nothing stays behind."""

import pytest
import torch
from relevance_networks import Plain, make_images, make_inputs, make_network, prepare
from torch import nn
from torch.overrides import _get_current_function_mode_stack

from ser.errors import InputError
from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import follow, trace

CLASSES = torch.tensor([0, 2])


class Apply(nn.Module):
    """Any function, as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def wrap(*layers):
    return prepare(nn.Sequential(nn.Flatten(), *layers, nn.Linear(168, 3)))


UNCOVERED = {
    "exp": torch.exp,
    "sin": torch.sin,
    "pow": lambda x: x**3,
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x - x.logsumexp(-1, keepdim=True),
    "normalize": nn.functional.normalize,
    "einsum": lambda x: x * torch.einsum("bi,bi->b", x, x)[:, None],
    "matmul": lambda x: (x[:, :, None] @ x[:, None]).sum(1),
    "std": lambda x: x / x.std(-1, keepdim=True) + x.std(-1, keepdim=True),
    "mul": lambda x: x.clone().mul_(x),
    "relu": lambda x: (x + 1).relu_(),
}


@pytest.mark.parametrize("name", UNCOVERED)
def test_function_without_a_rule_is_named_with_its_module(name):
    network = wrap(nn.Identity(), Apply(UNCOVERED[name]))
    with pytest.raises(InputError, match=rf"2 \(Apply\): {name}"):
        trace(network, make_images(), CLASSES, Rules())


def test_all_functions_without_a_rule_are_named():
    with pytest.raises(InputError, match=r"1 \(Apply\): sin\n.*3 \(Apply\): exp"):
        trace(wrap(Apply(torch.sin), nn.ReLU(), Apply(torch.exp)), make_images(), CLASSES, Rules())


@pytest.mark.parametrize("module", [nn.Softplus(), nn.GLU(), nn.MultiheadAttention(168, 2), nn.LSTM(168, 168)])
def test_module_without_a_rule_is_named_with_its_path(module):
    network = prepare(nn.Sequential(nn.Flatten(), nn.Sequential(module), nn.Linear(168, 3)))
    with pytest.raises(InputError, match=rf"1\.0 \({type(module).__name__}\)"):
        trace(network, make_images(), CLASSES, Rules())


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 3 * ctx.saved_tensors[0] ** 2


def test_function_with_its_own_gradient_is_named():
    with pytest.raises(InputError, match="CubeBackward"):
        trace(wrap(Apply(Cube.apply)), make_images(), CLASSES, Rules())


@pytest.mark.parametrize("name", ["sin.default", "exp.default"])
def test_operators_beneath_functions_are_named(name):
    operator, overload = name.split(".")
    function = getattr(getattr(torch.ops.aten, operator), overload)
    with pytest.raises(InputError, match=operator):
        trace(wrap(Apply(function)), make_images(), CLASSES, Rules())


def test_convolution_that_others_read_too_keeps_its_own_rule():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.linear = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(240, 3)

        def forward(self, x):
            x = self.conv(x)
            return self.linear((self.norm(x) + x).relu().flatten(1))

    network = prepare(Both())
    folded = trace(network, make_images(), CLASSES, Rules()).find_relevance()
    apart = trace(network, make_images(), CLASSES, Rules(fold_bn=False)).find_relevance()
    torch.testing.assert_close(folded, apart)


COVERED = {
    "masks and scales": lambda x: x * (x > 0) / 2 - x.masked_fill(x > 0, 0),
    "norm by hand": lambda x: (x - x.mean(-1, keepdim=True)) / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt(),
    "root mean square": lambda x: x * (x.square().mean(-1, keepdim=True) + 1e-12).rsqrt(),
    "gate": lambda x: x * (x.mean(-1, keepdim=True) - 1).sigmoid(),
    "squares": lambda x: x**2 + x * x,
    "in place": lambda x: x.clone().mul_(2).add_(x),
    "inplace activation": lambda x: nn.functional.relu(2 * x, inplace=True),
}


@pytest.mark.parametrize("name", COVERED)
def test_functions_with_rules_conserve(name):
    network = prepare(nn.Sequential(nn.Flatten(), Apply(COVERED[name]), nn.Linear(168, 3)), biases=False)
    traced = trace(network, make_images(), CLASSES, Rules())
    torch.testing.assert_close(traced.find_relevance().sum((1, 2, 3)), traced.start.detach(), rtol=1e-6, atol=1e-9)


def test_attention_by_hand_is_refused():
    def attend(x):
        tokens = x.unflatten(1, (12, 14))
        return ((tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens).flatten(1)

    with pytest.raises(InputError, match="matmul"):
        trace(wrap(Apply(attend)), make_images(), CLASSES, Rules())


def test_network_in_training_is_refused():
    with pytest.raises(InputError, match="training"):
        trace(prepare(Plain()).train(), make_images(), CLASSES, Rules())


def test_batch_statistics_are_refused():
    norm = nn.BatchNorm1d(168, track_running_stats=False)
    with pytest.raises(InputError, match="statistics"):
        trace(wrap(norm), make_images(), CLASSES, Rules())


def count_hooks(network):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def fail(x):
    raise RuntimeError("on purpose")


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_stays_behind(broken):
    network, inputs = make_network("mel CNN"), make_inputs("mel CNN")
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    own = [dict(module.__dict__) for module in network.modules()]
    network.whole.top.layers.requires_grad_()
    asking = [weight.requires_grad for weight in network.parameters()]
    inputs.requires_grad_()
    (slope,) = torch.autograd.grad(network(inputs)[:, 0].sum(), inputs)
    if broken:
        hook = network.whole.backbone.block2.register_forward_pre_hook(lambda *_: fail(_))
        with pytest.raises(RuntimeError, match="on purpose"):
            trace(network, inputs, CLASSES, Rules())
        hook.remove()
    else:
        trace(network, inputs, CLASSES, Rules()).find_relevance()
    assert count_hooks(network) == 0
    assert not _get_current_function_mode_stack()
    assert [weight.requires_grad for weight in network.parameters()] == asking
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    for module, known in zip(network.modules(), own, strict=True):
        assert module.__dict__.keys() == known.keys()
    torch.testing.assert_close(torch.autograd.grad(network(inputs)[:, 0].sum(), inputs)[0], slope)


def test_failure_inside_the_context_leaves_no_mode():
    network, inputs = prepare(Plain()), make_images()
    with pytest.raises(RuntimeError, match="on purpose"), follow(network, inputs, Rules()):
        network(inputs)
        fail(inputs)
    assert count_hooks(network) == 0
    assert not _get_current_function_mode_stack()


def test_works_where_gradients_are_off():
    network, inputs = prepare(Plain()), make_images()
    expected = trace(network, inputs, CLASSES, Rules()).find_relevance()
    with torch.no_grad():
        torch.testing.assert_close(trace(network, inputs, CLASSES, Rules()).find_relevance(), expected)
    with torch.inference_mode():
        torch.testing.assert_close(trace(network, inputs.clone(), CLASSES, Rules()).find_relevance(), expected)
