import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.audio.prepare import BadAudio, Prepared
from ser.audio.trim import EnergyTrim, VoiceTrim, drop_short, fill_short, find_runs, keep_first, measure_levels
from ser.errors import InputError

RATE = 16000
TRIMS = [EnergyTrim(margin=0.0), EnergyTrim(-45.0, "full_scale", margin=0.0), VoiceTrim(margin=0.0)]


def make_speech(seconds=0.6, rate=RATE, level=0.3):
    """A buzz with a pause in the middle."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12)) * level / 2
    return np.where(abs(time - seconds / 2) < 0.04, 0.001 * buzz, buzz)


def make_noise(seconds, level=1e-4, seed=0, rate=RATE):
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate))


def place(speech, before=0.2, after=0.3, noise=1e-4, rate=RATE):
    silence = np.zeros(round(before * rate)), np.zeros(round(after * rate))
    whole = np.concatenate([silence[0], speech, silence[1]])
    return make_clip(whole + make_noise(len(whole) / rate, noise, rate=rate), rate)


def make_clip(waveform, rate=RATE):
    return Prepared(np.asarray(waveform, dtype=np.float32), rate, 0.0, 0, len(waveform))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("trim", TRIMS)
def test_ends_are_found_to_one_hop(trim, rate):
    clip = trim.apply(place(make_speech(rate=rate), rate=rate))
    assert clip.offset == pytest.approx(0.2, abs=trim.hop + 1e-3)
    assert clip.offset + clip.valid / rate == pytest.approx(0.8, abs=trim.hop + 1e-3)
    assert clip.valid == len(clip.waveform) and clip.begin == 0


@pytest.mark.parametrize("trim", [EnergyTrim(), VoiceTrim()])
def test_a_margin_is_kept_but_never_beyond_the_clip(trim):
    clip = trim.apply(place(make_speech()))
    assert clip.offset == pytest.approx(0.15, abs=trim.hop) and len(clip.waveform) == pytest.approx(0.7 * RATE, abs=400)
    tight = place(make_speech(), before=0.02, after=0.02)
    assert len(trim.apply(tight).waveform) == len(tight.waveform)


def test_the_offset_adds_to_where_the_clip_began():
    began = Prepared(place(make_speech()).waveform, RATE, 3.5, 0, 17600)
    assert EnergyTrim(margin=0.0).apply(began).offset == pytest.approx(3.7, abs=0.011)


@pytest.mark.parametrize("trim", TRIMS)
def test_pauses_stay(trim):
    two = np.concatenate([make_speech(), np.zeros(RATE), make_speech()])
    assert len(trim.apply(place(two)).waveform) == pytest.approx(len(two), abs=400)


def test_only_the_first_stretch_on_request():
    two = np.concatenate([make_speech(), np.zeros(RATE), make_speech()])
    clip = EnergyTrim(margin=0.0, pause=0.5).apply(place(two, before=0.7))
    assert clip.offset == pytest.approx(0.7, abs=0.011) and clip.valid / RATE == pytest.approx(0.6, abs=0.021)
    short = EnergyTrim(margin=0.0, pause=0.5).apply(place(make_speech(), before=0.3, after=0.3))
    assert short.offset == 0 and short.valid == len(short.waveform) == round(1.2 * RATE)  # no silence is long enough


@given(gain=st.floats(-50, 0), before=st.floats(0, 0.6), after=st.floats(0, 0.6))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("trim", [EnergyTrim(margin=0.0), VoiceTrim(margin=0.0)])
def test_relative_thresholds_ignore_the_level(trim, gain, before, after):
    clip = place(make_speech(), before, after, noise=1e-3)
    quiet = make_clip(clip.waveform * np.float32(2.0 ** round(gain / 6)))
    one, other = trim.apply(clip), trim.apply(quiet)
    assert (one.offset, one.valid) == (other.offset, other.valid)


@given(before=st.floats(0, 0.6), after=st.floats(0, 0.6), seed=st.integers(0, 20))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("trim", [EnergyTrim(margin=0.0), EnergyTrim(), EnergyTrim(-45.0, "full_scale")])
def test_trimming_takes_a_piece_of_the_clip_and_once_is_enough(trim, before, after, seed):
    clip = place(make_speech() + make_noise(0.6, 0.01, seed), before, after)
    once = trim.apply(clip)
    first = round(once.offset * RATE)
    np.testing.assert_array_equal(once.waveform, clip.waveform[first : first + len(once.waveform)])
    assert len(trim.apply(once).waveform) >= len(once.waveform) - 2 * (trim.hop * RATE)


def test_an_absolute_threshold_is_the_level_of_the_recording():
    clip, quiet = place(make_speech(level=0.3)), place(make_speech(level=0.003), noise=1e-6)
    trim = EnergyTrim(-45.0, "full_scale")
    assert len(trim.apply(clip).waveform) < len(clip.waveform)
    with pytest.raises(BadAudio, match=r"silence only \(no frame above -45.0 dBFS\)"):
        trim.apply(quiet)


def test_a_constant_offset_is_no_sound():
    clip = place(make_speech())
    shifted = EnergyTrim(margin=0.0).apply(make_clip(clip.waveform + 0.2))
    assert shifted.offset == pytest.approx(0.2, abs=0.011)


@pytest.mark.parametrize("noise", [1e-5, 1e-3, 0.01])
def test_voice_is_found_in_noise_of_any_level(noise):
    clip = VoiceTrim(margin=0.0).apply(place(make_speech(), 0.5, 0.5, noise))
    assert clip.offset == pytest.approx(0.5, abs=0.03) and clip.valid / RATE == pytest.approx(0.6, abs=0.05)


def test_energy_misses_the_ends_in_noise_that_voice_adapts_to():
    noisy = place(make_speech(), 0.5, 0.5, 0.01)
    assert len(EnergyTrim().apply(noisy).waveform) == len(noisy.waveform)
    assert len(VoiceTrim().apply(noisy).waveform) < 0.6 * len(noisy.waveform)


def test_weak_fricatives_belong_to_the_voice_and_clicks_do_not():
    hiss = np.diff(make_noise(0.15, 0.00025, 1), prepend=0)
    spoken = np.concatenate([hiss, make_speech()])
    clip = VoiceTrim(margin=0.0).apply(place(spoken, 0.4, 0.4))
    assert clip.offset == pytest.approx(0.4, abs=0.03)
    clicked = place(make_speech(), 0.4, 0.4).waveform
    clicked[1600:1640] = 0.9
    assert VoiceTrim(margin=0.0).apply(make_clip(clicked)).offset == pytest.approx(0.4, abs=0.03)
    assert EnergyTrim(margin=0.0).apply(make_clip(clicked)).offset == pytest.approx(0.1, abs=0.03)


def test_clicks_alone_are_no_voice():
    clicks = make_noise(1.0)
    clicks[2000::3200] = 0.9
    with pytest.raises(BadAudio, match="no speech found"):
        VoiceTrim().apply(make_clip(clicks))


@pytest.mark.parametrize("steady", [make_noise(1.0, 0.1), np.sin(np.arange(16000) / 9), make_noise(0.004, 0.1)])
def test_a_steady_clip_stays_whole(steady):
    for trim in (VoiceTrim(), EnergyTrim()):
        clip = trim.apply(make_clip(steady))
        assert len(clip.waveform) == len(steady) and clip.offset == 0


def test_digital_silence_around_a_recording_does_not_set_its_noise():
    recording = place(make_speech(), 0.3, 0.3, 1e-3).waveform
    padded = np.concatenate([np.zeros(8000, np.float32), recording, np.zeros(8000, np.float32)])
    assert VoiceTrim(margin=0.0).apply(make_clip(padded)).offset == pytest.approx(0.8, abs=0.03)


def test_levels_are_dbfs():
    square = np.where(np.arange(1600) // 8 % 2, 1.0, -1.0)
    np.testing.assert_allclose(measure_levels(square, RATE, 0.025, 0.01), 0, atol=0.1)
    np.testing.assert_allclose(measure_levels(0.1 * square, RATE, 0.025, 0.01), -20, atol=0.1)
    assert (
        len(measure_levels(square, RATE, 0.025, 0.01)) == 10 and len(measure_levels(square[:1], RATE, 0.025, 0.01)) == 1
    )


def test_runs():
    flags = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1, 1], dtype=bool)
    assert find_runs(flags) == [(1, 3), (4, 5), (8, 10)]
    assert find_runs(drop_short(flags, 2)) == [(1, 3), (8, 10)]
    assert find_runs(fill_short(flags, 2)) == [(1, 5), (8, 10)]
    assert find_runs(keep_first(flags, 3)) == [(0, 5)] and find_runs(keep_first(flags, 1)) == [(1, 3)]


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (EnergyTrim, {"reference": "loudest"}),
        (EnergyTrim, {"threshold": 40.0}),
        (EnergyTrim, {"hop": 0.05}),
        (EnergyTrim, {"margin": -0.1}),
        (VoiceTrim, {"above_noise": 0.0}),
        (VoiceTrim, {"hop": 0.0}),
    ],
)
def test_wrong_parameters(make, wrong):
    with pytest.raises(InputError, match=r"audio\.trim\." + next(iter(wrong))):
        make(**wrong)
