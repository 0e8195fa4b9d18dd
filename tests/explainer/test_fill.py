import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.backbone.mel_cnn import MelCNN
from ser.errors import InputError
from ser.explainer.fill import FILLS, Filler, fade, interpolate
from ser.explainer.subject import Subject

RATE = 16000


@pytest.fixture(scope="module")
def hears():
    return Subject(("a", "b"), RATE, network=nn.Identity())


@pytest.fixture(scope="module")
def sees():
    return Subject(("a", "b"), RATE, network=nn.Identity(), trunk=MelCNN(mels=32, width=2).build())


@pytest.fixture(scope="module")
def sound():
    """A second of low-passed noise that grows louder [1, 16000]."""
    noise = np.random.default_rng(3).normal(size=RATE + 7)
    smooth = np.convolve(noise, np.ones(8) / 8, "valid") * np.linspace(0.02, 0.2, RATE)
    return torch.from_numpy(smooth.astype(np.float32))[None]


@pytest.fixture(scope="module")
def picture(sees, sound):
    return sees.encode(sound)


def make_holes(length, *holes):
    keep = torch.ones(1, length, dtype=torch.bool)
    for start, stop in holes:
        keep[:, start:stop] = False
    return keep


def rms(x):
    return float(x.square().mean().sqrt())


@pytest.mark.parametrize("kind", FILLS)
@settings(deadline=None, max_examples=10)
@given(holes=st.lists(st.tuples(st.integers(0, 15999), st.integers(1, 4000)), max_size=4))
def test_what_is_kept_stays(hears, sound, kind, holes):
    keep = make_holes(RATE, *((start, start + length) for start, length in holes))
    filled = Filler(hears, sound, kind).apply(keep)
    assert filled.shape == sound.shape and torch.isfinite(filled).all()
    assert torch.equal(filled[keep], sound[keep])


@pytest.mark.parametrize("kind", FILLS)
def test_the_same_seed_gives_the_same_fill_in_any_batch(hears, sees, sound, picture, kind):
    for subject, inputs in ((hears, sound), (sees, picture)):
        random = torch.Generator().manual_seed(0)
        keep = (torch.rand(5, inputs.shape[-1] // 20 + 1, generator=random) > 0.4).repeat_interleave(20, 1)
        keep = keep[:, : inputs.shape[-1]]
        keep = keep if subject is hears else keep[:, None].expand(5, *inputs.shape[1:])
        together = Filler(subject, inputs, kind, 4).apply(keep)
        alone = torch.cat([Filler(subject, inputs, kind, 4).apply(one) for one in keep.split(1)])
        torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
        assert torch.equal(together[keep], inputs.expand_as(together)[keep])
        other = Filler(subject, inputs, kind, 5).apply(keep)
        assert torch.equal(together, other) == (kind == "silence" or (kind == "mean_spec" and subject is sees))


def test_waveforms_fade_into_silence_within_what_is_removed(hears):
    ones = torch.ones(1, 1000)
    filled = Filler(hears, ones, "silence").apply(make_holes(1000, (400, 800)))[0]
    assert (filled[480:720] == 0).all() and (filled[:400] == 1).all() and (filled[800:] == 1).all()
    assert filled.diff().abs().max() < 0.02 and (filled[400:480].diff() <= 0).all()


def test_everything_or_nothing_removed_has_no_edges(hears, sound):
    filler = Filler(hears, sound, "noise")
    assert torch.equal(filler.apply(make_holes(RATE)), sound)
    assert torch.equal(filler.apply(make_holes(RATE, (0, RATE))), filler.filling)
    assert torch.equal(fade(make_holes(50), 8), torch.ones(1, 50))


def test_noise_has_the_waveforms_level_and_spectrum(hears, sound):
    noise = Filler(hears, sound, "noise").filling
    assert rms(noise) == pytest.approx(rms(sound), rel=1e-4)
    amplitudes = [torch.fft.rfft(x).abs()[0, 1:-1] for x in (noise, sound)]
    torch.testing.assert_close(*amplitudes, atol=1e-2, rtol=1e-3)
    assert abs(np.corrcoef(noise[0], sound[0])[0, 1]) < 0.1
    early, late = rms(noise[:, : RATE // 3]), rms(noise[:, -RATE // 3 :])
    assert 0.5 < early / late < 2  # the clip's own ratio is a quarter


def test_mean_spectrum_as_noise_averages_levels_in_db(hears):
    # Half the clip is 40 dB weaker than the other: the mean in dB lies 20 dB under the louder half.
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1)) * 0.1
    noise[:, RATE // 2 :] *= 0.01
    filled = Filler(hears, noise, "mean_spec").filling
    assert 20 * np.log10(rms(filled) / 0.1) == pytest.approx(-20, abs=1.5)


def test_a_bridge_of_noise_goes_from_one_level_to_the_other(hears):
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1)) * 0.001
    noise[:, RATE // 2 :] *= 100
    filled = Filler(hears, noise, "interp").apply(make_holes(RATE, (4000, 12000)))
    found = [20 * np.log10(rms(filled[:, at - 400 : at + 400])) for at in (5000, 8000, 11000)]
    np.testing.assert_allclose(found, [-55, -40, -25], atol=3)


def test_silence_of_a_spectrogram(sees, picture):
    keep = torch.zeros_like(picture, dtype=torch.bool)
    assert (Filler(sees, picture, "silence").apply(keep) == -100).all()
    floored = picture.clamp(min=float(picture.median()))
    assert (Filler(sees, floored, "silence").apply(keep) == floored.min()).all()


def test_fills_of_spectrograms_keep_each_bands_statistics(sees):
    means = torch.linspace(-60, -20, 32)[None, :, None]
    spread = torch.linspace(2, 6, 32)[None, :, None]
    inputs = means + spread * torch.randn(1, 32, 3000, generator=torch.Generator().manual_seed(2))
    keep = torch.zeros_like(inputs, dtype=torch.bool)
    mean = Filler(sees, inputs, "mean_spec").apply(keep)
    torch.testing.assert_close(mean, inputs.mean(-1, keepdim=True).expand_as(inputs))
    noise = Filler(sees, inputs, "noise").apply(keep)
    torch.testing.assert_close(noise.mean(-1), inputs.mean(-1), atol=0.5, rtol=0)
    torch.testing.assert_close(noise.std(-1), inputs.std(-1), atol=0, rtol=0.07)
    assert noise.min() >= inputs.min() and noise.max() <= inputs.max()


def test_a_bridge_over_a_spectrogram_is_a_line_with_a_little_noise(sees):
    inputs = torch.arange(50.0).expand(1, 32, 50) - 80
    keep = torch.ones(2, 32, 50, dtype=torch.bool)
    keep[0, :10, 20:30] = False
    keep[1, :, 40:] = False
    filled = Filler(sees, inputs, "interp").apply(keep)
    spread = float(inputs[0, 0].std())
    assert (filled[0] - inputs[0]).abs().max() < 0.1 * spread * 5 and not torch.equal(filled[0], inputs[0])
    assert (filled[1, :, 40:] - inputs[0, 0, 39]).abs().max() < 0.1 * spread * 5


def test_lines_between_kept_values():
    values = torch.tensor([[[0.0, 9.0, 9.0, 9.0, 4.0, 9.0]]])
    keep = torch.tensor([[[True, False, False, False, True, False]], [[False] * 6]])
    found = interpolate(values, keep, torch.full_like(values, 7.0))
    assert found.tolist() == [[[0, 1, 2, 3, 4, 4]], [[7] * 6]]


def test_other_kinds_are_refused(hears, sound):
    with pytest.raises(InputError, match="fill=zeros"):
        Filler(hears, sound, "zeros")
