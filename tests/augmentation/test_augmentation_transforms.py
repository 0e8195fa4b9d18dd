"""Each transform does what it says, and nothing else."""

import math

import augmentation_tools
import numpy as np
import pytest
import torch
from augmentation_tools import RATE, augment, change, make_voice, measure_f0, measure_snr

from ser.audio.loudness import measure_loudness
from ser.augmentation.library import Gain, HighPass, LowPass, TimeShift
from ser.augmentation.loudness import Loudness
from ser.augmentation.masks import FrequencyMask, TimeMask, stop_band
from ser.augmentation.noise import BackgroundNoise, ColouredNoise, make_noise
from ser.augmentation.room import ImpulseResponse
from ser.augmentation.stretch import PitchShift, Tempo, stretch


def measure_band(clip, low, high, rate=RATE):
    """Energy between two frequencies in Hz, in dB."""
    spectrum = torch.fft.rfft(clip.double() * torch.hann_window(len(clip), dtype=torch.float64)).abs().square()
    frequencies = torch.fft.rfftfreq(len(clip), 1 / rate)
    return float(10 * torch.log10(spectrum[(frequencies >= low) & (frequencies < high)].sum()))


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.5])
@pytest.mark.parametrize("decay", [0.0, 2.0])
@pytest.mark.parametrize("snr", [4.771, 19.956])
def test_coloured_noise_has_its_ratio_on_the_clips_own_samples(seconds, decay, snr):
    clips = [make_voice(seconds)] * 4
    found = augment(ColouredNoise(decay, snr, snr), clips, padding=16000).waveforms
    for row in found:
        assert measure_snr(clips[0], row[: len(clips[0])]) == pytest.approx(snr, abs=0.01)


def test_ratios_lie_within_their_range_and_spread_over_it():
    clip = make_voice(0.3)
    found = [measure_snr(clip, row) for row in augment(ColouredNoise(), [clip] * 100).waveforms]
    assert min(found) >= 4.77 and max(found) <= 19.96 and min(found) < 6 and max(found) > 18.5


@pytest.mark.parametrize(("decay", "slope"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_the_colour_of_noise(decay, slope):
    noise = make_noise(8 * RATE, RATE, decay, torch.Generator().manual_seed(0))
    # Bands an octave wide hold twice the bins, which is 3 dB, with every octave.
    octaves = [measure_band(noise, 62.5 * 2**k, 125 * 2**k) - 3.01 * k for k in range(7)]
    assert np.polyfit(range(7), octaves, 1)[0] == pytest.approx(slope, abs=0.3)
    assert measure_band(noise, 0, 18) < measure_band(noise, 0, 8000) - 60
    assert not torch.allclose(noise[:RATE], noise[RATE : 2 * RATE])


@pytest.mark.parametrize("seconds", [0.1, 1.0, 4.0])
def test_background_noise_has_its_ratio_at_any_rate_and_length(noise_folder, seconds):
    clip = make_voice(seconds)
    noise = BackgroundNoise(str(noise_folder), 10, 10)
    rows = augment(noise, [clip] * 6, padding=5000).waveforms[:, : len(clip)]
    assert all(measure_snr(clip, row) == pytest.approx(10, abs=0.05) for row in rows)
    assert len({float(row.sum()) for row in rows}) == 6


def test_an_impulse_stays_where_it_is_and_its_echo_follows(room_folder):
    clip = torch.zeros(RATE)
    clip[3000] = 0.5
    for row in augment(ImpulseResponse(str(room_folder)), [clip] * 8, padding=2000).waveforms:
        assert int(row.abs().argmax()) == 3000 and float(row[3000]) == pytest.approx(0.5, abs=0.01)
        assert float(row[3800]) == pytest.approx(0.25, abs=0.01)
        row = row.clone()
        row[[3000, 3800]] = 0
        assert row[:2900].abs().max() < 1e-3 and row[3900:].abs().max() < 1e-3


def test_gain_is_a_factor_within_its_range():
    clip = make_voice(0.1)
    for row in augment(Gain(-18, 6), [clip] * 20).waveforms:
        factor = float(row[100] / clip[100])
        torch.testing.assert_close(row, clip * factor)
        assert -18 <= 20 * math.log10(factor) <= 6


def test_time_shift_is_a_share_of_the_clip_not_of_its_padding():
    clip = torch.arange(1, 1001).float()
    later = augment(TimeShift(0.25, 0.25), [clip], padding=1000).waveforms[0]
    assert torch.equal(later[250:1000], clip[:750]) and not later[:250].any() and not later[1000:].any()
    earlier = augment(TimeShift(-0.25, -0.25, rollover=True), [clip], padding=1000).waveforms[0]
    assert torch.equal(earlier[:1000], clip.roll(-250))


@pytest.mark.parametrize("rate", [8000, 16000])
def test_filters_remove_their_side_and_keep_the_other(rate):
    clip = augmentation_tools.make_noise(1.0, 3, rate=rate)
    for transform, gone, kept in (
        (LowPass(1000, 1000), (1300, rate / 2), (0, 800)),
        (HighPass(1000, 1000), (0, 800), (1300, rate / 2)),
    ):
        found = change(transform, clip, rate=rate)
        assert measure_band(found, *gone, rate) < measure_band(clip, *gone, rate) - 25
        assert measure_band(found, *kept, rate) == pytest.approx(measure_band(clip, *kept, rate), abs=0.2)
    assert torch.isfinite(change(LowPass(), clip, rate=rate)).all()


def test_a_low_pass_above_half_the_rate_changes_nothing():
    clip = augmentation_tools.make_noise(0.5, 3, rate=8000)
    torch.testing.assert_close(change(LowPass(7500, 7500), clip, rate=8000), clip, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_time_mask_silences_a_tenth_to_a_fifth_and_nothing_else(seconds):
    clip = 1 + torch.rand(round(seconds * RATE))
    shares, starts = [], []
    for row in augment(TimeMask(fade=0.0), [clip] * 50, padding=9999).waveforms[:, : len(clip)]:
        masked = (row == 0).nonzero()[:, 0]
        assert int(masked[-1] - masked[0]) + 1 == len(masked)
        assert torch.equal(row[row != 0], clip[row != 0])
        shares.append(len(masked) / len(clip))
        starts.append(int(masked[0]) / len(clip))
    assert 0.0995 <= min(shares) < 0.12 and 0.18 < max(shares) <= 0.2005
    assert min(starts) < 0.1 and max(starts) > 0.7


def test_the_fade_of_a_time_mask_lies_inside_it():
    clip = torch.ones(RATE)
    row = change(TimeMask(0.15, 0.15, fade=0.01), clip)
    changed = row != 1
    assert int(changed.sum()) == 2400 and int((row == 0).sum()) == 2400 - 2 * 160
    assert (row[1:] - row[:-1]).abs().max() < 0.015


@pytest.mark.parametrize(("low", "high"), [(0, 1000), (2000, 4500), (7000, 8000)])
def test_frequency_mask_silences_its_band_and_keeps_the_rest_with_phase(low, high):
    clip = augmentation_tools.make_noise(1.0, 5)
    found = stop_band(clip, RATE, low, high, 1024)
    assert measure_band(found, low + 50, high - 50) < measure_band(clip, low + 50, high - 50) - 40
    # Outside the band the very spectrum, phases included, is there; 80 Hz are the edge's two bins and more.
    difference = found - clip
    for start, end in ((0, low - 80), (high + 80, 8000)):
        if end > start + 80:
            assert measure_band(difference, start, end) < measure_band(clip, start, end) - 30
            assert measure_band(found, start, end) == pytest.approx(measure_band(clip, start, end), abs=0.05)


def test_frequency_masks_are_as_wide_as_they_may_be():
    clip = augmentation_tools.make_noise(0.5, 6)
    assert torch.allclose(change(FrequencyMask(0, 0), clip), clip, atol=1e-3)
    found = augment(FrequencyMask(3200, 3200), [clip] * 20).waveforms
    lost = [1 - float(row.square().sum() / clip.square().sum()) for row in found]
    assert min(lost) > 0.35 and max(lost) < 0.45
    assert len({round(share, 6) for share in lost}) > 15  # two bands may hold the same bins


@pytest.mark.parametrize("semitones", [-3.0, -1.0, 0.5, 3.0])
@pytest.mark.parametrize("f0", [90.0, 150.0, 300.0])
def test_pitch_shift_moves_f0_by_the_semitones(semitones, f0):
    clip = make_voice(1.0, f0)
    found = change(PitchShift(semitones, semitones), clip)
    assert len(found) == len(clip)
    moved = 12 * math.log2(measure_f0(found[1600:-1600], f0 * 2 ** (semitones / 12)) / f0)
    assert moved == pytest.approx(semitones, abs=0.1)
    assert float(found[1600:-1600].square().mean() / clip.square().mean()) == pytest.approx(1, abs=0.15)


def test_pitch_shifts_spread_over_their_range():
    clip = make_voice(0.4)
    found = [
        12 * math.log2(measure_f0(row[800:-800], 150) / 150) for row in augment(PitchShift(), [clip] * 30).waveforms
    ]
    assert -3.1 < min(found) < -2 and 2 < max(found) < 3.1


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.3])
@pytest.mark.parametrize("f0", [90.0, 300.0])
def test_tempo_changes_the_length_and_keeps_f0_and_level(factor, f0):
    clip = make_voice(1.0, f0)
    waveforms, lengths, _ = augment(Tempo(factor, factor), [clip, clip[:8000]])
    assert lengths.tolist() == [round(16000 / factor), round(8000 / factor)]
    found = waveforms[0, : lengths[0]]
    assert 12 * math.log2(measure_f0(found[1600:-1600], f0) / f0) == pytest.approx(0, abs=0.1)
    assert float(found[1600:-1600].square().mean() / clip.square().mean()) == pytest.approx(1, abs=0.1)


def test_tempo_moves_events_in_proportion():
    clip = torch.zeros(2 * RATE)
    for place in (4000, 16000, 28000):
        clip[place : place + 800] = augmentation_tools.make_noise(0.05, place, level=0.5)
    for factor in (0.8, 1.25):
        found = change(Tempo(factor, factor), clip)
        for place in (4400, 16400, 28400):
            middle = round(place / factor)
            around = found[max(0, middle - 1200) : middle + 1200].square()
            centre = float((around * torch.arange(len(around))).sum() / around.sum()) + max(0, middle - 1200)
            assert centre == pytest.approx(middle, abs=0.015 * RATE)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tempo_of_one_is_the_clip_itself(rate):
    clip = augmentation_tools.make_noise(0.5, 7, rate=rate).numpy()
    np.testing.assert_allclose(stretch(clip, 1.0, rate), clip, atol=1e-6)


@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_a_clip_below_the_gate_of_loudness_stays_as_it_is(seconds):
    clip = make_voice(seconds, level=1e-4)
    assert torch.equal(change(Loudness(), clip), clip)


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.39, 0.4, 0.5, 3.0])
@pytest.mark.parametrize("level", [0.01, 0.3])
def test_loudness_reaches_its_target(seconds, level):
    for clip in (make_voice(seconds, level=level), augmentation_tools.make_noise(seconds, level=level)):
        found = augment(Loudness(), [clip], padding=20000).waveforms[0, : len(clip)]
        assert measure_loudness(found.numpy(), RATE) == pytest.approx(-12, abs=0.1)
        ratio = found[clip != 0] / clip[clip != 0]
        assert float(ratio.max() / ratio.min()) == pytest.approx(1, abs=1e-4), "one factor for the whole clip"
