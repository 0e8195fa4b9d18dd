import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.dataset.raters import check_votes, find_shares, merge_votes
from ser.errors import InputError

AFS = ("anger", "fear", "sadness")


@pytest.fixture
def frame():
    """Clips of one mind, of two, of votes on others alone, with no vote, and not rated."""
    return pd.DataFrame(
        {
            "emotion": ["anger", "sadness", "fear", "fear", "sadness"],
            "rated_anger": [5, 1, 0, 0, None],
            "rated_fear": [0, 0, 0, 0, None],
            "rated_sadness": [0, 3, 0, 0, None],
            "rated_other": [0, 1, 5, 0, None],
        }
    )


def test_shares_are_those_of_the_models_emotions_and_the_label_where_there_are_none(frame):
    shares = find_shares(frame, AFS)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, [[1, 0, 0], [0.25, 0, 0.75], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(find_shares(frame.iloc[1:], ("fear", "sadness"))[0], [0, 1])


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=5))
def test_shares_and_counts_say_the_same(votes):
    frame = pd.DataFrame(votes, columns=[f"rated_{emotion}" for emotion in AFS]).assign(emotion="fear")
    shares = find_shares(frame, AFS)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    scaled = frame.assign(**{f"rated_{emotion}": frame[f"rated_{emotion}"] / 90 for emotion in AFS})
    np.testing.assert_allclose(find_shares(scaled, AFS), shares, rtol=1e-5)
    as_text = frame.astype(str)
    np.testing.assert_array_equal(find_shares(as_text, AFS), shares)


def test_merged_emotions_have_the_votes_of_both(frame):
    merged = merge_votes(frame, {"fear": "sadness", "calm": "neutral"})
    assert "rated_fear" not in merged and "rated_neutral" not in merged
    assert merged["rated_sadness"].tolist()[:4] == [0, 3, 0, 0] and np.isnan(merged["rated_sadness"][4])
    assert merged["rated_anger"].tolist()[:2] == [5, 1] and list(merged["emotion"]) == list(frame["emotion"])
    new = merge_votes(frame, {"anger": "negative", "sadness": "negative"})
    assert new["rated_negative"].tolist()[:4] == [5, 4, 0, 0] and not {"rated_anger", "rated_sadness"} & set(new)


def test_emotions_can_change_places(frame):
    turned = merge_votes(frame, {"anger": "sadness", "sadness": "anger"})
    assert turned["rated_anger"].tolist()[:2] == [0, 3] and turned["rated_sadness"].tolist()[:2] == [5, 1]


def test_without_votes_nothing_changes(frame):
    assert merge_votes(frame, {}) is frame
    plain = frame[["emotion"]].assign(rated_at="noon")
    assert merge_votes(plain, {"fear": "sadness"}) is plain


@pytest.mark.parametrize("value", ["many", -1, np.inf, "0,5"])
def test_a_vote_that_is_none_is_named(frame, value):
    frame["rated_fear"] = frame["rated_fear"].astype(object)
    frame.loc[2, "rated_fear"] = value
    for use in (lambda: find_shares(frame, AFS), lambda: merge_votes(frame, {"fear": "anger"})):
        with pytest.raises(InputError, match=r"rated_fear is no share or number of raters in 1 rows, e.g. "):
            use()
    assert find_shares(frame.iloc[:2], ("anger", "sadness")).shape == (2, 2)


def test_missing_columns_are_named_with_those_that_are_there(frame):
    with pytest.raises(InputError, match=r"(?s)no column rated_joy, rated_calm\n.*found rated_anger, .*rated_joy=<col"):
        check_votes(frame, ("anger", "joy", "calm"))
    with pytest.raises(InputError, match=r"(?s)found none.*loss=cross_entropy"):
        check_votes(frame[["emotion"]], AFS)


def test_clips_without_votes_are_counted_once(frame, caplog):
    with caplog.at_level(logging.WARNING):
        check_votes(frame, AFS)
        check_votes(frame.iloc[:2], AFS)
    assert caplog.messages == [
        "3 of 5 training clips have no vote of raters on anger, fear, sadness: their labels train"
    ]
    with pytest.raises(InputError, match=r"none of the 3 training clips has a vote"):
        check_votes(frame.iloc[2:], AFS)
