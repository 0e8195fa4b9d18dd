import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cue.cues import CUE_NAMES, CUES, measure_cues, take_quantiles
from ser.cue.expect import read_table
from ser.cue.meters.own import NumpyMeter
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import compose_sentence
from ser.dataset.planted.utterance import synthesise


@pytest.fixture(scope="module")
def tracks():
    spoken = synthesise(draw_speaker("s", "female", (0, 0)), compose_sentence("t", (0, 3)), {"pause": 0.2})
    return NumpyMeter().measure(spoken.wave, spoken.rate)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
@settings(max_examples=20, deadline=None)
def test_many_sets_of_frames_at_once_are_each_set_alone(tracks, seed, share):
    frames = np.random.default_rng(seed).random((4, len(tracks.times))) < share
    together = measure_cues(tracks, frames)
    alone = np.concatenate([measure_cues(tracks, row[None]) for row in frames])
    assert np.allclose(together, alone, equal_nan=True)


def test_voiced_cues_take_voiced_frames_only(tracks):
    found = dict(zip(CUE_NAMES, measure_cues(tracks)[0], strict=True))
    assert found["f0_level"] == pytest.approx(np.nanmean(tracks.values["f0"]))
    assert found["hnr"] == pytest.approx(np.mean(tracks.values["hnr"][tracks.voiced]))
    unvoiced = dict(zip(CUE_NAMES, measure_cues(tracks, ~tracks.voiced[None])[0], strict=True))
    assert np.isnan([unvoiced[name] for name in ("f0_level", "f0_range", "jitter", "shimmer", "hnr", "f1")]).all()


def test_quantiles_are_those_of_the_frames(tracks):
    frames = tracks.times < 1.0
    values = tracks.values["f0"][frames & tracks.voiced]
    found = take_quantiles("f0", 0.5)(tracks, frames[None])[0]
    assert found == pytest.approx(np.quantile(values, 0.5, method="inverted_cdf"))


def test_counts_come_from_what_the_frames_touch(tracks):
    start, end = tracks.segments.pauses[0]
    inside = (tracks.times > start) & (tracks.times < end)
    found = dict(zip(CUE_NAMES, measure_cues(tracks, inside[None])[0], strict=True))
    assert found["pause_share"] == 1.0
    assert found["pause_length"] == pytest.approx(end - start)
    first, last = tracks.segments.syllables[2]
    one = dict(
        zip(CUE_NAMES, measure_cues(tracks, ((tracks.times > first) & (tracks.times < last))[None])[0], strict=True)
    )
    assert one["rate"] == pytest.approx(1 / (last - first - tracks.segments.silence[2]))


def test_no_frames_no_cues(tracks):
    assert np.isnan(measure_cues(tracks, np.zeros((1, len(tracks.times)), bool))).all()


def test_every_cue_stands_for_one_of_the_table():
    assert {cue.expected for cue in CUES} <= set(read_table().cues)
    assert {cue.sign for cue in CUES} <= {1, -1}
