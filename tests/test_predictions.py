import numpy as np
import pandas as pd
import pytest

from ser.head.data import Part, Predictions, Values
from ser.predictions import complete_predictions, tabulate_predictions

DESIGNED = [
    "run_id",
    "key",
    "evaluation",
    "dataset",
    "clip",
    "speaker",
    "gender",
    "sentence",
    "fold",
    "true",
    "predicted",
]
EMOTIONS = ["anger", "neutral", "sadness"]


def tabulate(part, known=("anger", "neutral", "sadness"), fold="03", extra=()):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(len(known)), len(part))
    predicted = np.array(known)[probabilities.argmax(1)]
    found = Predictions(tuple(known), predicted, probabilities)
    return found, tabulate_predictions(part, found, EMOTIONS, "mine", fold, extra)


def test_columns_and_their_order(build_part):
    part = build_part(speakers=2, takes=1)
    _, table = tabulate(part)
    whole = complete_predictions([table], "run1", "key1", "test")
    assert whole.columns.tolist() == [*DESIGNED, "p_anger", "p_neutral", "p_sadness"]
    row = whole.iloc[1]
    assert (row["run_id"], row["key"], row["evaluation"], row["dataset"], row["fold"]) == (
        "run1",
        "key1",
        "test",
        "mine",
        "03",
    )
    assert (row["clip"], row["speaker"], row["gender"], row["true"]) == ("00-neutral-0", "00", "female", "neutral")


def test_rows_keep_their_own_values_whatever_the_index(build_part):
    part = build_part(speakers=3, takes=2).take(np.array([17, 0, 8]))
    found, table = tabulate(part)
    assert table["clip"].tolist() == ["02-sadness-1", "00-anger-0", "01-neutral-0"]
    assert table["true"].tolist() == ["sadness", "anger", "neutral"]
    np.testing.assert_array_equal(table["predicted"], found.predicted)
    np.testing.assert_array_equal(table[["p_anger", "p_neutral", "p_sadness"]], found.probabilities)


def test_an_emotion_that_the_folds_model_does_not_know_is_null(build_part, tmp_path):
    part = build_part(speakers=2, takes=1)
    one, other = tabulate(part, ("anger", "sadness"), "a")[1], tabulate(part, EMOTIONS, "b")[1]
    whole = complete_predictions([one, other], "run1", "key1", "test")
    whole.to_parquet(tmp_path / "predictions.parquet")
    read = pd.read_parquet(tmp_path / "predictions.parquet")
    assert read.loc[read["fold"] == "a", "p_neutral"].isna().all()
    assert read.loc[read["fold"] == "b", "p_neutral"].notna().all()
    sums = read[["p_anger", "p_neutral", "p_sadness"]].sum(axis=1)
    np.testing.assert_allclose(sums, 1)


def test_further_columns_come_last_and_once(build_part):
    part = build_part(speakers=2, takes=1)
    _, table = tabulate(part, extra=["take", "gender", "speaker", "take"])
    whole = complete_predictions([table], "run1", "key1", "test")
    assert whole.columns.tolist() == [*DESIGNED, "p_anger", "p_neutral", "p_sadness", "take"]


@pytest.mark.parametrize("gender", [None, "female"])
def test_types_do_not_depend_on_what_is_missing(build_part, tmp_path, gender):
    part = build_part(speakers=2, takes=1)
    part = type(part)(part.frame.assign(gender=gender, sentence=None), part.samples, part.features, part.preparation)
    whole = complete_predictions([tabulate(part)[1]], "run1", "key1", "test")
    whole.to_parquet(tmp_path / "predictions.parquet")
    read = pd.read_parquet(tmp_path / "predictions.parquet")
    assert {str(read[column].dtype) for column in DESIGNED[2:]} <= {"string", "str", "object"}
    assert read["sentence"].isna().all() and read["gender"].isna().all() == (gender is None)
    assert {str(read[f"p_{emotion}"].dtype) for emotion in EMOTIONS} == {"float64"}


def tabulate_rated(part, fold="03", extra=()):
    rng = np.random.default_rng(0)
    dimensions = ("valence", "arousal")
    ratings = rng.normal(size=(len(part), 2))
    rated = Part(part.frame, part.samples, part.features, part.preparation, ratings, dimensions)
    found = Values(dimensions, rng.normal(size=(len(part), 2)).astype(np.float32))
    return rated, found, tabulate_predictions(rated, found, EMOTIONS, "mine", fold, extra)


def test_dimensions_have_true_and_predicted_columns_of_their_own(build_part, tmp_path):
    part = build_part(speakers=3, takes=2).take(np.array([17, 0, 8]))
    rated, found, table = tabulate_rated(part, extra=["take"])
    whole = complete_predictions([table], "run1", "key1", "test")
    columns = ["true_valence", "true_arousal", "pred_valence", "pred_arousal"]
    assert whole.columns.tolist() == [*DESIGNED[:-2], *columns, "take"]
    assert whole["clip"].tolist() == ["02-sadness-1", "00-anger-0", "01-neutral-0"]
    np.testing.assert_array_equal(whole[columns[:2]], rated.targets)
    np.testing.assert_array_equal(whole[columns[2:]], found.predicted)
    whole.to_parquet(tmp_path / "predictions.parquet")
    read = pd.read_parquet(tmp_path / "predictions.parquet")
    assert {str(read[column].dtype) for column in columns} == {"float64"}


def test_clips_of_several_corpora_keep_their_names(build_part):
    part = build_part(speakers=2, takes=1)
    names = np.array(["one", "two"] * 3)
    rated, found, _ = tabulate_rated(part)
    assert tabulate_predictions(rated, found, EMOTIONS, names, "a")["dataset"].tolist() == names.tolist()
