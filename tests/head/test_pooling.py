"""Poolings: what they compute, that padding never counts, and which of them hear the order of frames."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.head.pooling import (
    STATISTICS,
    AttentionPooling,
    AttentiveStatistics,
    EcapaPooling,
    LayerMix,
    StatisticsPooling,
    make_mask,
    weigh,
)

SIZE = 6
LEARNED = {
    "attention": lambda: AttentionPooling(SIZE, 5),
    "attentive statistics": lambda: AttentiveStatistics(SIZE, 5),
    "ecapa": lambda: EcapaPooling(SIZE, channels=8, scale=4, bottleneck=3, embedding=7),
}
ALL = {
    **{name: (lambda name=name: StatisticsPooling([name])) for name in STATISTICS},
    "side by side": lambda: StatisticsPooling(["mean", "max", "std"]),
    **LEARNED,
}
batches = st.tuples(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 4), st.integers(0, 1000))
each_pooling = pytest.mark.parametrize("name", ALL)


def make_pooling(name):
    """A pooling whose every weight matters, as after training."""
    torch.manual_seed(0)
    pooling = ALL[name]()
    with torch.no_grad():
        for weight in pooling.parameters():
            weight.add_(0.3 * torch.randn(weight.shape))
        for module in pooling.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
    return pooling.eval()


def make_batch(lengths, padding, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(lengths)
    return torch.randn(len(lengths), int(lengths.max()) + padding, SIZE, generator=generator), lengths


def test_mask_is_true_inside_the_clips():
    assert make_mask(torch.tensor([0, 2, 3]), 3).tolist() == [[False] * 3, [True, True, False], [True] * 3]


@each_pooling
@given(batch=batches)
@settings(max_examples=20, deadline=None)
def test_frames_beyond_a_clip_never_count(name, batch):
    pooling = make_pooling(name)
    frames, lengths = make_batch(*batch)
    expected = pooling(frames, lengths)
    assert expected.shape == (len(lengths), pooling.find_size(SIZE))
    garbage = torch.where(make_mask(lengths, frames.shape[1]).unsqueeze(-1), frames, torch.tensor(1e3))
    torch.testing.assert_close(pooling(garbage, lengths), expected)
    for row, (clip, length) in enumerate(zip(frames, lengths, strict=True)):
        alone = pooling(clip[None, :length], length[None])
        torch.testing.assert_close(alone[0], expected[row], atol=2e-5, rtol=1e-4)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(pooling(frames[order], lengths[order]), expected[order], atol=2e-5, rtol=1e-4)


@given(batch=batches)
@settings(max_examples=25, deadline=None)
def test_statistics_are_numpys_of_the_clips_own_frames(batch):
    frames, lengths = make_batch(*batch)
    pooled = StatisticsPooling(list(STATISTICS))(frames, lengths).view(len(lengths), len(STATISTICS), SIZE).numpy()
    for row, (clip, length) in enumerate(zip(frames.numpy(), lengths.tolist(), strict=True)):
        own = clip[:length].astype(np.float64)
        mean, most = own.mean(0), own.max(0)
        expected = {"mean": mean, "std": own.std(0), "max": most, "sum": own.sum(0), "mean_plus_max": mean + most}
        for found, name in zip(pooled[row], STATISTICS, strict=True):
            np.testing.assert_allclose(found, expected[name], atol=2e-4, rtol=1e-4, err_msg=name)


def list_weights(pooling, frames, lengths):
    """Weights of the frames, by which the pooling takes its mean."""
    heard = pooling.listen(frames, lengths) if isinstance(pooling, EcapaPooling) else frames
    return pooling.weigh(heard, lengths)


@pytest.mark.parametrize("name", LEARNED)
@given(batch=batches)
@settings(max_examples=20, deadline=None)
def test_attention_sums_to_one_over_a_clip_and_is_zero_beyond(name, batch):
    pooling = make_pooling(name)
    frames, lengths = make_batch(*batch)
    weights = list_weights(pooling, frames, lengths)
    assert weights.shape[:2] == frames.shape[:2] and (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))
    assert (weights[~make_mask(lengths, frames.shape[1])] == 0).all()
    if frames.shape[1] > 1 and int(lengths.max()) > 1:
        assert weights.std() > 0


def test_even_attention_is_the_mean():
    frames, lengths = make_batch([4, 2], 1, 0)
    even = weigh(torch.zeros(2, 5, 1), lengths)
    torch.testing.assert_close((frames * even).sum(1), StatisticsPooling(["mean"])(frames, lengths))


@each_pooling
def test_only_ecapa_hears_the_order_of_frames(name):
    pooling = make_pooling(name)
    frames, lengths = make_batch([9, 7, 5], 3, 4)
    backwards = frames.clone()
    for clip, length in zip(backwards, lengths, strict=True):
        clip[:length] = clip[:length].flip(0)
    difference = (pooling(backwards, lengths) - pooling(frames, lengths)).abs().max().item()
    assert (difference > 1e-3) if name == "ecapa" else (difference < 1e-5)


@each_pooling
def test_gradients_stay_finite_for_one_frame_and_for_equal_frames(name):
    pooling = make_pooling(name)
    for frames, lengths in ((torch.ones(2, 3, SIZE), [1, 3]), (torch.zeros(2, 3, SIZE), [1, 2])):
        frames = frames.requires_grad_()
        pooling(frames, torch.tensor(lengths)).sum().backward()
        assert torch.isfinite(frames.grad).all()
        assert (frames.grad[0, 1:] == 0).all()


def test_attention_in_training_finds_the_frame_that_matters():
    torch.manual_seed(0)
    pooling, layer = AttentionPooling(SIZE, 8), nn.Linear(SIZE, 2)
    optimizer = torch.optim.Adam([*pooling.parameters(), *layer.parameters()], lr=0.02)
    draw = torch.Generator().manual_seed(1)
    frames, labels = torch.randn(64, 12, SIZE, generator=draw), torch.arange(64) % 2
    places = torch.randint(0, 12, (64,), generator=draw)
    for clip, place, label in zip(frames, places, labels, strict=True):
        clip[place] = torch.tensor([6.0, 3.0 if label else -3.0, 0, 0, 0, 0])
    lengths = torch.full((64,), 12)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(pooling(frames, lengths)), labels).backward()
        optimizer.step()
    found = pooling.weigh(frames, lengths)[..., 0].argmax(1)
    assert (found == places).float().mean() > 0.9


def test_layers_are_mixed_by_a_softmax():
    mix = LayerMix(4)
    hidden = torch.randn(3, 4, 5, 2)
    torch.testing.assert_close(mix(hidden), hidden.mean(1))  # at first
    with torch.no_grad():
        mix.scores.copy_(torch.tensor([1.0, -2.0, 0.5, 3.0]))
    weights = np.exp(mix.scores.detach().numpy()) / np.exp(mix.scores.detach().numpy()).sum()
    np.testing.assert_allclose(mix.weights.detach(), weights, rtol=1e-6)
    assert mix.weights.sum().item() == pytest.approx(1)
    expected = sum(weight * hidden[:, layer] for layer, weight in enumerate(weights))
    torch.testing.assert_close(mix(hidden), expected.float())
    mix(hidden).sum().backward()
    assert mix.scores.grad.abs().sum() > 0
