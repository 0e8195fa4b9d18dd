"""Without biases nothing is lost: what reaches the inputs is what entered."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from relevance_networks import (
    NETWORKS,
    POOLINGS,
    TRANSFORMERS,
    Plain,
    make_images,
    make_inputs,
    make_network,
    measure_sums,
    prepare,
)
from torch import nn

from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import trace

CLASSES = torch.tensor([0, 2])


def check_conserved(network, inputs, rules, atol=1e-9):
    found, entered = measure_sums(trace(network, inputs, CLASSES, rules))
    torch.testing.assert_close(found, entered, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("start", ["margin", "logit"])
@pytest.mark.parametrize("conv", ["epsilon", "gamma"])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Identity()])
def test_plain_network_conserves(pool, conv, start):
    network, inputs = prepare(Plain(pool)), make_images()
    check_conserved(network, inputs, Rules(rule_conv=conv, start=start))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.LeakyReLU, nn.ELU, nn.Hardswish])
def test_activations_pass_relevance_on(activation):
    check_conserved(prepare(Plain(activation=activation)), make_images(), Rules())


@settings(max_examples=25, deadline=None)
@given(gamma=st.floats(0, 10), seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_gamma_conserves_for_inputs_of_both_signs(gamma, seed, scale):
    check_conserved(prepare(Plain(), seed=seed), scale * make_images(), Rules(gamma=gamma))


@pytest.mark.parametrize("conv", ["epsilon", "gamma"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_conserves_with_constant_attention(name, conv):
    network = make_network(name, biases=False)
    check_conserved(network, make_inputs(name), Rules(rule_conv=conv, attention="cplrp"))


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_attnlrp_misses_by_what_the_softmax_adds(name):
    """The expansion of the softmax has a constant term; what it takes is no more than a share."""
    network, inputs = make_network(name, biases=False), make_inputs(name, 6)
    classes = torch.arange(6) % 3
    traced = trace(network, inputs, classes, Rules(attention="attnlrp"))
    found, entered = measure_sums(traced)
    miss = (found - entered).abs() / traced.scale
    assert 1e-9 < miss.median() < 0.5


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", ["mel CNN", "Whisper"])
def test_poolings_conserve(name, pooling):
    network = make_network(name, f"pooling={pooling}", biases=False)
    # What is added below the root of a deviation is a constant: 1e-5 at channels that do not move.
    check_conserved(network, make_inputs(name), Rules(attention="cplrp"), atol=5e-5)


@pytest.mark.parametrize("mix", ["after", "before"])
def test_mixed_layers_conserve(mix):
    network = make_network("wav2vec2", "backbone.layer=mix", f"pooling.mix={mix}", biases=False)
    check_conserved(network, make_inputs("wav2vec2"), Rules(attention="cplrp"))


def test_adapters_conserve():
    network = make_network("wav2vec2", "finetune=lora", biases=False)
    check_conserved(network, make_inputs("wav2vec2"), Rules(attention="cplrp"))


def test_batch_normalisation_is_one_with_its_convolution():
    """With gamma, a norm by itself would hide which contributions have the sign of the outcome."""
    whole = prepare(nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(360, 3)))
    conv, norm, *rest = whole
    slope = norm.weight / (norm.running_var + norm.eps).sqrt()
    merged = nn.Conv2d(1, 3, 3).double()
    merged.weight.data = conv.weight * slope[:, None, None, None]
    merged.bias.data = (conv.bias - norm.running_mean) * slope + norm.bias
    expected = trace(nn.Sequential(merged, *rest).eval(), make_images(), CLASSES, Rules()).find_relevance()
    found = trace(whole, make_images(), CLASSES, Rules()).find_relevance()
    apart = trace(whole, make_images(), CLASSES, Rules(fold_bn=False)).find_relevance()
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(apart, expected, rtol=0.01)


def add_naively(a, b):
    """Both summands get all relevance of their sum, as where a set-up does not know of the addition."""
    whole = (a + b).detach()
    return a * (whole / a.detach()) + b * (whole / b.detach()) - whole


def test_residual_cnn_where_the_published_setup_breaks():
    """Sum of relevance = logit on our residual CNN without biases; each addition unknown to the rules would double it.

    The published set-up finds four times the logit on such a network, and with another order of modules other logits.
    """
    network, inputs = make_network("mel CNN", biases=False), make_inputs("mel CNN")
    rules = Rules(start="logit")
    with torch.no_grad():
        before = network(inputs)
    traced = trace(network, inputs, CLASSES, rules)
    assert (traced.logits - before).abs().max() < 1e-5 * before.abs().max()
    logit = before.gather(1, CLASSES[:, None])[:, 0]
    torch.testing.assert_close(traced.find_relevance().sum((1, 2)), logit, rtol=1e-5, atol=0)
    trunk = network.whole.backbone
    for block in (trunk.block1, trunk.block2):
        block.sum.forward = add_naively
    naive = trace(network, inputs, CLASSES, Rules(start="logit", rule_conv="epsilon"))
    torch.testing.assert_close(naive.find_relevance().sum((1, 2)), 4 * logit, rtol=1e-3, atol=0)
