import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.head.pooling import MeanPooling, MeanStdPooling, make_mask

POOLINGS = [MeanPooling(), MeanStdPooling()]
batches = st.tuples(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 4), st.integers(0, 1000))


def make_batch(lengths, padding, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(lengths)
    return torch.randn(len(lengths), int(lengths.max()) + padding, 3, generator=generator), lengths


def test_mask_is_true_inside_the_clips():
    assert make_mask(torch.tensor([0, 2, 3]), 3).tolist() == [[False] * 3, [True, True, False], [True] * 3]


@pytest.mark.parametrize("pooling", POOLINGS, ids=lambda pooling: type(pooling).__name__)
@given(batch=batches)
@settings(max_examples=25, deadline=None)
def test_frames_beyond_a_clip_never_count(pooling, batch):
    frames, lengths = make_batch(*batch)
    expected = pooling(frames, lengths)
    garbage = torch.where(make_mask(lengths, frames.shape[1]).unsqueeze(-1), frames, torch.tensor(1e3))
    torch.testing.assert_close(pooling(garbage, lengths), expected)
    for row, (clip, length) in enumerate(zip(frames, lengths, strict=True)):
        alone = pooling(clip[None, :length], length[None])
        torch.testing.assert_close(alone[0], expected[row], atol=1e-5, rtol=1e-5)


@given(batch=batches)
@settings(max_examples=25, deadline=None)
def test_mean_and_deviation_are_those_of_the_clips_own_frames(batch):
    frames, lengths = make_batch(*batch)
    pooled = MeanStdPooling()(frames, lengths)
    assert pooled.shape == (len(lengths), 6) and MeanStdPooling().find_size(3) == 6 and MeanPooling().find_size(3) == 3
    for row, (clip, length) in enumerate(zip(frames, lengths, strict=True)):
        own = clip[:length]
        torch.testing.assert_close(pooled[row, :3], own.mean(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(pooled[row, 3:], own.std(0, correction=0), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("pooling", POOLINGS, ids=lambda pooling: type(pooling).__name__)
def test_gradients_stay_finite_for_one_frame_and_none(pooling):
    frames = torch.ones(2, 3, 2, requires_grad=True)
    pooling(frames, torch.tensor([1, 0])).sum().backward()
    assert torch.isfinite(frames.grad).all()
    assert (frames.grad[1] == 0).all() and (frames.grad[0, 1:] == 0).all()
