"""What every choice of the group keeps: determinism, padding, dtype, finite samples, untouched global state."""

import json
import pickle
import random

import pytest
import torch
from augmentation_tools import RATE, augment, make_noise, make_voice

from ser.augmentation.base import Unchanged
from ser.choices import find_group, list_choices
from ser.config import compose
from ser.errors import InputError
from ser.gather import make_augmentation

CHOICES = sorted(list_choices(find_group("augmentation")))
CLIPS = [make_voice(0.6), make_noise(0.35), 0.5 * make_voice(0.1, 220)]


@pytest.fixture(scope="module")
def make(noise_folder, room_folder):
    made = {}

    def build(choice):
        if choice not in made:
            config = compose([f"augmentation={choice}"])
            for node in (config.augmentation, *config.augmentation.get("members", {}).values()):
                if "folder" in node:
                    node.folder = str(noise_folder if "Noise" in node._target_ else room_folder)
            made[choice] = make_augmentation(config) or Unchanged()
        return made[choice]

    return build


@pytest.fixture(params=CHOICES)
def augmentation(request, make):
    return make(request.param)


def test_the_group_has_the_choices_of_the_issue():
    expected = (
        "none white_noise brown_noise background_noise impulse_response gain polarity pitch_shift time_shift low_pass "
        "high_pass time_mask frequency_mask loudness tempo chain one_of union union_published"
    )
    assert set(CHOICES) == set(expected.split())


def test_the_outcome_depends_on_the_generator_alone(augmentation):
    torch.manual_seed(1)
    random.seed(1)
    first = augment(augmentation, CLIPS, seed=5)
    torch.manual_seed(2)
    random.seed(2)
    states = torch.get_rng_state(), random.getstate()
    second = augment(augmentation, CLIPS, seed=5)
    assert torch.equal(states[0], torch.get_rng_state()) and states[1] == random.getstate()
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


def test_another_seed_is_another_outcome(augmentation):
    if isinstance(augmentation, Unchanged) or "target" in augmentation.identify():  # none, loudness: nothing is drawn
        pytest.skip("draws nothing")
    outcomes = [augment(augmentation, CLIPS, seed=seed).waveforms for seed in range(4)]
    assert any(one.shape != outcomes[0].shape or not torch.equal(one, outcomes[0]) for one in outcomes[1:])


def test_a_clip_depends_neither_on_padding_nor_on_its_neighbours(augmentation):
    alone = augment(augmentation, CLIPS, seed=3)
    padded = augment(augmentation, CLIPS, seed=3, padding=4000)
    assert torch.equal(alone.lengths, padded.lengths) and torch.equal(alone.sources, padded.sources)
    width = alone.waveforms.shape[1]
    assert torch.equal(alone.waveforms, padded.waveforms[:, :width])
    assert not padded.waveforms[:, width:].any()
    # The first clip draws the first seed of the batch, whoever comes after it.
    other = augment(augmentation, [CLIPS[0], make_noise(0.9, 8)], seed=3)
    for rank, row in enumerate((other.sources == 0).nonzero()[:, 0].tolist()):
        expected = alone.waveforms[(alone.sources == 0).nonzero()[rank, 0]]
        length = int(other.lengths[row])
        assert torch.equal(other.waveforms[row, :length], expected[:length])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_shapes_dtype_and_silence_beyond_the_end(augmentation, dtype):
    clips = [*CLIPS, torch.zeros(3000), torch.zeros(1), 1e-9 * make_noise(0.1), 3 * make_noise(0.02)]
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = torch.zeros(len(clips), int(lengths.max()) + 100, dtype=dtype)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    before = batch.clone()
    waveforms, new, sources = augmentation.augment(batch, lengths, RATE, torch.Generator().manual_seed(0))
    assert torch.equal(batch, before)
    assert waveforms.dtype == dtype and new.dtype == lengths.dtype and torch.isfinite(waveforms).all()
    assert len(waveforms) == len(new) == len(sources)
    assert all(not row[length:].any() for row, length in zip(waveforms, new, strict=True))
    assert set(sources.tolist()) == set(range(len(clips)))
    assert not waveforms[(sources == 3) | (sources == 4)].any(), "silence stays silent"
    if "Tempo" not in json.dumps(augmentation.identify()):
        assert torch.equal(new, lengths[sources])


def test_identity_is_plain_data_and_survives_pickling(augmentation):
    identity = augmentation.identify()
    assert json.loads(json.dumps(identity)) == identity
    again = pickle.loads(pickle.dumps(augmentation))
    assert again.identify() == identity
    assert torch.equal(augment(again, CLIPS).waveforms, augment(augmentation, CLIPS).waveforms)


def test_identities_differ(make):
    identities = [json.dumps(make(choice).identify()) for choice in CHOICES]
    assert len(set(identities)) == len(identities)


def test_probability(make):
    from ser.augmentation.library import PolarityInversion

    clips = [make_voice(0.01)] * 400
    for p in (0.0, 0.3, 1.0):
        found = augment(PolarityInversion(p=p), clips).waveforms
        inverted = (found == -clips[0]).all(1)
        assert ((found == clips[0]).all(1) | inverted).all()
        assert abs(float(inverted.float().mean()) - p) < (0.08 if p == 0.3 else 1e-9)


@pytest.mark.parametrize("overrides", [{"p": 1.2}, {"min_snr": 20.0, "max_snr": 10.0}])
def test_wrong_parameters_are_named(overrides):
    from ser.augmentation.noise import ColouredNoise

    with pytest.raises(InputError, match=next(iter(overrides))):
        ColouredNoise(**overrides)


def test_wrong_members_are_named():
    from ser.augmentation.compose import Chain, OneOf

    with pytest.raises(InputError, match="no members"):
        Chain([])
    with pytest.raises(InputError, match="is no augmentation"):
        Chain([{"p": 0.5}])
    with pytest.raises(InputError, match="weights"):
        OneOf([Unchanged()], weights=[1, 2])
    with pytest.raises(InputError, match="weights"):
        OneOf({"a": Unchanged()}, weights={"b": 1})
