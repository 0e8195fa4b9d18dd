import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.dataset.manifest import OPTIONAL, Manifest
from ser.errors import InputError


def make_frame(rows=4, **columns):
    clips = [f"c{index}" for index in range(rows)]
    frame = pd.DataFrame(
        {
            "clip": clips,
            "path": [f"{clip}.wav" for clip in clips],
            "emotion": ["anger", "sadness"] * (rows // 2),
            "label": ["W", "T"] * (rows // 2),
            "speaker": [f"{index % 3:02d}" for index in range(rows)],
        }
    )
    return frame.assign(**columns)


def refuse(frame):
    with pytest.raises(InputError) as error:
        Manifest("mine", frame)
    message = str(error.value)
    assert "mine" in message and "remedy" in message
    return message


def test_rows_are_sorted_by_clip_and_known_columns_are_there():
    manifest = Manifest("mine", make_frame().iloc[::-1])
    assert manifest.frame["clip"].tolist() == ["c0", "c1", "c2", "c3"]
    assert manifest.frame.index.tolist() == [0, 1, 2, 3]
    assert set(OPTIONAL) <= set(manifest.frame.columns)
    assert manifest.emotions == ["anger", "sadness"] and manifest.speakers == ["00", "01", "02"] and len(manifest) == 4


def test_further_columns_are_kept():
    assert Manifest("mine", make_frame(arousal=[0.1, 0.2, 0.3, 0.4])).frame["arousal"].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_the_callers_frame_is_left_alone():
    frame = make_frame(age=["31", "32", "33", "34"])
    before = frame.copy()
    Manifest("mine", frame)
    pd.testing.assert_frame_equal(frame, before)


@given(order=st.permutations(range(6)))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_never_matters(order):
    frame = make_frame(6, gender="female", start=[0, 1, 2, 3, 4, 5], sentence=list("abcdef"))
    expected = Manifest("mine", frame)
    shuffled = Manifest("mine", frame.iloc[list(order)])
    pd.testing.assert_frame_equal(shuffled.frame, expected.frame)
    pd.testing.assert_frame_equal(shuffled.counts(), expected.counts())


def test_an_empty_frame_is_refused():
    assert "empty" in refuse(make_frame().iloc[:0])


@pytest.mark.parametrize("column", ["clip", "path", "label", "speaker"])
def test_a_missing_column_is_named_with_those_there_are(column):
    message = refuse(make_frame().drop(columns=column))
    assert f"no column {column}" in message
    assert "found" in message and "dataset.columns" in message


@pytest.mark.parametrize("column", ["path", "label", "speaker"])
@pytest.mark.parametrize("gap", [None, np.nan, "", "  "])
def test_a_gap_in_a_required_column_names_column_and_clip(column, gap):
    frame = make_frame()
    frame.loc[2, column] = gap
    message = refuse(frame)
    assert f"{column} is missing in 1 of 4 rows" in message and "c2" in message and "c1" not in message


@pytest.mark.parametrize("gap", [None, np.nan, "", "  "])
def test_clips_without_an_emotion_are_refused_where_emotions_are_asked_for(gap):
    frame = make_frame()
    frame.loc[2, "emotion"] = gap
    manifest = Manifest("mine", frame)
    assert manifest.frame["emotion"].isna().tolist() == [False, False, True, False]
    assert manifest.emotions == sorted(set(make_frame()["emotion"])) and manifest.counts().to_numpy().sum() == 3
    with pytest.raises(InputError, match=r"emotion is missing in 1 of 4 rows: c2"):
        manifest.require_emotions()
    Manifest("mine", make_frame()).require_emotions()


def test_a_corpus_without_emotions():
    manifest = Manifest("mine", make_frame(arousal=[1, 2, 3, 4]).drop(columns=["emotion", "label"]))
    assert manifest.emotions == [] and manifest.frame[["emotion", "label"]].isna().all(axis=None)
    with pytest.raises(InputError, match=r"(?s)no clip has an emotion.*found clip, path, speaker, arousal.*\[arousal"):
        manifest.require_emotions()
    with pytest.raises(InputError, match="some of none: no clip has an emotion"):
        manifest.with_emotions(["anger"])


@pytest.mark.parametrize(
    ("column", "values", "what", "row"),
    [
        ("clip", ["a", "b", "a", "d"], "is not unique in 2 of 4 rows", "a .*'a'"),
        ("start", [0, -1, 0, 0], "is negative in 1 of 4 rows", "c1 .*-1"),
        ("start", ["0", "x", "0", "0"], "is not a number in 1 of 4 rows", "c1 .*'x'"),
        ("end", [1, 1, 0, 1], "does not lie after start in 1 of 4 rows", "c2 .*0"),
        ("end", ["1", "1", "1", "late"], "is not a number in 1 of 4 rows", "c3 .*'late'"),
        ("age", [31, 200, 30, 30], "is not between 0 and 130 years in 1 of 4 rows", "c1 .*200"),
        ("age", [31, "old", 30, 30], "is not a number in 1 of 4 rows", "c1 .*'old'"),
        ("gender", ["female", "male", "other", "x"], "is not one of female, male, other in 1 of 4", "c3 .*'x'"),
        ("split", ["train", "dev", "test", None], "is not one of train, validation, test in 1 of 4", "c1 .*'dev'"),
    ],
)
def test_impossible_values_name_column_row_and_value(column, values, what, row):
    message = refuse(make_frame(**{column: values}))
    assert re.search(rf"{column}.* {what}.*: {row}", message), message


def test_end_before_start_is_refused():
    assert "end does not lie after start in 1 of 4" in refuse(make_frame(start=[0, 2, 0, 0], end=[1, 1.5, None, 1]))


def test_many_faults_are_counted_and_five_are_shown():
    message = refuse(make_frame(8, gender="x"))
    assert "8 of 8 rows" in message and "c4" in message and "c5" not in message and "…" in message


def test_numbers_as_text_become_numbers():
    frame = Manifest("mine", make_frame(start=["0.5", "0", None, "1"], age=["31", None, "32", "33"])).frame
    assert frame["start"].dtype == float and frame["age"].dtype == float
    assert frame["start"].tolist()[:2] == [0.5, 0.0] and np.isnan(frame["start"][2])


def test_emotions_can_be_chosen():
    manifest = Manifest("mine", make_frame(), ("a note",)).with_emotions(["sadness"])
    assert manifest.emotions == ["sadness"] and len(manifest) == 2 and manifest.notes == ("a note",)
    everything = Manifest("mine", make_frame())
    assert everything.with_emotions(None) is everything


def test_an_unknown_emotion_gets_a_suggestion():
    with pytest.raises(InputError, match=r"(?s)'angre' does not occur in mine.*anger, sadness.*did you mean 'anger'\?"):
        Manifest("mine", make_frame()).with_emotions(["angre"])
    with pytest.raises(InputError, match=r"(?s)'xyz' does not occur.*anger, sadness"):
        Manifest("mine", make_frame()).with_emotions(["xyz"])


def test_drop_leaves_a_note():
    manifest = Manifest("mine", make_frame()).drop(["c1"], "c1 is broken")
    assert manifest.frame["clip"].tolist() == ["c0", "c2", "c3"] and manifest.notes == ("c1 is broken",)


def test_counts_are_by_speaker_and_emotion():
    counts = Manifest("mine", make_frame(6)).counts()
    assert counts.loc["00", "anger"] == 1 and counts.loc["00", "sadness"] == 1 and counts.to_numpy().sum() == 6
