"""Runs on tables that hold ratings and no emotions."""

import json

import pandas as pd
import pytest

from ser.errors import InputError

RATINGS = {"anger": (3.0, 1.0), "neutral": (2.0, 2.0), "sadness": (1.0, 1.5)}
HEADS = {"ridge": ["head=ridge_regression", "head.tune=false"], "network": ["head=linear", "trainer.max_epochs=3"]}


@pytest.fixture
def rated(tones, tmp_path):
    """A table of the tones with ratings in place of emotions, written with one change; overrides that name it."""

    def write(change=leave):
        table = pd.read_csv(tones.table)
        for place, name in enumerate(("arousal", "valence")):
            table[name] = [RATINGS[emotion][place] + row % 3 / 10 for row, emotion in enumerate(table["emotion"])]
        table["path"] = [str(tones.folder / path) for path in table["path"]]
        table["clip"] = [f"clip{row}" for row in table.index]
        change(table.drop(columns="emotion")).to_csv(tmp_path / "rated.csv", index=False)
        return ["dataset=csv", f"dataset.path={tmp_path / 'rated.csv'}", "dataset.target=[arousal,valence]"]

    return write


def leave(table):
    """No emotions."""
    return table


def label_alike(table):
    """One emotion for all."""
    return table.assign(emotion="anger")


def label_some(table):
    """Emotions of every second clip."""
    return table.assign(emotion=["anger" if row % 2 else None for row in table.index])


def read(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize(
    ("change", "head"), [(leave, "ridge"), (leave, "network"), (label_alike, "ridge"), (label_some, "network")]
)
def test_ratings_are_predicted_without_emotions(rated, train, head, change):
    outcome, folder = train(*rated(change), *HEADS[head], "split=kfold", "split.folds=3", "data.fraction=0.7")
    assert outcome.state == "finished"
    scores = read(folder, "metrics.json")
    assert {"test/ccc/arousal", "test/ccc/valence", "test/ccc_ci_low"} <= set(scores)
    assert (scores["test/n_clips"], scores["test/n_predictions"], scores["test/n_speakers"]) == (54, 54, 6)
    assert head == "network" or scores["test/ccc/arousal"] > 0.7
    assert len(pd.read_csv(folder / "split.csv")) > 0 and len(pd.read_csv(folder / "speakers.csv")) == 6
    nothing = ["split.stratify: emotion is missing for every clip, so nothing is balanced by it"]
    assert [note for note in read(folder, "notes.json") if "emotion" in note] == nothing * (change is leave)
    assert (
        read(folder, "dataset.json")["emotions"]
        == {leave: {}, label_alike: {"anger": 54}, label_some: {"anger": 27}}[change]
    )


def test_the_split_balances_ratings(rated, train):
    keys = [*rated(), *HEADS["ridge"], "split=holdout", "split.stratify=[arousal]"]
    _, folder = train(*keys)
    assert read(folder, "notes.json") == []
    assert set(pd.read_csv(folder / "split_balance.csv")["column"]) == {"arousal"}


def test_what_needs_emotions_says_so(rated, train, ser):
    keys = rated()
    with pytest.raises(InputError, match=r"(?s)no clip has an emotion.*found .*arousal.*dataset.columns.emotion"):
        train(*keys, "dataset.target=emotion", "head=ridge")
    with pytest.raises(InputError, match=r"dataset.emotions: 'anger' does not occur"):
        train(*keys, "dataset.emotions=[anger]", *HEADS["ridge"])
    with pytest.raises(InputError, match=r"data.oversample=emotion: column 'emotion' is missing for 54 of 54 clips"):
        train(*keys, "data.oversample=emotion", *HEADS["ridge"])
    with pytest.raises(InputError, match=r"emotion is missing in 27 of 54 rows"):
        train(*rated(label_some), "dataset.target=emotion", "head=ridge")
    assert ser("data", "check", *rated()).code == 0
    said = ser("data", "explore", *rated())
    assert said.code == 2 and "no clip has an emotion" in said.err


def test_the_report_shows_runs_on_ratings(rated, ser):
    said = ser("train", "-m", *rated(), "head=linear,ridge_regression", "trainer.max_epochs=2", "split=holdout")
    assert said.code == 0, said.err
    page = (said.folder / "report.html").read_text()
    assert "CCC" in page and "emotions" not in page
