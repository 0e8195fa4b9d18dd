"""SpecAugment and mixup."""

import pytest
import torch

from ser.augmentation.mixup import mix
from ser.augmentation.spec_augment import SpecAugment
from ser.errors import InputError
from ser.head.pooling import make_mask


def make_mel(lengths, mels=40, padding=5, seed=0):
    lengths = torch.tensor(lengths)
    mel = torch.randn(len(lengths), mels, int(lengths.max()) + padding, generator=torch.Generator().manual_seed(seed))
    return 10 * mel - 30, lengths


def test_in_evaluation_nothing_changes():
    mel, lengths = make_mel([50, 20])
    assert torch.equal(SpecAugment().eval()(mel, lengths), mel)


@pytest.mark.parametrize("seed", range(5))
def test_masks_lie_within_their_sizes_and_the_clips_own_frames(seed):
    mel, lengths = make_mel([200, 60, 31], padding=40)
    torch.manual_seed(seed)
    found = SpecAugment(frequency_masks=1, max_bands=10, time_masks=1, max_frames=30, max_share=0.2)(mel, lengths)
    inside = make_mask(lengths, mel.shape[2])[:, None, :].expand_as(mel)
    assert torch.equal(found[~inside], mel[~inside]), "padding stays"
    for row, clip, length in zip(found, mel, lengths.tolist(), strict=True):
        changed = (row != clip)[:, :length]
        frames, bands = changed.all(0), changed.all(1)
        assert int(frames.sum()) <= min(30, 0.2 * length) and int(bands.sum()) <= 10
        assert torch.equal(changed, frames[None, :] | bands[:, None]), "bands and frames, and nothing else"
        torch.testing.assert_close(row[:, :length][changed], clip[:, :length].mean().expand(int(changed.sum())))


def test_masks_do_not_depend_on_what_lies_in_the_padding():
    mel, lengths = make_mel([50, 20])
    other = torch.where(make_mask(lengths, mel.shape[2])[:, None, :], mel, torch.tensor(7.0))
    outcomes = []
    for batch in (mel, other):
        torch.manual_seed(3)
        outcomes.append(SpecAugment()(batch, lengths))
    for row, again, length in zip(*outcomes, lengths, strict=True):
        assert torch.equal(row[:, :length], again[:, :length])
    assert (outcomes[0] != mel).any()


def test_masks_reach_all_bands_and_frames_and_may_be_off():
    mel, lengths = make_mel([100] * 400, padding=0)
    torch.manual_seed(0)
    share = (SpecAugment(max_bands=10)(mel, lengths) != mel).float().mean(0)
    assert (share > 0.05).all() and (share < 0.8).all()
    assert torch.equal(SpecAugment(0, 0, 0)(mel, lengths), mel)
    with pytest.raises(InputError):
        SpecAugment(max_share=1.5)


def test_lengths_of_nothing_and_of_one_frame():
    mel, _ = make_mel([4, 4])
    found = SpecAugment()(mel, torch.tensor([0, 1]))
    assert torch.isfinite(found).all() and torch.equal(found[0], mel[0])


def test_mixup_adds_waveforms_and_keeps_both_targets():
    lengths = torch.tensor([5, 3, 8, 2, 6])
    inputs = torch.rand(5, 8) * make_mask(lengths, 8)
    targets = torch.tensor([0, 1, 2, 3, 4])
    mixed = mix(inputs, lengths, targets, 0.4, torch.Generator().manual_seed(1))
    assert torch.equal(mixed.targets, targets) and sorted(mixed.partners.tolist()) == [0, 1, 2, 3, 4]
    assert (mixed.weights >= 0).all() and (mixed.weights <= 1).all()
    for row in range(5):
        partner, weight = int(mixed.partners[row]), mixed.weights[row]
        torch.testing.assert_close(mixed.inputs[row], weight * inputs[row] + (1 - weight) * inputs[partner])
        assert mixed.lengths[row] == max(lengths[row], lengths[partner])
        assert not mixed.inputs[row, mixed.lengths[row] :].any()


def test_mixup_blends_losses_and_targets():
    mixed = mix(torch.rand(4, 3), torch.tensor([1] * 4), torch.tensor([0, 1, 2, 1]), 1.0, torch.Generator())
    logits = torch.randn(4, 3)
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    one_hot = mixed.blend(*(torch.nn.functional.one_hot(t, 3).float() for t in (mixed.targets, mixed.partners)))
    torch.testing.assert_close(one_hot.sum(1), torch.ones(4))
    blended = mixed.blend(loss(logits, mixed.targets), loss(logits, mixed.partners))
    torch.testing.assert_close(blended, loss(logits, one_hot))


def test_mixup_is_deterministic_and_may_be_off():
    arguments = torch.rand(6, 4), torch.tensor([4, 4, 2, 3, 1, 4]), torch.arange(6)
    before = torch.get_rng_state()
    first, again, other = (mix(*arguments, 0.3, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)) and not torch.equal(
        first.weights, other.weights
    )
    assert torch.equal(torch.get_rng_state(), before)
    off = mix(*arguments, 0.0, torch.Generator())
    assert torch.equal(off.inputs, arguments[0]) and torch.equal(off.lengths, arguments[1])
    with pytest.raises(InputError):
        mix(*arguments, -1, torch.Generator())
