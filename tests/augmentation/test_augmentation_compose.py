import torch
from augmentation_tools import augment, make_noise, make_voice
from hydra.utils import instantiate

from ser.augmentation.base import Unchanged
from ser.augmentation.compose import Chain, OneOf, Union
from ser.augmentation.library import Gain, PolarityInversion
from ser.augmentation.loudness import Loudness
from ser.augmentation.stretch import Tempo
from ser.config import compose
from ser.gather import make_augmentation

CLIPS = [make_voice(0.2), make_noise(0.3), make_voice(0.25, 300)]
INVERT = PolarityInversion(p=1)


def test_union_keeps_the_originals_and_adds_a_copy_for_each_transform():
    waveforms, lengths, sources = augment(Union([INVERT, Tempo(0.8, 0.8), Loudness()]), CLIPS)
    assert len(waveforms) == 4 * len(CLIPS)
    assert sources.tolist() == [0, 1, 2] * 4
    for row, clip in enumerate(CLIPS):
        assert torch.equal(waveforms[row, : len(clip)], clip) and lengths[row] == len(clip)
        assert torch.equal(waveforms[3 + row, : len(clip)], -clip)
        assert lengths[6 + row] == round(len(clip) / 0.8)
    assert torch.equal(torch.tensor([7, 8, 9])[sources][:6], torch.tensor([7, 8, 9, 7, 8, 9]))


def test_no_augmentation_is_the_batch_itself():
    waveforms, lengths, sources = augment(Unchanged(), CLIPS, padding=50)
    assert waveforms.shape == (3, 4850) and lengths.tolist() == [3200, 4800, 4000] and sources.tolist() == [0, 1, 2]
    assert all(torch.equal(row[: len(clip)], clip) for row, clip in zip(waveforms, CLIPS, strict=True))


def test_chain_applies_all_in_order():
    once = augment(Chain([Gain(5, 6), Loudness(-20)]), CLIPS)
    torch.testing.assert_close(once.waveforms, augment(Loudness(-20), CLIPS).waveforms, atol=1e-6, rtol=1e-4)
    inverted = augment(Chain([INVERT, INVERT, INVERT]), CLIPS)
    assert torch.equal(inverted.waveforms[0, :3200], -CLIPS[0])


def test_compositions_nest():
    waveforms, _, sources = augment(Chain([Union([INVERT]), INVERT]), CLIPS)
    assert sources.tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(waveforms[0, :3200], -CLIPS[0]) and torch.equal(waveforms[3, :3200], CLIPS[0])


def test_one_of_draws_one_member_a_clip_by_weight():
    clips = [CLIPS[0]] * 300
    drawn = OneOf({"none": Unchanged(), "invert": INVERT}, weights={"invert": 3, "none": 1})
    inverted = (augment(drawn, clips).waveforms == -CLIPS[0]).all(1)
    assert abs(float(inverted.float().mean()) - 0.75) < 0.08
    assert drawn.identify()["weights"] == [1.0, 3.0]
    assert not (augment(OneOf([Unchanged(), INVERT], weights=[1, 0]), clips).waveforms == -CLIPS[0]).all(1).any()


def test_members_are_added_changed_and_dropped_from_the_command_line():
    overrides = [
        "augmentation=chain",
        "+augmentation@augmentation.members.tempo=tempo",
        "augmentation.members.tempo.p=0.25",
        "~augmentation.members.gain",
    ]
    chain = make_augmentation(compose(overrides))
    names = [member["augmentation"] for member in chain.identify()["members"]]
    assert names == ["ColouredNoise", "PolarityInversion", "Tempo"] and chain.members[2].p == 0.25


def test_members_may_be_a_list():
    target = "ser.augmentation.library.PolarityInversion"
    config = {"_target_": "ser.augmentation.compose.Union", "members": [{"_target_": target, "p": 1.0}]}
    assert len(augment(instantiate(config), CLIPS).waveforms) == 6
