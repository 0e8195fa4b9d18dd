import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.audio.duration import Chunk, Fixed, Range, expand_chunks
from ser.audio.prepare import OutOfRange, Prepared
from ser.errors import InputError

RATE = 1000


def make_clip(samples, offset=0.0):
    return Prepared(np.arange(1, samples + 1, dtype=np.float32), RATE, offset, 0, samples)


@pytest.mark.parametrize(("pad", "begin"), [("start", 201), ("both", 100), ("end", 0)])
def test_padding(pad, begin):
    clip = Fixed(1.0, pad).apply(make_clip(799, offset=2.0))
    assert len(clip.waveform) == 1000 and (clip.begin, clip.valid) == (begin, 799)
    np.testing.assert_array_equal(clip.waveform[begin : begin + 799], np.arange(1, 800))
    assert np.count_nonzero(clip.waveform) == 799 and clip.waveform.dtype == np.float32
    assert clip.offset == pytest.approx(2.0 - begin / RATE)


@pytest.mark.parametrize(("keep", "first"), [("start", 0), ("centre", 150), ("end", 301)])
def test_cropping(keep, first):
    clip = Fixed(1.0, keep=keep).apply(make_clip(1301, offset=2.0))
    np.testing.assert_array_equal(clip.waveform, np.arange(first + 1, first + 1001))
    assert (clip.begin, clip.valid) == (0, 1000) and clip.offset == pytest.approx(2.0 + first / RATE)


def test_a_clip_of_the_length_is_untouched():
    clip = make_clip(1000)
    assert Fixed(1.0, "both", "centre").apply(clip) is clip


@given(
    samples=st.integers(1, 300),
    length=st.integers(1, 300),
    pad=st.sampled_from(["start", "both", "end"]),
    keep=st.sampled_from(["start", "centre", "end"]),
)
def test_every_sample_keeps_its_time_and_padding_is_told_from_the_clip(samples, length, pad, keep):
    clip = Fixed(length / RATE, pad, keep).apply(make_clip(samples))
    assert len(clip.waveform) == length and clip.valid == min(samples, length)
    inside = clip.waveform[clip.begin : clip.begin + clip.valid]
    times = clip.offset + (clip.begin + np.arange(clip.valid)) / RATE
    np.testing.assert_allclose(times * RATE + 1, inside, atol=1e-6)
    assert np.count_nonzero(clip.waveform) == clip.valid


@given(
    before=st.integers(0, 9),
    after=st.integers(0, 9),
    samples=st.integers(1, 30),
    cut=st.tuples(st.integers(0, 48), st.integers(0, 48)),
)
def test_crop_after_pad(before, after, samples, cut):
    padded = make_clip(samples).pad(before, after)
    first, stop = sorted(min(place, len(padded.waveform)) for place in cut)
    clip = padded.crop(first, stop)
    assert clip.begin >= 0 and clip.begin + clip.valid <= len(clip.waveform)
    assert np.count_nonzero(clip.waveform) == clip.valid
    assert np.all(clip.waveform[clip.begin : clip.begin + clip.valid] > 0)


def test_range():
    policy = Range(0.5, 1.0)
    for samples in (500, 1000):
        assert len(policy.apply(make_clip(samples)).waveform) == samples
    with pytest.raises(OutOfRange, match=r"0\.499 s, shorter than 0\.5 s"):
        policy.apply(make_clip(499))
    with pytest.raises(OutOfRange, match=r"1\.001 s, longer than 1\.0 s"):
        policy.apply(make_clip(1001))
    assert len(Range().apply(make_clip(99999)).waveform) == 99999


def test_windows():
    chunk = Chunk(1.0, 0.5)
    assert chunk.find_windows(0.3) == [(0.0, 0.3)] and chunk.find_windows(1.0) == [(0.0, 1.0)]
    assert chunk.find_windows(2.0) == [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]
    np.testing.assert_allclose(chunk.find_windows(1.7), [(0.0, 1.0), (0.5, 1.5), (0.7, 1.7)])


@given(seconds=st.floats(0.01, 20), width=st.floats(0.1, 5), share=st.floats(0.1, 1))
@settings(max_examples=200)
def test_windows_cover_the_clip_with_equal_lengths(seconds, width, share):
    windows = Chunk(width, width * share).find_windows(seconds)
    starts, ends = np.array(windows).T
    assert starts[0] == 0 and ends[-1] == pytest.approx(seconds)
    np.testing.assert_allclose(ends - starts, min(width, seconds))
    assert (np.diff(starts) > 0).all() and (starts[1:] <= ends[:-1] + 1e-9).all()
    assert (np.diff(starts) <= width * share + 1e-9).all()


def test_an_undivided_clip_is_refused():
    assert len(Chunk(1.0, 0.5).apply(make_clip(1001)).waveform) == 1001
    with pytest.raises(InputError, match=r"was not divided into windows of 1\.0 s"):
        Chunk(1.0, 0.5).apply(make_clip(1500))


def test_rows_of_windows():
    frame = pd.DataFrame(
        {"clip": ["a", "b"], "path": ["a.wav", "b.wav"], "emotion": ["anger", "fear"], "start": [0, 7.0]}
    )
    clips = pd.DataFrame({"valid": [2000, 600], "offset": [0.25, 7.1]})
    rows = expand_chunks(frame, clips, RATE, Chunk(1.0, 0.5))
    assert rows["clip"].tolist() == ["a#000", "a#001", "a#002", "b#000"]
    assert rows["source"].tolist() == ["a", "a", "a", "b"] and rows["emotion"].tolist() == ["anger"] * 3 + ["fear"]
    np.testing.assert_allclose(rows["start"], [0.25, 0.75, 1.25, 7.1])
    np.testing.assert_allclose(rows["end"], [1.25, 1.75, 2.25, 7.7])


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Fixed(0.0), "seconds"),
        (lambda: Fixed(1.0, "left"), "pad"),
        (lambda: Fixed(1.0, keep="middle"), "keep"),
        (lambda: Range(-1.0), "shortest"),
        (lambda: Range(2.0, 1.0), "longest"),
        (lambda: Chunk(-1.0, 1.0), "seconds"),
        (lambda: Chunk(1.0, 2.0), "hop"),
    ],
)
def test_wrong_parameters(make, key):
    with pytest.raises(InputError, match=rf"audio\.duration\.{key}="):
        make()
