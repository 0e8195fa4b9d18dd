from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from ser.audio import cache as module
from ser.audio.cache import AudioCache
from ser.audio.duration import Fixed
from ser.audio.loudness import Loudness
from ser.audio.prepare import BadAudio, Preparation
from ser.audio.trim import EnergyTrim

RATE = 16000
PREPARATION = Preparation(trim=EnergyTrim(), loudness=Loudness(), duration=Fixed(2.0, "both"))


@pytest.fixture
def path(tmp_path):
    burst = np.random.default_rng(0).normal(0, 0.1, 16000) * (abs(np.arange(16000) - 9000) < 4000)
    soundfile.write(tmp_path / "burst.wav", burst, 22050)
    return tmp_path / "burst.wav"


@pytest.fixture
def cached(tmp_path):
    return replace(PREPARATION, cache=AudioCache(tmp_path / "cache"))


def list_kept(tmp_path):
    return sorted((tmp_path / "cache").rglob("*.clip"))


@pytest.fixture
def count(monkeypatch):
    """Number of times a clip was computed."""
    computed = []
    compute = Preparation._compute
    monkeypatch.setattr(Preparation, "_compute", lambda *a: computed.append(a) or compute(*a))
    return computed


def same(one, other):
    np.testing.assert_array_equal(one.waveform, other.waveform)
    fields = ("rate", "offset", "begin", "valid", "shortfall")
    assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
    assert one.waveform.dtype == np.float32 and one.waveform.flags.writeable and one.waveform.flags.c_contiguous


def test_a_kept_clip_equals_the_computed_one(path, cached, count):
    computed = PREPARATION.prepare(path, RATE)
    assert computed.begin > 0 and computed.offset != 0
    for _ in range(3):
        same(cached.prepare(path, RATE), computed)
    assert len(count) == 2


def test_content_counts_not_the_name(path, cached, count, tmp_path):
    cached.read(path, RATE)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(path.read_bytes())
    cached.read(copy, RATE)
    assert len(count) == 1
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples * 0.5, rate)
    cached.read(path, RATE)
    assert len(count) == 2 and len(list_kept(tmp_path)) == 2


def test_every_parameter_is_another_address(path, cached, count):
    others = [
        replace(cached, mono="first"),
        replace(cached, resampler="VHQ"),
        replace(cached, trim=None),
        replace(cached, trim=EnergyTrim(-30.0)),
        replace(cached, loudness=Loudness(-26.0)),
        replace(cached, duration=None),
        replace(cached, duration=Fixed(2.0)),
    ]
    for preparation in (cached, *others):
        preparation.read(path, RATE)
        preparation.read(path, RATE)
    for place in ((8000,), (RATE, 0.1), (RATE, 0.1, 0.6), (RATE, None, 0.6)):
        cached.read(path, *place)
    assert len(count) == 12


def test_a_file_that_is_not_whole_is_computed_again(path, cached, tmp_path):
    expected = cached.prepare(path, RATE)
    (kept,) = list_kept(tmp_path)
    for damaged in (b"", kept.read_bytes()[:30], kept.read_bytes()[:-4]):
        kept.write_bytes(damaged)
        same(cached.prepare(path, RATE), expected)
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_another_version_is_another_address(path, cached, count, monkeypatch):
    cached.read(path, RATE)
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    cached.read(path, RATE)
    assert len(count) == 2


def test_what_cannot_be_prepared_is_not_kept(cached, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(1600), RATE)
    for name, reason in (("silent.wav", "silent"), ("gone.wav", "no such file")):
        with pytest.raises(BadAudio, match=reason):
            cached.read(tmp_path / name, RATE)
    assert not list_kept(tmp_path)


def test_a_folder_that_cannot_be_written_costs_time_only(path, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    same(
        replace(PREPARATION, cache=AudioCache(tmp_path / "cache")).prepare(path, RATE), PREPARATION.prepare(path, RATE)
    )


def test_nothing_is_kept_where_decoding_is_all(path, tmp_path):
    Preparation(cache=AudioCache(tmp_path / "cache")).read(path, RATE)
    assert not (tmp_path / "cache").exists()


def test_many_at_once(path, cached):
    with ThreadPoolExecutor(8) as pool:
        clips = list(pool.map(lambda _: cached.prepare(path, RATE), range(40)))
    for clip in clips:
        same(clip, clips[0])


def test_the_cache_is_no_part_of_the_identity(cached):
    assert cached == PREPARATION and hash(cached) == hash(PREPARATION) and repr(cached) == repr(PREPARATION)
