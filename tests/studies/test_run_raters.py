"""Runs on the votes of raters, from a table to predictions."""

import json

import numpy as np
import pandas as pd
import pytest

from ser.errors import InputError

SOFT = ["head=linear", "loss=soft_cross_entropy", "split=holdout", "class_weight=none"]
#: Long enough for probabilities to settle; the best UAR comes long before.
LONG = ["trainer.early_stopping=null", "trainer.max_epochs=40", "optimizer.lr=0.02"]
#: Of ten raters of a clip of each emotion, how many hear which.
HEARD = {
    "anger": {"anger": 6, "neutral": 3, "sadness": 0, "surprise": 1},
    "neutral": {"anger": 1, "neutral": 8, "sadness": 1, "surprise": 0},
    "sadness": {"anger": 0, "neutral": 4, "sadness": 6, "surprise": 0},
}


@pytest.fixture
def rated(tones, tmp_path):
    """A table of the tones with votes, written with one change; gives the overrides that name it."""

    def write(change=lambda table: table):
        table = pd.read_csv(tones.table)
        table["path"] = [str(tones.folder / path) for path in table["path"]]
        votes = pd.DataFrame([HEARD[emotion] for emotion in table["emotion"]]).add_prefix("rated_")
        change(table.join(votes)).to_csv(tmp_path / "rated.csv", index=False)
        return ["dataset=csv", f"dataset.path={tmp_path / 'rated.csv'}"]

    return write


def read(folder):
    table = pd.read_parquet(folder / "predictions.parquet")
    means = table.groupby("true")[[column for column in table if column.startswith("p_")]].mean()
    return json.loads((folder / "metrics.json").read_text()), means.sort_index()


def test_a_network_learns_what_raters_heard_and_is_scored_on_labels(rated, train):
    keys = [*rated(), *SOFT, *LONG]
    _, folder = train(*keys)
    scores, means = read(folder)
    assert scores["test/uar"] > 0.9
    assert list(means) == ["p_anger", "p_neutral", "p_sadness"]
    np.testing.assert_allclose(means, [[6 / 9, 3 / 9, 0], [0.1, 0.8, 0.1], [0, 0.4, 0.6]], atol=0.12)
    assert train(*keys, name="again")[0].state == "skipped"
    _, folder = train(*keys, "loss=cross_entropy", name="hard")
    assert np.diag(read(folder)[1]).min() > 0.9


def test_emotions_are_chosen_merged_and_opposed_with_their_votes(rated, train):
    keys = [*rated(), *SOFT, *LONG]
    _, folder = train(*keys, "dataset.emotions=[anger,neutral]", name="few")
    np.testing.assert_allclose(read(folder)[1], [[6 / 9, 3 / 9], [1 / 9, 8 / 9]], atol=0.12)
    _, folder = train(*keys, "dataset.merge.sadness=neutral", name="merged")
    np.testing.assert_allclose(read(folder)[1], [[6 / 9, 3 / 9], [0.05, 0.95]], atol=0.12)
    _, folder = train(*keys, "dataset.target=one_vs_rest:anger", name="anger")
    np.testing.assert_allclose(read(folder)[1], [[0.6, 0.4], [0.05, 0.95]], atol=0.12)


def test_windows_mixup_augmentation_and_a_trained_backbone_go_with_votes(rated, train):
    keys = [*rated(), *SOFT, "trainer.max_epochs=1"]
    tiny = ["backbone=mel_cnn", "backbone.width=2", "backbone.mels=16", "backbone.fft=512"]
    windows = ["audio/duration=chunk", "audio.duration.seconds=0.15", "audio.duration.hop=0.1"]
    for name, more in {
        "windows": windows,
        "network": [*tiny, "trainer.mixup=0.3", "augmentation=white_noise"],
        "copies": ["trainer.mixup=0.3", "augmentation=white_noise", "data.oversample=emotion"],
    }.items():
        assert train(*keys, *more, name=name)[0].state == "finished"


def test_clips_without_votes_have_their_labels_and_are_counted_once(rated, train, caplog):
    def silence(table):
        # of the first four speakers' anger, so that whoever trains has some
        table.loc[(table["emotion"] == "anger") & (table["speaker"] < "s04"), table.filter(like="rated_").columns] = (
            None
        )
        return table

    train(*rated(silence), *SOFT, "split=loso", "split.validation_share=0.2", "trainer.max_epochs=1")
    said = [message for message in caplog.messages if "no vote of raters" in message]
    assert said == ["12 of 54 training clips have no vote of raters on anger, neutral, sadness: their labels train"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.filter(regex="^(?!rated_)"), r"no column rated_anger, rated_neutral, rated_sadness\n"),
        (
            lambda table: table.drop(columns="rated_sadness"),
            r"no column rated_sadness\n.*found rated_anger, rated_neut",
        ),
        (lambda table: table.assign(rated_anger="often"), r"rated_anger is no share or number of raters in 54 rows"),
        (
            lambda table: table.assign(**dict.fromkeys(table.filter(like="rated_"), 0)),
            r"none of the \d+ training clips",
        ),
    ],
)
def test_what_is_wrong_with_votes_is_said_before_anything_is_trained(rated, train, runs, change, words):
    keys = rated(change)
    with pytest.raises(InputError, match=f"(?s){words}"):
        train(*keys, *SOFT)
    assert runs() == []


def test_votes_and_numbers_or_no_votes_and_a_network_do_not_go_together(train, tones):
    with pytest.raises(InputError, match=r"(?s)no column rated_anger, .*remedy.*iemocap.*loss=cross_entropy"):
        train(*tones.overrides, *SOFT)
    with pytest.raises(InputError, match=r"SoftCrossEntropy: it does not compare numbers"):
        train(*tones.overrides, *SOFT, "dataset.target=[arousal]")


def test_estimators_do_not_ask_for_votes(tones, train):
    keys = [*tones.overrides, "head=logreg", "head.tune=false", "split=holdout"]
    train(*keys)
    assert train(*keys, "loss=soft_cross_entropy", name="again")[0].state == "skipped"
