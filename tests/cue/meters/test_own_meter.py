import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cue.calibrate import calibrate
from ser.cue.meters.frames import RATE
from ser.cue.meters.own import NumpyMeter
from ser.cue.meters.pitch import PitchSettings, track_pitch
from ser.cue.tracks import DESCRIPTORS, STEP


def sing(f0, seconds=1.0, rate=RATE, partials=12):
    """A harmonic complex; f0 in Hz, a number or a track of samples."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0, round(seconds * rate))) / rate
    return (0.1 * sum(np.cos(k * phase) / k for k in range(1, partials))).astype(np.float32)


@pytest.fixture(scope="module")
def ladders():
    """One woman's and one man's ladder of every planted cue: needs neither openSMILE nor Praat."""
    return calibrate(NumpyMeter(), speakers=2, seeds=1)


@pytest.mark.parametrize(
    ("planted", "measured", "sign"),
    [
        ("f0_level", "f0_level", 1),
        ("f0_range", "f0_range", 1),
        ("loudness", "loudness", 1),
        ("loud_var", "loud_var", 1),
        ("rate", "rate", 1),
        ("pause", "pause_share", 1),
        ("jitter", "jitter", 1),
        ("shimmer", "shimmer", 1),
        ("tilt", "alpha_ratio", -1),
        ("breath", "hnr", -1),
        ("f1", "f1", 1),
        ("f1_bw", "f1_bandwidth", 1),
    ],
)
def test_every_planted_cue_is_followed(ladders, planted, measured, sign):
    assert sign * ladders.correlations.loc[planted, measured] >= 0.9


def test_a_wider_melody_is_no_rougher_voice(ladders):
    """openSMILE's local jitter rises by 3 SDs with the F0 range; local trends are taken out here."""
    steps = ladders.values[ladders.values["planted"] == "f0_range"].groupby("dose")["jitter"].mean()
    roughest = ladders.values[ladders.values["planted"] == "jitter"].groupby("dose")["jitter"].mean()
    assert np.ptp(steps) < 0.15 * np.ptp(roughest)


@given(st.floats(75, 580))
@settings(max_examples=15, deadline=None)
def test_pitch_of_a_steady_voice(f0):
    found, _ = track_pitch(sing(f0, 0.4), RATE, PitchSettings())
    middle = found[8:-8]
    assert np.isfinite(middle).all()
    assert np.allclose(middle, f0, rtol=0.005)


def test_a_glide_is_followed_in_time():
    seconds = np.arange(2 * RATE) / RATE
    tracks = NumpyMeter().measure(sing(100 + 50 * seconds, 2.0), RATE)
    hertz = 27.5 * 2 ** (tracks.values["f0"][20:-20] / 12)
    late = (hertz - 100) / 50 - tracks.times[20:-20]
    assert np.abs(np.median(late)) < 0.002


def test_noise_and_silence_have_no_voice():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    assert NumpyMeter().measure(noise, RATE).voiced.mean() < 0.05
    silent = NumpyMeter().measure(np.zeros(RATE, np.float32), RATE)
    assert not silent.voiced.any()
    assert np.isnan(silent.values["f0"]).all()
    assert len(silent.segments.syllables) == 0


def test_unvoiced_frames_are_missing_not_zero():
    wave = np.concatenate([sing(200, 0.5), 0.001 * np.random.default_rng(0).standard_normal(RATE // 2)])
    tracks = NumpyMeter().measure(wave.astype(np.float32), RATE)
    assert set(tracks.values) == set(DESCRIPTORS)
    assert all(track.shape == tracks.times.shape for track in tracks.values.values())
    away = tracks.times > 0.6
    for name in ("f0", "hnr", "jitter", "shimmer", "f1", "f1_bandwidth", "hammarberg", "centroid"):
        assert np.isnan(tracks.values[name][away]).all(), name
    assert np.isfinite(tracks.values["loudness"]).all()


def test_a_pause_lies_where_the_silence_is():
    wave = np.concatenate([np.zeros(RATE // 4), sing(150, 0.6), np.zeros(RATE // 2), sing(150, 0.6), np.zeros(4000)])
    tracks = NumpyMeter().measure(wave.astype(np.float32), RATE)
    assert np.allclose(tracks.segments.pauses, [[0.85, 1.35]], atol=0.04)
    assert len(tracks.segments.syllables) == 2
    assert np.allclose(tracks.segments.silence.sum(), 0.5, atol=0.04)


@pytest.mark.parametrize("rate", [8000, 22050, 24414, 48000])
def test_the_rate_of_the_file_changes_nothing_that_matters(rate):
    there = NumpyMeter().measure(sing(180, 1.0, rate=rate, partials=15), rate)
    here = NumpyMeter().measure(sing(180, 1.0, partials=15), RATE)
    assert len(there.times) == len(here.times) == 100
    for name, most in (("f0", 0.02), ("hammarberg", 1.5), ("level", 0.2), ("f1", 25)):
        assert abs(np.nanmedian(there.values[name]) - np.nanmedian(here.values[name])) < most, name


@pytest.mark.parametrize("samples", [1, 100, 800])
def test_clips_of_a_few_frames_are_measured(samples):
    tracks = NumpyMeter().measure(np.full(samples, 0.1, np.float32), RATE)
    assert len(tracks.times) == max(1, int(samples / RATE / STEP))


def test_gain_moves_levels_and_nothing_else():
    wave = sing(150 + 30 * np.sin(np.arange(RATE) / 3000))
    soft, loud = (NumpyMeter().measure(wave * gain, RATE) for gain in (0.1, 1.0))
    assert np.allclose(loud.values["level"] - soft.values["level"], 20, atol=0.1)
    for name in ("f0", "hnr", "jitter", "shimmer", "alpha_ratio"):
        assert np.allclose(loud.values[name], soft.values[name], rtol=0.02, atol=0.02, equal_nan=True), name
