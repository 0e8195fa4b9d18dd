"""Logits stay, clips do not mind their neighbours, and what went wrong is told."""

import pytest
import torch
from relevance_networks import NETWORKS, Plain, make_images, make_inputs, make_network, prepare
from torch import nn

from ser.errors import InputError
from ser.explainer.base import margin
from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import Trace, judge, trace

CLASSES = torch.tensor([0, 2])


@pytest.mark.parametrize("conv", ["epsilon", "gamma"])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_unchanged_and_clips_independent(name, conv):
    network, inputs = make_network(name), make_inputs(name)
    rules = Rules(rule_conv=conv)
    traced = trace(network, inputs, CLASSES, rules)
    torch.testing.assert_close(traced.logits, network(inputs), rtol=1e-9, atol=1e-12)
    together = traced.find_relevance()
    assert together.shape == inputs.shape and together.isfinite().all() and together.flatten(1).any(1).all()
    for place in range(2):
        alone = trace(network, inputs[place : place + 1], CLASSES[place : place + 1], rules).find_relevance()
        torch.testing.assert_close(alone[0], together[place], rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_single_precision_is_enough_for_unchanged_logits(name):
    network = make_network(name).float()
    trace(network, make_inputs(name).float(), CLASSES, Rules())  # refuses logits that move


def test_moved_logits_are_refused():
    class Noisy(Plain):
        def forward(self, x):
            return super().forward(x) * (1 + 1e-3 * torch.rand(()))

    with pytest.raises(InputError, match="logits move"):
        trace(prepare(Noisy()), make_images(), CLASSES, Rules())


def test_start_is_the_linear_part_of_the_margin():
    """It misses the margin by the entropy of the softmax of the others: nothing where there is one other."""
    network, inputs = prepare(Plain()), make_images()
    traced = trace(network, inputs, CLASSES, Rules())
    others = traced.logits.masked_fill(nn.functional.one_hot(CLASSES, 3).bool(), -torch.inf)
    weights = others.softmax(1)
    entropy = -(weights * weights.clamp(min=1e-30).log()).sum(1)
    torch.testing.assert_close(traced.start.detach(), margin(traced.logits, CLASSES) + entropy)
    two = nn.Sequential(network, nn.Linear(3, 2, bias=False).double()).eval()
    traced = trace(two, inputs, torch.tensor([0, 1]), Rules())
    torch.testing.assert_close(traced.start.detach(), margin(traced.logits, torch.tensor([0, 1])))


def test_start_may_be_the_logit():
    traced = trace(prepare(Plain()), make_images(), CLASSES, Rules(start="logit"))
    torch.testing.assert_close(traced.start.detach(), traced.logits.gather(1, CLASSES[:, None])[:, 0])


def test_biases_absorb_what_is_missing():
    network, inputs = prepare(Plain(bias=True)), make_images()
    traced = trace(network, inputs, CLASSES, Rules())
    values = traced.find_relevance()
    reasons, told = judge(values, traced)
    assert reasons == [[], []]
    lost = traced.start.detach() - values.sum((1, 2, 3))
    assert (lost.abs() > 1e-3).all()
    torch.testing.assert_close(told["bias_share"] * traced.scale, lost)
    torch.testing.assert_close(told["peak"], values.abs().amax((1, 2, 3)) / traced.scale)


def test_exploded_and_empty_maps_are_not_valid():
    start = torch.tensor([1.0, 1.0, 1.0])
    traced = Trace(torch.zeros(3, 4), torch.zeros(3, 2), start, start)
    values = torch.tensor([[2e3, -2e3, 1.0, 0.0], [0.0] * 4, [1.0, 0.0, 0.0, 0.0]])
    exploded, empty, fine = judge(values, traced)[0]
    assert "2000 times" in exploded[0] and "no relevance" in empty[0] and fine == []


def test_network_that_ignores_its_inputs_has_no_relevance():
    class Deaf(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 3, dtype=x.dtype) + 0 * x.detach().sum()

    traced = trace(Deaf().eval(), make_images(), CLASSES, Rules())
    assert not traced.find_relevance().any()
