"""The steps together: their order, the time axis, the presets, a real corpus."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from hydra.errors import HydraException
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.audio.duration import Chunk, Fixed, Range, expand_chunks
from ser.audio.inspect import drop_bad_clips, inspect_clips
from ser.audio.loudness import Loudness, measure_loudness
from ser.audio.prepare import BadAudio, Preparation
from ser.audio.trim import EnergyTrim, VoiceTrim
from ser.config import compose
from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.paths import find_shipped

RATE = 16000
PRESETS = sorted(path.stem for path in (find_shipped("conf") / "audio").glob("*.yaml"))


def write_burst(path, before=0.2, seconds=1.0, after=0.5, rate=RATE, impulse=None, level=0.05):
    """Noise between silences, and an impulse in it at a time in s."""
    draw = np.random.default_rng(0)
    whole = draw.normal(0, 1e-5, round((before + seconds + after) * rate))
    first = round(before * rate)
    whole[first : first + round(seconds * rate)] += draw.normal(0, level, round(seconds * rate))
    if impulse is not None:
        whole[round(impulse * rate)] = 0.95
    soundfile.write(path, whole, rate, subtype="FLOAT")
    return path


def compose_audio(*overrides):
    return instantiate(compose(overrides).audio)


def test_without_steps_a_clip_is_what_read_gives(tmp_path):
    path = write_burst(tmp_path / "burst.wav", rate=22050)
    clip = Preparation().prepare(path, RATE, 0.1, 0.9)
    np.testing.assert_array_equal(clip.waveform, Preparation().read(path, RATE, 0.1, 0.9))
    assert (clip.begin, clip.valid, clip.rate, clip.shortfall) == (0, len(clip.waveform), RATE, 0)
    assert clip.offset == pytest.approx(0.1)


def test_trim_comes_before_loudness(tmp_path):
    """A short burst between silences is at the target by itself, as it would not be if the silence had counted."""
    path = write_burst(tmp_path / "burst.wav", before=0.05, seconds=0.2, after=0.1)
    clip = Preparation(trim=EnergyTrim(margin=0.0), loudness=Loudness(-23.0)).prepare(path, RATE)
    assert measure_loudness(clip.waveform, RATE) == pytest.approx(-23, abs=0.1)
    untrimmed = Preparation(loudness=Loudness(-23.0)).read(path, RATE)
    assert abs(untrimmed).max() > abs(clip.waveform).max() * 1.1


def test_loudness_does_not_change_what_an_absolute_threshold_means(tmp_path):
    path = write_burst(tmp_path / "quiet.wav", level=0.001)
    with pytest.raises(BadAudio, match="silence only"):
        Preparation(trim=EnergyTrim(-45.0, "full_scale"), loudness=Loudness()).prepare(path, RATE)


@pytest.mark.parametrize("seconds", [0.3, 0.6, 3.0])
def test_loudness_is_the_utterance_s_own_whatever_the_duration(tmp_path, seconds):
    path = write_burst(tmp_path / "burst.wav")
    free = Preparation(trim=EnergyTrim(), loudness=Loudness()).read(path, RATE)
    clip = replace(Preparation(trim=EnergyTrim(), loudness=Loudness()), duration=Fixed(seconds)).prepare(path, RATE)
    np.testing.assert_array_equal(clip.waveform[: clip.valid], free[: clip.valid])


@pytest.mark.parametrize("file_rate", [8000, 16000, 22050, 24414, 44100, 48000])
@pytest.mark.parametrize("trim", [EnergyTrim(), VoiceTrim()])
def test_an_impulse_keeps_its_time(tmp_path, file_rate, trim):
    path = write_burst(tmp_path / "burst.wav", before=0.2, rate=file_rate, impulse=0.7)
    preparation = Preparation(trim=replace(trim, margin=0.0), loudness=Loudness())
    clip = preparation.prepare(path, RATE)
    assert clip.offset == pytest.approx(0.2, abs=0.011)
    assert clip.offset + abs(clip.waveform).argmax() / RATE == pytest.approx(0.7, abs=0.001)
    assert 0.7 - clip.offset == pytest.approx(abs(preparation.read(path, RATE)).argmax() / RATE, abs=0.001)


@given(
    before=st.floats(0.0, 0.6),
    place=st.floats(0.1, 0.9),
    start=st.one_of(st.none(), st.floats(0.0, 0.05)),
    seconds=st.floats(0.95, 3.0),
    pad=st.sampled_from(["start", "both", "end"]),
)
@settings(max_examples=25, deadline=None)
def test_an_impulse_keeps_its_time_through_everything(tmp_path_factory, before, place, start, seconds, pad):
    path = tmp_path_factory.getbasetemp() / "impulse.wav"
    write_burst(path, before + 0.1, impulse=before + 0.1 + place, rate=22050)
    preparation = Preparation(trim=EnergyTrim(), loudness=Loudness(), duration=Fixed(seconds, pad, "centre"))
    clip = preparation.prepare(path, RATE, start)
    assert clip.offset + abs(clip.waveform).argmax() / RATE == pytest.approx(before + 0.1 + place, abs=0.001)
    assert len(clip.waveform) == round(seconds * RATE)


def test_equal_preparations_are_one_key():
    one, other = (compose_audio("audio=lufs23", "audio/trim=vad", "audio/duration=fixed") for _ in range(2))
    assert one == other and hash(one) == hash(other) and one is not other
    assert one != compose_audio("audio=lufs23", "audio/trim=vad", "audio/duration=fixed", "audio.duration.seconds=2")


def test_the_default_changes_nothing():
    assert compose_audio() == Preparation()


def test_presets():
    assert {"default", "lufs23", "trim_energy", "trim_vad", "s4_tess", "s4_cremad"} == set(PRESETS)
    assert compose_audio("audio=lufs23") == Preparation(loudness=Loudness(-23.0))
    assert compose_audio("audio=trim_energy") == Preparation(trim=EnergyTrim())
    assert compose_audio("audio=trim_vad", "audio/loudness=lufs") == Preparation(trim=VoiceTrim(), loudness=Loudness())
    assert compose_audio("audio=s4_tess").duration == Fixed(4.0, "both")
    assert compose_audio("audio=s4_cremad").duration == Fixed(2.0, "end", "start")
    assert compose_audio("audio/duration=chunk").duration == Chunk(3.0, 1.5)
    assert compose_audio("audio/duration=range").duration == Range()
    assert compose_audio("audio=trim_vad", "audio/trim=energy", "audio.trim.threshold=-30").trim == EnergyTrim(-30)
    assert compose_audio("audio=lufs23", "audio/loudness=none") == Preparation()
    assert compose_audio("audio=lufs23", "audio.loudness=null") == Preparation()


def test_settings_of_a_step_that_is_not_there_are_refused():
    with pytest.raises(HydraException, match=r"audio\.trim has settings but no kind.*audio\.trim=null"):
        compose_audio("audio=s4_tess", "audio/trim=none")
    assert compose_audio("audio=s4_tess", "audio.trim=null") == Preparation(duration=Fixed(4.0, "both"))


def make_manifest(paths):
    columns = {"clip": [path.stem for path in paths], "path": list(map(str, paths)), "label": "x", "speaker": "s"}
    return Manifest("mine", pd.DataFrame(columns).assign(emotion=["anger", "fear"] * (len(paths) // 2)))


@pytest.fixture
def bursts(tmp_path):
    return make_manifest(
        [write_burst(tmp_path / f"{seconds}.wav", seconds=seconds) for seconds in (0.5, 1.0, 2.0, 3.0)]
    )


def test_clips_out_of_range_are_left_out_under_any_policy(bursts, tmp_path):
    clips = inspect_clips(bursts.frame, Preparation(trim=EnergyTrim(margin=0.0), duration=Range(0.8, 2.5)), RATE)
    assert (clips["problem"] == "").all()
    assert (clips["excluded"] != "").tolist() == [True, False, False, True]
    kept, usable = drop_bad_clips(bursts, clips, "fail")
    assert kept.frame["clip"].tolist() == usable["clip"].tolist() == ["1.0", "2.0"]
    (note,) = kept.notes
    assert "2 clips were left out by audio.duration" in note and "longer than 2.5 s" in note
    with pytest.raises(InputError, match=r"(?s)none of the 4 clips.*shorter than 9 s.*audio\.duration"):
        drop_bad_clips(bursts, inspect_clips(bursts.frame, Preparation(duration=Range(9)), RATE), "skip")
    (tmp_path / "2.0.wav").write_bytes(b"")
    clips = inspect_clips(bursts.frame, Preparation(duration=Range(1.3)), RATE)
    kept, _ = drop_bad_clips(bursts, clips, "skip")
    assert kept.frame["clip"].tolist() == ["1.0", "3.0"] and len(kept.notes) == 2


def test_inspection_tells_place_and_padding(bursts):
    preparation = Preparation(trim=EnergyTrim(margin=0.0), duration=Fixed(2.5, "both"))
    clips = inspect_clips(bursts.frame, preparation, RATE)
    assert (clips["samples"] == 40000).all() and clips["digest"].nunique() == 4
    np.testing.assert_allclose(clips["valid"], [8000, 16000, 32000, 40000], atol=640)
    np.testing.assert_allclose(clips["offset"] + clips["begin"] / RATE, 0.2, atol=0.011)


def test_padding_and_silence_of_the_clip_have_different_addresses(tmp_path):
    samples = np.zeros(1600, np.float32)
    samples[:800] = 0.1 * np.sin(np.arange(800))
    soundfile.write(tmp_path / "long.wav", samples, RATE)
    soundfile.write(tmp_path / "short.wav", samples[:800], RATE)
    manifest = make_manifest([tmp_path / "long.wav", tmp_path / "short.wav"])
    clips = inspect_clips(manifest.frame, Preparation(duration=Fixed(0.1)), RATE)
    waveforms = [Preparation(duration=Fixed(0.1)).read(path, RATE) for path in manifest.frame["path"]]
    np.testing.assert_array_equal(*waveforms)
    assert clips["digest"].nunique() == 2


def test_the_peak_guard_is_reported(tmp_path, caplog):
    paths = [write_burst(tmp_path / "a.wav", impulse=0.5, level=0.005), write_burst(tmp_path / "b.wav")]
    with caplog.at_level("INFO"):
        clips = inspect_clips(make_manifest(paths).frame, Preparation(loudness=Loudness()), RATE)
    assert (clips["shortfall"] > 0).tolist() == [True, False]
    assert "peak guard: 1 of 2 clips stay below the loudness target" in caplog.text


def test_chunks_as_the_docstring_says(bursts):
    preparation = Preparation(trim=EnergyTrim(margin=0.0), loudness=Loudness(), duration=Chunk(1.0, 0.5))
    with pytest.raises(InputError, match="was not divided"):
        inspect_clips(bursts.frame, preparation, RATE)
    clips = inspect_clips(bursts.frame, replace(preparation, duration=None), RATE)
    manifest, clips = drop_bad_clips(bursts, clips, "fail")
    frame = expand_chunks(manifest.frame, clips, RATE, preparation.duration)
    windows = replace(preparation, trim=None)
    divided = Manifest("mine", frame)
    found = inspect_clips(divided.frame, windows, RATE)
    assert (found["problem"] == "").all() and (found["samples"] <= 16001).all()
    assert found["valid"].sum() >= clips["valid"].sum() and len(found) > 9
    assert set(divided.frame["source"]) == set(bursts.frame["clip"])
    assert found["offset"].min() == pytest.approx(0.2, abs=0.011)


@pytest.mark.data("emodb")
@pytest.mark.parametrize("trim", ["energy", "vad"])
def test_emodb_under_loudness_and_trimming(corpus_root, trim):
    paths = [path for path in (corpus_root / "wav").iterdir() if path.stem[5] in "WFNT"]
    assert len(paths) == 339
    preparation = compose_audio("audio=lufs23", f"audio/trim={trim}")
    for path in paths:
        clip = preparation.prepare(path, RATE)
        assert measure_loudness(clip.waveform, RATE) == pytest.approx(-23 - clip.shortfall, abs=0.1)
        assert abs(clip.waveform).max() <= 10 ** (-1 / 20) + 1e-6 and clip.valid == len(clip.waveform)
        original, _ = soundfile.read(path, dtype="float32")
        first = round(clip.offset * RATE)
        assert np.corrcoef(original[first : first + clip.valid], clip.waveform)[0, 1] > 0.999999
        assert clip.valid > 0.6 * len(original)
