import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from ser import metrics

EMOTIONS = ["anger", "fear", "neutral", "sadness"]
labels = st.lists(st.tuples(st.sampled_from(EMOTIONS), st.sampled_from(EMOTIONS)), min_size=1, max_size=60)


def make_predictions(pairs, speakers=3):
    true, predicted = zip(*pairs, strict=True)
    speaker = [f"s{index % speakers}" for index in range(len(true))]
    gender = ["female" if name == "s0" else "male" for name in speaker]
    return pd.DataFrame({"true": true, "predicted": predicted, "speaker": speaker, "gender": gender})


# Three angry clips, one taken for fear; two afraid, both taken for anger; one neutral, recognised.
PAIRS = [
    ("anger", "anger"),
    ("anger", "anger"),
    ("anger", "fear"),
    ("fear", "anger"),
    ("fear", "anger"),
    ("neutral", "neutral"),
]


def test_rows_of_a_confusion_matrix_are_true():
    counts = metrics.count_confusions(*zip(*PAIRS, strict=True), ["anger", "fear", "neutral"])
    assert counts.tolist() == [[2, 1, 0], [2, 0, 0], [0, 0, 1]]
    table = metrics.tabulate_confusion(make_predictions(PAIRS))
    assert table.index.name == "true" and table.columns.name == "predicted"
    assert table.loc["anger", "fear"] == 1 and table.loc["fear", "anger"] == 2 and table.loc["fear", "fear"] == 0


def test_scores_of_a_case_done_by_hand():
    counts = metrics.count_confusions(*zip(*PAIRS, strict=True), ["anger", "fear", "neutral"])
    np.testing.assert_allclose(metrics.recalls(counts), [2 / 3, 0, 1])
    assert metrics.uar(counts) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert metrics.wa(counts) == pytest.approx(3 / 6)
    assert metrics.f1_macro(counts) == pytest.approx((4 / 7 + 0 + 1) / 3)


@given(pairs=labels)
@settings(max_examples=60, deadline=None)
def test_scores_are_scikit_learns(pairs):
    true, predicted = zip(*pairs, strict=True)
    counts = metrics.count_confusions(true, predicted, EMOTIONS)
    np.testing.assert_array_equal(counts, sklearn_metrics.confusion_matrix(true, predicted, labels=EMOTIONS))
    present = sorted(set(true))
    recall = sklearn_metrics.recall_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert metrics.uar(counts) == pytest.approx(recall)
    assert metrics.wa(counts) == pytest.approx(sklearn_metrics.accuracy_score(true, predicted))
    named = sorted({*true, *predicted})
    f1 = sklearn_metrics.f1_score(true, predicted, labels=named, average="macro", zero_division=0)
    assert metrics.f1_macro(counts) == pytest.approx(f1)


def test_an_absent_class_has_no_recall_and_does_not_count():
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 4]])
    np.testing.assert_array_equal(np.isnan(metrics.recalls(counts)), [False, True, False])
    assert metrics.uar(counts) == pytest.approx((0.75 + 1) / 2)


def test_no_clips_have_no_scores():
    assert all(np.isnan(function(np.zeros((2, 2), int))) for function in (metrics.uar, metrics.wa, metrics.f1_macro))


@given(pairs=labels)
@settings(max_examples=20, deadline=None)
def test_scores_of_many_matrices_are_those_of_each(pairs):
    frame = make_predictions(pairs)
    counts = metrics.count_by_group(frame["true"], frame["predicted"], frame["speaker"], EMOTIONS)
    for function in (metrics.uar, metrics.wa, metrics.f1_macro):
        np.testing.assert_allclose(function(counts), [function(matrix) for matrix in counts])
    for name, matrix in zip(sorted(set(frame["speaker"])), counts, strict=True):
        own = frame[frame["speaker"] == name]
        np.testing.assert_array_equal(matrix, metrics.count_confusions(own["true"], own["predicted"], EMOTIONS))


def make_speakers(seed=0, speakers=10, clips=30):
    """Predictions whose accuracy differs from speaker to speaker."""
    rng = np.random.default_rng(seed)
    rows = []
    for speaker in range(speakers):
        accuracy = rng.uniform(0.3, 0.95)
        for clip in range(clips):
            true = EMOTIONS[clip % 4]
            rows.append((true, true if rng.random() < accuracy else rng.choice(EMOTIONS), f"s{speaker}"))
    return pd.DataFrame(rows, columns=["true", "predicted", "speaker"])


def test_the_interval_is_that_of_resampling_speakers_one_by_one():
    frame = make_speakers()
    scores = metrics.score(frame, "test", by=())
    rng, values = np.random.default_rng(1), {"uar": [], "wa": []}
    clips = dict(list(frame.groupby("speaker")))
    for _ in range(600):
        drawn = pd.concat([clips[speaker] for speaker in rng.choice(list(clips), len(clips))])
        recall = (drawn["true"] == drawn["predicted"]).groupby(drawn["true"]).mean()
        values["uar"].append(recall.mean())
        values["wa"].append((drawn["true"] == drawn["predicted"]).mean())
    for name, drawn in values.items():
        low, high = np.quantile(drawn, [0.025, 0.975])
        tolerance = 4 * np.std(drawn) / np.sqrt(600) / 0.35  # Monte Carlo error of an extreme quantile, generously
        assert scores[f"test/{name}_ci_low"] == pytest.approx(low, abs=tolerance)
        assert scores[f"test/{name}_ci_high"] == pytest.approx(high, abs=tolerance)
        assert scores[f"test/{name}_ci_low"] < scores[f"test/{name}"] < scores[f"test/{name}_ci_high"]


def test_the_interval_depends_on_speakers_not_on_clips():
    frame = make_speakers()
    doubled = pd.concat([frame, frame])
    one, two = (metrics.score(table, "test", by=()) for table in (frame, doubled))
    for name in ("uar", "uar_ci_low", "uar_ci_high"):
        assert two[f"test/{name}"] == pytest.approx(one[f"test/{name}"])


def test_resampling_keeps_the_number_of_groups():
    counts = np.ones((7, 2, 2), int)
    assert (metrics.resample_groups(counts, 50).sum((1, 2)) == 28).all()


def test_one_speaker_gives_no_interval():
    scores = metrics.score(make_predictions(PAIRS, speakers=1), "test")
    assert all(np.isnan(scores[f"test/{name}_ci_{side}"]) for name in ("uar", "wa") for side in ("low", "high"))
    assert scores["test/uar"] == pytest.approx(5 / 9) and scores["test/n_speakers"] == 1


def test_names_and_values_of_all_scores():
    scores = metrics.score(make_predictions(PAIRS), "val")
    assert set(scores) == {
        "val/uar", "val/uar_ci_low", "val/uar_ci_high", "val/wa", "val/wa_ci_low", "val/wa_ci_high", "val/f1_macro",
        "val/recall/anger", "val/recall/fear", "val/recall/neutral", "val/n_clips", "val/n_speakers",
        "val/gender/female/uar", "val/gender/female/wa", "val/gender/female/n_clips",
        "val/gender/male/uar", "val/gender/male/wa", "val/gender/male/n_clips",
    }  # fmt: skip
    assert all(type(value) is float for value in scores.values())
    assert scores["val/n_clips"] == 6 and scores["val/recall/anger"] == pytest.approx(2 / 3)
    # s0, the only woman, has clips 0 and 3: one of two right, and an anger that is fear
    assert scores["val/gender/female/uar"] == 0.5 and scores["val/gender/female/n_clips"] == 2


def test_a_class_that_is_only_ever_predicted_has_no_recall():
    scores = metrics.score(make_predictions([("anger", "anger"), ("anger", "fear"), ("anger", "anger")]), "test", by=())
    assert "test/recall/anger" in scores and "test/recall/fear" not in scores
    assert scores["test/uar"] == pytest.approx(2 / 3)


def test_levels_of_any_column():
    frame = make_predictions(PAIRS).assign(session=["one", "one", None, "two", "two", "one"])
    table = metrics.score_levels(frame, "session")
    assert table.index.tolist() == ["one", "two"] and table.index.name == "session"
    assert table.loc["one"].to_dict() == {"uar": 1.0, "wa": 1.0, "n_clips": 3}
    assert table.loc["two", "uar"] == 0.0


def test_numbers_as_levels_and_a_column_without_any():
    frame = make_predictions(PAIRS).assign(age=[30.0, 31, 30, 31, 30, 31], nothing=None)
    assert len(metrics.score_levels(frame, "age")) == 2
    assert len(metrics.score_levels(frame, "nothing")) == 0
    metrics.score(frame, "test", by=["nothing"])
