import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.split.fold import Split, make_fold
from ser.split.training import repeat_rare, take_fraction


def make_frame(speakers=4, takes=10):
    rows = [
        {"speaker": f"s{speaker}", "emotion": emotion, "clip": f"{speaker}-{emotion}-{take}"}
        for speaker in range(speakers)
        for emotion, share in (("anger", 1.0), ("fear", 0.3))
        for take in range(round(share * takes))
    ]
    return pd.DataFrame(rows)


def make_split(frame):
    rows = np.arange(len(frame))
    tested = (frame["speaker"] == "s0").to_numpy()
    return Split([make_fold(0, "s0", rows[~tested], rows[tested])])


@given(st.floats(0.05, 1), st.floats(0.05, 1), st.integers(0, 5))
def test_a_smaller_fraction_is_part_of_a_larger_one(one, other, seed):
    frame = make_frame()
    split = make_split(frame)
    small, large = (set(take_fraction(frame, split, f, seed).folds[0].train) for f in sorted((one, other)))
    assert small <= large <= set(split.folds[0].train)


def test_a_fraction_holds_for_each_speaker_and_emotion_and_leaves_the_test_part_alone():
    frame = make_frame()
    split = make_split(frame)
    thin = take_fraction(frame, split, 0.5, 0).folds[0]
    counts = frame.iloc[thin.train].groupby(["speaker", "emotion"]).size().to_dict()
    assert set(counts.values()) == {5, 2} and len(counts) == 6
    np.testing.assert_array_equal(thin.test, split.folds[0].test)
    other = take_fraction(frame, split, 0.5, 1).folds[0]
    assert set(other.train) != set(thin.train)
    assert take_fraction(frame, split, 1.0, 0) is split


def test_the_least_fraction_keeps_a_clip_of_each_emotion_a_speaker_shows():
    frame = make_frame()
    thin = take_fraction(frame, make_split(frame), 0.01, 0).folds[0]
    assert frame.iloc[thin.train].groupby(["speaker", "emotion"]).size().tolist() == [1] * 6


@pytest.mark.parametrize("fraction", [0, -1, 1.5])
def test_what_is_no_fraction_is_refused(fraction):
    frame = make_frame()
    with pytest.raises(InputError, match=r"data.fraction"):
        take_fraction(frame, make_split(frame), fraction, 0)


def test_oversampling_evens_emotions_and_goes_round_the_speakers():
    frame = make_frame()
    rows = make_split(frame).folds[0].train
    repeated = repeat_rare(frame, rows, "emotion", 0)
    assert frame["emotion"].iloc[repeated].value_counts().to_dict() == {"anger": 30, "fear": 30}
    assert set(repeated) == set(rows)
    fear = frame.iloc[repeated].query("emotion == 'fear'")
    assert fear["speaker"].value_counts().tolist() == [10, 10, 10]
    assert fear["clip"].value_counts().max() - fear["clip"].value_counts().min() <= 1
    np.testing.assert_array_equal(repeat_rare(frame, rows, "none", 0), rows)
    with pytest.raises(InputError, match=r"data.oversample=speaker"):
        repeat_rare(frame, rows, "speaker", 0)
