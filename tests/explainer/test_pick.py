"""Clips to explain: balanced, seeded, and refused with a reason."""

import itertools

import pandas as pd
import pytest

from ser.errors import InputError
from ser.explainer.pick import ClipChoice


@pytest.fixture
def tested():
    rows = itertools.product(("anger", "joy"), ("a", "b", "c"), range(5))
    frame = pd.DataFrame(rows, columns=["true", "speaker", "take"])
    frame["clip"] = [f"{row.true}-{row.speaker}-{row.take}" for row in frame.itertuples()]
    frame["dataset"] = "toy"
    frame["predicted"] = ["anger" if take < 4 else "joy" for take in frame["take"]]
    return frame


def test_a_sample_is_balanced_over_emotions_and_speakers(tested):
    chosen = ClipChoice(seed=3).pick(tested, 12)
    assert chosen.groupby(["true", "speaker"]).size().tolist() == [2] * 6


def test_a_larger_sample_contains_a_smaller_one_with_the_same_seed(tested):
    few, many = (set(ClipChoice(seed=1).pick(tested, size)["clip"]) for size in (6, 14))
    assert few < many
    assert few != set(ClipChoice(seed=2).pick(tested, 6)["clip"])


def test_unbalanced_corpora_give_what_they_have(tested):
    chosen = ClipChoice().pick(tested[(tested["true"] == "anger") | (tested["take"] == 0)], 10)
    assert chosen["true"].value_counts().to_dict() == {"anger": 7, "joy": 3}


def test_clips_by_emotion_by_id_and_by_correctness(tested):
    assert set(ClipChoice(emotions=["joy"], n_per_class=3).pick(tested, 60)["true"]) == {"joy"}
    assert ClipChoice(clips=["joy-a-0"]).pick(tested, 60)["clip"].tolist() == ["joy-a-0"]
    assert len(ClipChoice(clips="all").pick(tested, 2)) == 30
    wrong = ClipChoice(clips="all", only="wrong").pick(tested, 2)
    assert (wrong["true"] != wrong["predicted"]).all() and len(wrong) == 3 + 12


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"only": "right"}, "explain.only=right"),
        ({"clips": "some"}, "explain.clips=some"),
        ({"n_per_class": 0}, "explain.n_per_class=0"),
        ({"clips": ["x"]}, "explain.clips: x not among"),
        ({"emotions": ["fear"]}, "explain.emotions: fear"),
        ({"evaluation": "emodb"}, "explain.evaluation: emodb"),
    ],
)
def test_what_is_not_there_is_refused(tested, choice, words):
    with pytest.raises(InputError, match=words):
        ClipChoice(**choice).pick(tested, 60)
