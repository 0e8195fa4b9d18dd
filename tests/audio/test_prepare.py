import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.audio.prepare import SILENCE, BadAudio, Preparation, decode

RATE = 16000


def make_tone(seconds=0.5, frequency=440.0, rate=RATE, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def find_peak(waveform, rate=RATE):
    """Frequency in Hz of the strongest component."""
    return np.abs(np.fft.rfft(waveform)).argmax() * rate / len(waveform)


def refuse(path, **place):
    with pytest.raises(BadAudio) as error:
        Preparation().read(path, RATE, **place)
    assert str(path) not in str(error.value) or "cannot be decoded" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_formats(tmp_path, ending):
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, make_tone(), RATE)
    waveform = Preparation().read(path, RATE)
    assert waveform.dtype == np.float32 and waveform.ndim == 1 and waveform.flags.c_contiguous
    assert len(waveform) == 8000 and abs(waveform).max() == pytest.approx(0.5, abs=0.06)
    assert find_peak(waveform) == pytest.approx(440, abs=2)


def test_wav_and_flac_are_the_same_waveform(tmp_path):
    samples = (32767 * make_tone()).astype(np.int16)
    for ending in ("wav", "flac"):
        soundfile.write(tmp_path / f"tone.{ending}", samples, RATE)
    wav, flac = (Preparation().read(tmp_path / f"tone.{ending}", RATE) for ending in ("wav", "flac"))
    np.testing.assert_array_equal(wav, flac)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_formats_are_read_to_their_precision(tmp_path, subtype):
    soundfile.write(tmp_path / "tone.wav", make_tone(), RATE, subtype=subtype)
    waveform = Preparation().read(tmp_path / "tone.wav", RATE)
    np.testing.assert_allclose(waveform, make_tone(), atol=1 / 127 if subtype == "PCM_U8" else 1 / 32000)


@pytest.mark.parametrize(("mono", "left", "right"), [("mean", 0.5, 0.5), ("first", 1.0, 0.0)])
def test_stereo_becomes_mono(tmp_path, mono, left, right):
    one, two = make_tone(frequency=300), make_tone(frequency=500, level=0.25)
    soundfile.write(tmp_path / "two.wav", np.stack([one, two], axis=1), RATE, subtype="FLOAT")
    waveform = Preparation(mono=mono).read(tmp_path / "two.wav", RATE)
    np.testing.assert_allclose(waveform, left * one + right * two, atol=1e-6)


def test_channels_that_cancel_are_silent_as_mean_only(tmp_path):
    tone = make_tone()
    soundfile.write(tmp_path / "two.wav", np.stack([tone, -tone], axis=1), RATE)
    assert "silent" in refuse(tmp_path / "two.wav")
    assert len(Preparation(mono="first").read(tmp_path / "two.wav", RATE)) == 8000


def test_an_unknown_way_to_mono_is_refused():
    with pytest.raises(ValueError, match=r"audio\.mono='left': expected mean or first"):
        Preparation(mono="left")


@pytest.mark.parametrize("file_rate", [8000, 22050, 24414, 44100, 48000, 96000])
def test_rates_are_converted(tmp_path, file_rate):
    soundfile.write(tmp_path / "tone.wav", make_tone(1.0, rate=file_rate), file_rate)
    waveform = Preparation().read(tmp_path / "tone.wav", RATE)
    assert abs(len(waveform) - RATE) <= 1
    assert find_peak(waveform) == pytest.approx(440, abs=1.5)
    middle = waveform[2000:-2000]
    np.testing.assert_allclose(np.sqrt(np.mean(middle**2)), 0.5 / np.sqrt(2), rtol=0.01)


def test_what_the_target_rate_cannot_hold_does_not_fold_back(tmp_path):
    soundfile.write(tmp_path / "tone.wav", make_tone(1.0, 10_000, 44100), 44100)
    assert abs(Preparation().read(tmp_path / "tone.wav", RATE)[2000:-2000]).max() < 0.005


@given(
    samples=st.integers(400, 5000),
    file_rate=st.sampled_from([8000, 11025, 22050, 44100]),
    rate=st.sampled_from([8000, 16000]),
)
@settings(max_examples=20, deadline=None)
def test_length_after_resampling(tmp_path_factory, samples, file_rate, rate):
    path = tmp_path_factory.getbasetemp() / "length.wav"
    soundfile.write(path, np.random.default_rng(samples).normal(0, 0.1, samples), file_rate)
    assert abs(len(Preparation().read(path, rate)) - samples * rate / file_rate) <= 1


def test_a_clip_is_a_cut_of_its_file(tmp_path):
    tone = make_tone(1.0)
    soundfile.write(tmp_path / "tone.wav", tone, RATE, subtype="FLOAT")
    read = Preparation().read
    whole = read(tmp_path / "tone.wav", RATE)
    np.testing.assert_array_equal(read(tmp_path / "tone.wav", RATE, 0.25, 0.5), whole[4000:8000])
    np.testing.assert_array_equal(read(tmp_path / "tone.wav", RATE, 0.75), whole[12000:])
    np.testing.assert_array_equal(read(tmp_path / "tone.wav", RATE, end=0.1), whole[:1600])
    np.testing.assert_array_equal(read(tmp_path / "tone.wav", RATE, 0.9, 7.0), whole[14400:])


def test_cuts_are_seconds_of_the_file_whatever_the_rate(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 44100)
    noise[11025:22050] *= 3
    soundfile.write(tmp_path / "noise.wav", noise, 44100)
    quiet, loud = (Preparation().read(tmp_path / "noise.wav", RATE, *cut) for cut in ((0, 0.25), (0.25, 0.5)))
    assert abs(len(loud) - 4000) <= 1 and loud.std() > 2.5 * quiet.std()


def test_a_cut_beyond_the_end_is_empty(tmp_path):
    soundfile.write(tmp_path / "tone.wav", make_tone(), RATE)
    assert "empty between 2.0 and 3.0 s" in refuse(tmp_path / "tone.wav", start=2.0, end=3.0)


@pytest.mark.parametrize("name", ["ärger über.wav", "怒り.flac", "две ноты.wav", 'a\'b "c".wav'])
def test_file_names(tmp_path, name):
    soundfile.write(tmp_path / name, make_tone(), RATE)
    assert len(Preparation().read(tmp_path / name, RATE)) == 8000
    assert len(Preparation().read(str(tmp_path / name), RATE)) == 8000


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_samples(tmp_path, bad):
    tone = make_tone()
    tone[100] = bad
    soundfile.write(tmp_path / "bad.wav", tone, RATE, subtype="FLOAT")
    assert "non-finite" in refuse(tmp_path / "bad.wav")


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_silence_is_a_constant_of_any_level(tmp_path, level):
    soundfile.write(tmp_path / "silent.wav", np.full(8000, level), RATE, subtype="FLOAT")
    assert "silent" in refuse(tmp_path / "silent.wav")


def test_a_quiet_clip_is_not_silent(tmp_path):
    soundfile.write(tmp_path / "quiet.wav", make_tone(level=2 * SILENCE), RATE, subtype="FLOAT")
    assert len(Preparation().read(tmp_path / "quiet.wav", RATE)) == 8000


def test_a_missing_file(tmp_path):
    assert refuse(tmp_path / "gone.wav") == "no such file"
    assert refuse(tmp_path) == "no such file"


def test_an_empty_file_and_one_without_samples(tmp_path):
    (tmp_path / "zero.wav").touch()
    assert "cannot be decoded" in refuse(tmp_path / "zero.wav")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    assert refuse(tmp_path / "none.wav") == "empty"


def test_text_named_as_audio(tmp_path):
    (tmp_path / "text.wav").write_text("these are words\n" * 100)
    assert "cannot be decoded" in refuse(tmp_path / "text.wav")


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_half_a_file_is_refused(tmp_path, ending):
    path = tmp_path / f"half.{ending}"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 32000), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "truncated" in (reason := refuse(path)) or "cannot be decoded" in reason


def test_decode_keeps_channels_and_rate(tmp_path):
    soundfile.write(tmp_path / "two.wav", np.stack([make_tone(), make_tone()], axis=1), 44100)
    samples, rate = decode(tmp_path / "two.wav")
    assert samples.shape == (8000, 2) and rate == 44100 and samples.dtype == np.float32
