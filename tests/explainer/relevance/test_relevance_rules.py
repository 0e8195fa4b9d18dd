"""The rules against their definitions, and against captum where that has them."""

import pytest
import torch
from relevance_networks import Plain, make_images, prepare
from torch import nn
from torch.nn.functional import conv1d, cosine_similarity, group_norm, layer_norm, scaled_dot_product_attention

from ser.errors import InputError
from ser.explainer.relevance import gradients
from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import trace

CLASSES = torch.tensor([0, 2])
EPSILON = Rules(rule_conv="epsilon", start="logit")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def explain(network, inputs, rules):
    return trace(network, inputs, CLASSES, rules).find_relevance()


def compare(found, expected):
    assert (cosine_similarity(found.flatten(1), expected.flatten(1)) > 0.99999).all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_epsilon_is_gradient_times_input_without_biases():
    network, inputs = prepare(Plain()), make_images().requires_grad_()
    (slope,) = torch.autograd.grad(network(inputs).gather(1, CLASSES[:, None]).sum(), inputs)
    compare(explain(network, inputs, EPSILON), (inputs * slope).detach())


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)])
def test_epsilon_equals_captum(pool, bias):
    from captum.attr import LRP

    network, inputs = prepare(Plain(pool, bias=bias)), make_images()
    compare(explain(network, inputs, EPSILON), LRP(network).attribute(inputs.clone(), CLASSES).detach())


def test_gamma_equals_captum_where_inputs_have_one_sign():
    """captum has the form for inputs of one sign, which ReLUs make."""
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import GammaRule

    network, inputs = prepare(Plain()), make_images(low=0)
    for layer in (network.conv1, network.conv2):
        layer.rule = GammaRule(0.25, set_bias_to_zero=False)
    expected = LRP(network).attribute(inputs.clone(), CLASSES).detach()
    compare(explain(network, inputs, Rules(start="logit")), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.25, 3.0])
def test_gamma_follows_its_definition_for_both_signs(gamma):
    x, weight, bias, relevance = draw(6), draw(4, 6, seed=1), draw(4, seed=2), draw(4, seed=3)
    expected = torch.zeros(6, dtype=torch.float64)
    for unit in range(4):
        parts = x * weight[unit]
        outcome = parts.sum() + bias[unit]
        raised = torch.where(parts * outcome > 0, (1 + gamma) * parts, parts)
        whole = raised.sum() + bias[unit] * (1 + gamma if bias[unit] * outcome > 0 else 1)
        expected += raised / whole * relevance[unit]
    x = x[None, :, None].requires_grad_()
    made = gradients.convolve_gamma(conv1d, gamma, x, weight[:, :, None], bias)
    torch.testing.assert_close(made, conv1d(x, weight[:, :, None], bias))
    (slope,) = torch.autograd.grad(made, x, (relevance[None, :, None] / made).detach())
    torch.testing.assert_close((x * slope).detach()[0, :, 0], expected)


def test_gamma_of_zero_is_epsilon():
    network, inputs = prepare(Plain(bias=True)), make_images()
    compare(explain(network, inputs, Rules(gamma=0, start="logit")), explain(network, inputs, EPSILON))


def attend_by_definition(query, key, value, gradient):
    """Relevance of queries, keys and values by AttnLRP (Achtibat et al., 2024, equations 9, 13 and 15)."""
    scale = query.shape[-1] ** -0.5
    weights = (scale * query @ key.transpose(-1, -2)).softmax(-1)
    shares = weights[..., None] * (value[:, :, None] * gradient[:, :, :, None])  # [B, heads, F, F', D], by contribution
    of_value, of_weights = shares.sum(2) / 2, shares.sum(-1) / 2
    of_scores = of_weights - weights * of_weights.sum(-1, keepdim=True)  # times the scores
    slope = scale * of_scores
    return query * (slope @ key) / 2, key * (slope.transpose(-1, -2) @ query) / 2, of_value


def test_attention_follows_attnlrp():
    parts = [draw(2, 3, 5, 4, seed=seed).requires_grad_() for seed in range(3)]
    made = gradients.attend(scaled_dot_product_attention, True, *parts, None)
    torch.testing.assert_close(made, scaled_dot_product_attention(*parts))
    gradient = draw(*made.shape, seed=9)
    slopes = torch.autograd.grad(made, parts, gradient)
    expected = attend_by_definition(*(part.detach() for part in parts), gradient)
    for part, slope, relevance in zip(parts, slopes, expected, strict=True):
        torch.testing.assert_close((part * slope).detach(), relevance)


def test_constant_attention_gives_all_to_the_values():
    query, key, value = (draw(2, 3, 5, 4, seed=seed).requires_grad_() for seed in range(3))
    made = gradients.attend(scaled_dot_product_attention, False, query, key, value, None)
    gradient = draw(*made.shape, seed=9)
    slopes = torch.autograd.grad(made, (query, key, value), gradient, allow_unused=True)
    assert slopes[0] is None and slopes[1] is None
    torch.testing.assert_close((value * slopes[2]).sum(), (made * gradient).sum())


def test_norms_have_constant_variance():
    x = draw(2, 6, 5, seed=4).requires_grad_()
    weight, bias = draw(5, seed=5), draw(5, seed=6)
    made = gradients.norm_layer(layer_norm, x, [5], weight, bias, 1e-5)
    torch.testing.assert_close(made, layer_norm(x, [5], weight, bias))
    gradient = draw(*made.shape, seed=7)
    (slope,) = torch.autograd.grad(made, x, gradient)
    torch.testing.assert_close((x * slope).sum(), ((made - bias) * gradient).sum())
    weight, bias = draw(6, seed=5), draw(6, seed=6)
    made = gradients.norm_groups(group_norm, x, 3, weight, bias, 1e-5)
    torch.testing.assert_close(made, group_norm(x, 3, weight, bias))
    (slope,) = torch.autograd.grad(made, x, gradient)
    torch.testing.assert_close((x * slope).sum(), ((made - bias[:, None]) * gradient).sum())


def test_unknown_choices_are_refused():
    for changes in ({"rule_conv": "alpha"}, {"attention": "rollout"}, {"start": "probability"}, {"gamma": -1}):
        with pytest.raises(InputError, match=next(iter(changes))):
            Rules(**changes)
