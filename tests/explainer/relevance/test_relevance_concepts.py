"""Channels' maps sum to the whole, and those that matter are found."""

import numpy as np
import pytest
import torch
from relevance_networks import Plain, make_images, prepare

from ser.explainer.relevance.concepts import Layer, find_largest, make_maps, select_by_class, select_channels
from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import trace


@pytest.fixture
def divided():
    """A trace of a plain network, and the layer behind its first activation."""
    network, kept = prepare(Plain(bias=True)), []
    hook = network.act1.register_forward_hook(lambda *call: kept.append(call[-1]))
    traced = trace(network, make_images(), torch.tensor([0, 2]), Rules())
    hook.remove()
    ones = torch.ones_like(traced.start)
    return traced, Layer(kept[-1], torch.autograd.grad(traced.start, kept[-1], ones, retain_graph=True)[0])


def test_maps_of_all_channels_sum_to_the_whole(divided):
    traced, layer = divided
    maps = make_maps(traced, layer, torch.arange(4).expand(2, -1))
    assert maps.shape == (2, 4, 1, 12, 14)
    torch.testing.assert_close(maps.sum(1), traced.find_relevance(), rtol=1e-6, atol=1e-12)


def test_clips_may_have_other_channels(divided):
    traced, layer = divided
    every = make_maps(traced, layer, torch.arange(4).expand(2, -1))
    own = make_maps(traced, layer, torch.tensor([[2, 0], [3, 1]]))
    torch.testing.assert_close(own[0], every[0, [2, 0]])
    torch.testing.assert_close(own[1], every[1, [3, 1]])


def test_channels_of_frames_are_on_their_last_axis():
    output, gradient = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    layer = Layer(output, gradient)
    torch.testing.assert_close(layer.weigh_channels(), (output * gradient).sum(1))
    torch.testing.assert_close(layer.mask(torch.tensor([1, 2]))[1, :, 2], gradient[1, :, 2])
    assert not layer.mask(torch.tensor([1, 2]))[1, :, :2].any()


def test_channels_with_the_largest_relevance_are_found():
    rng = np.random.default_rng(0)
    relevance = rng.normal(0, 0.1, (40, 8))
    relevance[:, 3] += 2  # for the class, against it, and for it in some clips alone
    relevance[:, 6] -= 1
    relevance[:20, 1] += 0.4
    found = select_channels(relevance, 3, seed=0)
    assert found.channels.tolist() == [3, 6, 1] and found.clips == 40
    assert found.stability[:2].tolist() == [1, 1] and 0.5 < found.stability[2] <= 1


def test_chance_is_not_stable():
    found = select_channels(np.random.default_rng(0).normal(size=(10, 200)), 3, seed=0)
    assert found.stability.max() < 0.9


def test_each_class_has_its_own():
    rows = [np.eye(4)[label] for label in (0, 2, 2, 0, 3)]
    found = select_by_class(rows, [0, 2, 2, 0, 3], 1, seed=0)
    assert {label: one.channels.tolist() for label, one in found.items()} == {0: [0], 2: [2], 3: [3]}
    assert {label: one.clips for label, one in found.items()} == {0: 2, 2: 2, 3: 1}


def test_largest_come_first():
    assert find_largest(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist() == [1, 3, 2]
    assert find_largest(np.array([1.0, 3.0]), 12).tolist() == [1, 0]
