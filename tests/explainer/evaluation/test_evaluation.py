import numpy as np
import pandas as pd
import pytest
from evaluation_tools import make_clip, make_clips, make_evaluation, make_exact, make_map, make_subject
from hydra.utils import instantiate

from ser.config import compose
from ser.errors import InputError
from ser.explainer.evaluation import Evaluation, summarise
from ser.explainer.evaluation.metrics import BEST, NULLS
from ser.explainer.evaluation.reference import COLUMNS, Reference
from ser.explainer.evaluation.settings import choose_spread

SUBJECT = make_subject()
CLIPS = make_clips(SUBJECT)
FAITHFUL = make_evaluation(suites=("faithfulness", "sanity"))
REFERENCE = FAITHFUL.prepare(SUBJECT, CLIPS)


def explain(subject, clip):
    return make_exact(subject, clip)


def find(scores, method, metric):
    return scores[(scores["method"] == method) & (scores["metric"] == metric)]["value"]


def test_nulls_and_oracle_are_scored_on_every_clip():
    scores = REFERENCE.scores
    assert tuple(scores.columns) == COLUMNS
    for method in (*NULLS, BEST):
        assert len(find(scores, method, "insertion_deletion")) == len(CLIPS)
        assert len(REFERENCE.maps[method]) == len(CLIPS)
    assert len(find(scores, "energy", "random_weights")) == 2  # clips that are explained again
    assert not scores.duplicated(["clip", "method", "metric"]).any() and np.isfinite(scores["value"]).all()


def test_an_exact_map_is_as_good_as_the_oracle_and_noise_is_not():
    noise = np.random.default_rng(0).normal
    maps = [make_exact(SUBJECT, clip) for clip in CLIPS]
    maps += [make_map(SUBJECT, clip, noise(size=(8, 40)), "noise") for clip in CLIPS]
    maps += [make_exact(SUBJECT, clip, "turned", -1) for clip in CLIPS]
    scores = FAITHFUL.score(SUBJECT, CLIPS, maps, None, REFERENCE)
    table = summarise(scores, REFERENCE.scores, draws=200)
    table = table[(table["subset"] == "all") & (table["metric"] == "insertion_deletion")].set_index("method")
    assert table.loc["exact", "skill"] == pytest.approx(1, abs=0.02)
    assert abs(table.loc["noise", "skill"]) < 0.5 and table.loc["turned", "skill"] < -0.5
    assert table.loc["random", "skill"] == 0 and table.loc[BEST, "skill"] == 1


def test_the_order_of_clips_and_the_unit_of_maps_do_not_matter():
    maps = [make_exact(SUBJECT, clip, factor=3) for clip in CLIPS]
    plain = FAITHFUL.score(SUBJECT, CLIPS, [make_exact(SUBJECT, clip) for clip in CLIPS], None, REFERENCE)
    other = FAITHFUL.score(SUBJECT, CLIPS[::-1], maps, None, FAITHFUL.prepare(SUBJECT, CLIPS[::-1]))
    index = ["clip", "metric"]
    first, second = (frame.set_index(index)["value"].sort_index() for frame in (plain, other))
    pd.testing.assert_series_equal(first, second, rtol=1e-4, atol=1e-5)


def test_maps_that_must_not_be_used_are_counted_and_not_scored():
    broken = make_map(SUBJECT, CLIPS[0], np.full((8, 40), np.nan), reasons=("values that are not finite",))
    scores = FAITHFUL.score(SUBJECT, CLIPS[:1], [broken], explain, REFERENCE)
    assert find(scores, "exact", "valid").tolist() == [0.0]
    assert set(scores["metric"]) == {"valid", "seconds", "forwards", "backwards"}


def test_costs_are_part_of_the_scores():
    scores = FAITHFUL.score(SUBJECT, CLIPS[:1], [make_exact(SUBJECT, CLIPS[0])], None, REFERENCE)
    assert find(scores, "exact", "forwards").item() == 2 and find(scores, "exact", "seconds").item() == 0.5
    assert 0 < find(scores, "exact", "scoring_forwards").item() <= 2 * 11


def test_rows_say_whose_clip_it_is_and_whether_it_was_recognised():
    scores = FAITHFUL.score(SUBJECT, CLIPS, [make_exact(SUBJECT, clip) for clip in CLIPS], None, REFERENCE)
    rows = scores.drop_duplicates("clip").set_index("clip")
    assert rows["correct"].to_dict() == {"clip0": True, "clip1": True, "clip2": False, "clip3": False}
    assert rows["speaker"].tolist() == ["s0", "s1", "s0", "s1"] and set(rows["dataset"]) == {"toys"}


def test_a_reference_survives_on_disk(tmp_path):
    REFERENCE.save(tmp_path / "reference.npz")
    found = Reference.load(tmp_path / "reference.npz")
    pd.testing.assert_frame_equal(found.scores, REFERENCE.scores)
    assert found.forwards == REFERENCE.forwards and list(tmp_path.iterdir()) == [tmp_path / "reference.npz"]
    for clip, known in REFERENCE.known.items():
        again = found.known[clip]
        assert (again.whole, again.empty) == (known.whole, known.empty)
        assert np.array_equal(again.keep, known.keep) and np.array_equal(again.best, known.best)
        assert all(np.array_equal(again.margins[fill], values) for fill, values in known.margins.items())
    assert all(
        np.array_equal(found.maps[method][clip], values)
        for method, maps in REFERENCE.maps.items()
        for clip, values in maps.items()
    )


def test_a_clip_without_a_reference_is_refused():
    other = make_clip(SUBJECT, "other")
    with pytest.raises(InputError, match="clip other"):
        FAITHFUL.score(SUBJECT, [other], [make_exact(SUBJECT, other)], None, REFERENCE)


def test_clips_to_be_explained_again_are_spread_over_speakers_and_emotions():
    cells = [(speaker, true) for speaker in "abc" for true in ("anger", "fear", "joy") for _ in range(3)]
    clips = [make_clip(SUBJECT, f"{n}", speaker, 0, true) for n, (speaker, true) in enumerate(cells)]
    chosen = [(clip.speaker, clip.true) for clip in choose_spread(clips, 3)]
    assert chosen == [("a", "anger"), ("b", "fear"), ("c", "joy")]
    assert len(choose_spread(clips, 100)) == len(clips)


def test_robustness_and_sanity_explain_some_clips_again():
    asked = []

    def again(subject, clip):
        asked.append(clip.clip)
        return make_exact(subject, clip)

    evaluation = make_evaluation(suites=("robustness", "sanity"), again=1)
    reference = evaluation.prepare(SUBJECT, CLIPS)
    scores = evaluation.score(SUBJECT, CLIPS, [make_exact(SUBJECT, clip) for clip in CLIPS], again, reference)
    assert set(asked) == {"clip0"}
    assert len(find(scores, "exact", "random_weights")) == 1 and find(scores, "exact", "held/noise").item() <= 1
    assert "insertion_deletion" not in set(scores["metric"])


def test_spans_in_the_manifest_are_scored_and_the_truth_is_best():
    evaluation = make_evaluation(suites=("localisation",))
    row = {"span_start": 0.1, "span_end": 0.2, "decoy_start": 0.3, "decoy_end": 0.35}
    clips = [
        make_clip(SUBJECT, "a", row=row),
        make_clip(SUBJECT, "b", true="sadness", row=row),
        make_clip(SUBJECT, "c"),
    ]
    reference = evaluation.prepare(SUBJECT, clips)
    values = np.zeros((8, 40))
    values[:, 10:20] = 1
    scores = evaluation.score(SUBJECT, clips, [make_map(SUBJECT, clip, values) for clip in clips], None, reference)
    placed = scores[scores["metric"] == "loc_auroc"]
    assert placed["clip"].tolist() == ["a"] and placed["value"].item() > 0.95  # the class of the cue is explained
    assert find(reference.scores, BEST, "loc_auroc").tolist() == [1.0]
    assert find(reference.scores, BEST, "decoy").tolist() == [0.0]
    assert 0.1 < find(reference.scores, "random", "loc_auroc").item() < 0.9


def test_two_explainers_cannot_be_asked_again_at_once():
    maps = [make_exact(SUBJECT, CLIPS[0]), make_exact(SUBJECT, CLIPS[0], "other")]
    with pytest.raises(ValueError, match="one explainer at a time"):
        FAITHFUL.score(SUBJECT, CLIPS[:1], maps, explain, REFERENCE)


@pytest.mark.parametrize(
    "changes", [{"suites": ("faith",)}, {"fills": ("zeros",)}, {"steps": 0}, {"again": 0}, {"smallest_drop": 0.0}]
)
def test_settings_that_mean_nothing_are_refused(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        Evaluation(**changes)


@pytest.mark.parametrize("choice", ["default", "fast", "planted"])
def test_choices_compose(choice):
    evaluation = instantiate(compose([f"explain_eval={choice}"], "explain").explain_eval)
    assert isinstance(evaluation, Evaluation) and "faithfulness" in evaluation.suites


def test_the_choice_none_is_empty():
    assert not instantiate(compose(["explain_eval=none"], "explain").explain_eval)
