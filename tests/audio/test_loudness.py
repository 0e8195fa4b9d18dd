import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.audio.loudness import Loudness, measure_loudness, weight
from ser.audio.prepare import BadAudio, Prepared
from ser.errors import InputError

RATES = (8000, 16000, 22050, 24414, 44100, 48000, 96000)


def make_tone(seconds, frequency=997.0, rate=16000, level=1.0):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def make_babble(seconds, rate=16000, seed=0):
    """Noise in bursts of random level: something for the gates to work on, as loud speech and pauses are."""
    draw = np.random.default_rng(seed)
    count = max(1, round(seconds * 8))
    levels = np.repeat(10 ** (draw.uniform(-40, -10, count) / 20), -(-round(seconds * rate) // count))
    return (draw.normal(0, 0.3, len(levels)) * levels)[: round(seconds * rate)]


def make_clip(waveform, rate=16000):
    return Prepared(np.asarray(waveform, dtype=np.float32), rate, 0.0, 0, len(waveform))


@pytest.mark.parametrize("rate", RATES)
def test_calibration_at_every_rate(rate):
    """BS.1770-5, annex 1: a 997 Hz sine at 0 dBFS in one front channel reads -3.01 LUFS."""
    assert measure_loudness(make_tone(3, rate=rate), rate) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_ebu_tech_3341_cases_1_and_2_in_mono(level):
    """1 kHz at -23 dBFS in both channels reads -23 LUFS, so in one channel 3.01 less."""
    tone = make_tone(20, 1000, 48000, 10 ** (level / 20))
    assert measure_loudness(tone, 48000) == pytest.approx(level - 3.01, abs=0.1)


@pytest.mark.parametrize("levels", [(-36, -23, -36), (-72, -36, -23, -36, -72)])
def test_ebu_tech_3341_cases_3_and_4_in_mono(levels):
    """Quiet parts are gated out: cases 3 and 4 read -23 LUFS in stereo."""
    seconds = {-72: 10, -36: 10, -23: 60}
    tone = np.concatenate([make_tone(seconds[level], 1000, 16000, 10 ** (level / 20)) for level in levels])
    assert measure_loudness(tone, 16000) == pytest.approx(-26.01, abs=0.1)


def test_agrees_with_pyloudnorm_at_the_rate_of_the_standard():
    pyloudnorm = pytest.importorskip("pyloudnorm")
    for seconds in (0.4, 1.0, 3.5):
        babble = make_babble(seconds, 48000)
        expected = pyloudnorm.Meter(48000, "DeMan").integrated_loudness(babble)
        assert measure_loudness(babble, 48000) == pytest.approx(expected, abs=0.02)


def test_weighting_is_the_filter_of_the_standard():
    from scipy.signal import lfilter

    from ser.audio.loudness import HIGH_PASS, SHELF

    noise = np.random.default_rng(0).normal(0, 0.1, 48000)
    np.testing.assert_allclose(weight(noise, 48000), lfilter(*HIGH_PASS, lfilter(*SHELF, noise)), atol=1e-6)


@pytest.mark.parametrize("frequency", [100, 1000, 3000])
def test_one_signal_reads_the_same_at_every_rate(frequency):
    readings = [measure_loudness(make_tone(2, frequency, rate), rate) for rate in RATES]
    assert np.ptp(readings) < 0.02


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2, 0.39])
def test_short_clips_are_measured_ungated(seconds):
    assert measure_loudness(make_tone(seconds), 16000) == pytest.approx(-3.01, abs=0.35 if seconds < 0.1 else 0.1)


def test_no_jump_where_gating_begins():
    babble = make_babble(0.5)
    assert measure_loudness(babble[:6399], 16000) == pytest.approx(measure_loudness(babble[:6400], 16000), abs=0.01)


@pytest.mark.parametrize("samples", [0, 1, 3200, 16000])
def test_silence_has_no_loudness(samples):
    assert measure_loudness(np.zeros(samples), 16000) == -np.inf


@pytest.mark.parametrize("target", [-23.0, -30.0])
@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.39, 0.4, 0.55, 2.0, 6.0])
def test_the_target_is_reached(seconds, target):
    clip = Loudness(target).apply(make_clip(make_babble(seconds)))
    assert clip.shortfall == 0 and clip.waveform.dtype == np.float32
    assert measure_loudness(clip.waveform, 16000) == pytest.approx(target, abs=0.1)


@given(seconds=st.floats(0.1, 3), gain=st.floats(-60, 0), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_level_of_the_recording_does_not_matter(seconds, gain, seed):
    babble = make_babble(seconds, seed=seed)
    one, other = (Loudness().apply(make_clip(babble * factor)) for factor in (1, 10 ** (gain / 20)))
    np.testing.assert_allclose(one.waveform, other.waveform, atol=2e-6)
    assert one.shortfall == pytest.approx(other.shortfall, abs=1e-3)


@given(seconds=st.floats(0.05, 2), target=st.floats(-40, -1), peak=st.floats(-12, 0), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_nothing_clips_and_what_is_missing_is_told(seconds, target, peak, seed):
    babble = make_babble(seconds, seed=seed)
    clip = Loudness(target, peak).apply(make_clip(babble))
    assert abs(clip.waveform).max() <= 10 ** (peak / 20) * (1 + 1e-6)
    assert measure_loudness(clip.waveform, 16000) == pytest.approx(target - clip.shortfall, abs=0.1)
    loudest = np.argmax(abs(babble))
    np.testing.assert_allclose(clip.waveform / clip.waveform[loudest], babble / babble[loudest], atol=1e-5)


def test_the_peak_guard_limits_the_gain_of_a_click():
    click = make_tone(1.0, level=0.01)
    click[8000] = 1.0
    clip = Loudness(-23.0, -1.0).apply(make_clip(click))
    assert clip.shortfall > 5 and abs(clip.waveform).max() == pytest.approx(10 ** (-1 / 20), rel=1e-5)


def test_what_has_no_loudness_is_refused():
    with pytest.raises(BadAudio, match="nothing audible"):
        Loudness().apply(make_clip(np.zeros(1600)))


@pytest.mark.parametrize("wrong", [{"target": 3.0}, {"target": -90.0}, {"peak": 1.0}])
def test_wrong_parameters(wrong):
    with pytest.raises(InputError, match=r"audio\.loudness\." + next(iter(wrong))):
        Loudness(**wrong)
