import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.backbone.mel_cnn import MelCNN
from ser.errors import InputError
from ser.explainer.segments.units import FixedLength, MelBands, Stretches, Syllables, Words, find_bounds, split_dips
from ser.explainer.subject import Subject

RATE = 16000


@pytest.fixture(scope="module")
def hears():
    return Subject(("a", "b"), RATE, network=nn.Identity())


@pytest.fixture(scope="module")
def sees():
    return Subject(("a", "b"), RATE, network=nn.Identity(), trunk=MelCNN(mels=32, width=2).build())


def make_sound(levels):
    """Noise with a level in dB for each tenth of a second, gliding [1, T]."""
    places = np.arange(len(levels) * RATE // 10) / (RATE / 10)
    gain = 10 ** (np.interp(places, np.arange(len(levels)) + 0.5, levels) / 20)
    noise = np.random.default_rng(0).normal(size=len(gain))
    return torch.from_numpy((0.1 * gain * noise).astype(np.float32))[None]


def test_stretches_of_equal_length(hears, sees):
    assert FixedLength().cut(hears, torch.zeros(1, 8000), None).count == 5
    cells = FixedLength(0.15).cut(sees, torch.zeros(1, 32, 40), None)
    assert cells.shape == (4,) and cells.grid.freqs is None


@pytest.mark.parametrize("view", ["hears", "sees"])
def test_speech_and_pauses(view, request):
    subject = request.getfixturevalue(view)
    sound = make_sound([-50] * 4 + [0] * 8 + [-50] * 3 + [0] * 3 + [-50] * 4)
    cells = Stretches(longest=5.0).cut(subject, subject.encode(sound), None)
    assert cells.shape == (5,)
    # With glides of 0.1 s between levels, a threshold 40 % of the way up is crossed near their middle.
    np.testing.assert_allclose(cells.edges[1:-1], [0.4, 1.2, 1.5, 1.8], atol=0.04)
    shorter = Stretches(longest=0.5).cut(subject, subject.encode(sound), None)
    assert shorter.shape == (6,) and shorter.sizes.max() < 0.6 * cells.sizes.max()


@pytest.mark.parametrize("view", ["hears", "sees"])
def test_syllables_are_cut_at_dips(view, request):
    subject = request.getfixturevalue(view)
    sound = make_sound([-50] * 4 + [-2, 0, -15, -1, 0, -14, 0, -2] + [-50] * 4)
    cells = Syllables().cut(subject, subject.encode(sound), None)
    assert cells.shape == (5,)
    np.testing.assert_allclose(cells.edges[1:-1], [0.4, 0.65, 0.95, 1.2], atol=0.05)


def test_a_steady_sound_is_one_stretch(hears):
    tone = torch.sin(torch.arange(RATE) / 10)[None]
    assert Syllables().cut(hears, tone, None).count == 1
    assert Stretches(longest=2.0).cut(hears, torch.zeros(1, RATE), None).count == 1


def test_dips_under_the_hull():
    levels = np.array([0, 5, 9, 5, 6, 7, 10, 4, 8, 0.0])
    assert split_dips(levels, 0, 10, 3.5, 1) == [3, 7]
    assert split_dips(levels, 0, 10, 4.5, 1) == [] == split_dips(levels, 0, 1, 0.1, 1)
    assert find_bounds(np.array([True, True, False])).tolist() == [0, 2, 3]


@settings(deadline=None, max_examples=25)
@given(levels=st.lists(st.floats(-60, 0), min_size=3, max_size=12))
def test_every_cut_is_a_partition_in_time(hears, levels):
    sound = make_sound(levels)
    for unit in (Stretches(), Syllables()):
        cells = unit.cut(hears, sound, None)
        assert cells.edges[0] == 0 and cells.edges[-1] == pytest.approx(sound.shape[1] / RATE)
        assert (np.diff(cells.edges) > 0).all() and cells.sizes.min() > 0


def test_bands_of_spectrograms_only(hears, sees):
    MelBands().check(sees)
    cells = MelBands().cut(sees, torch.zeros(1, 32, 40), None)
    assert cells.shape == (8, 1) and cells.sizes.tolist() == [160] * 8
    with pytest.raises(InputError, match="waveforms"):
        MelBands().check(hears)
    with pytest.raises(InputError, match="bands=33"):
        MelBands(33).check(sees)


def test_words_need_times(hears):
    unit = Words()
    cells = unit.cut(hears, torch.zeros(1, RATE), [(0.1, 0.4), (0.4, 0.6), (0.7, 0.9)])
    np.testing.assert_allclose(cells.edges, [0, 0.1, 0.4, 0.6, 0.7, 0.9, 1.0], atol=1e-4)
    for marks in (None, []):
        with pytest.raises(InputError, match="no times of words"):
            unit.cut(hears, torch.zeros(1, RATE), marks)


@pytest.mark.parametrize(
    ("make", "named"),
    [(lambda: FixedLength(0), "seconds"), (lambda: Stretches(share=1), "share"), (lambda: Syllables(dip=0), "dip")],
)
def test_settings_that_mean_nothing_are_refused(make, named):
    with pytest.raises(InputError, match=named):
        make()
