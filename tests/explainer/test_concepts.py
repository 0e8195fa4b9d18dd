"""Cues that explanations name: reports that are right, wrong, blind, and what cannot be scored."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from ser.dataset.planted.lens import LENS_CUES
from ser.explainer.concepts import MEASURES, SHORTCUT_MEASURES, find_used, judge_named, score_concepts, sign_contrasts

CLASSES, SPEAKERS = 3, 5


def make_clips(count=60):
    return [
        SimpleNamespace(
            clip=f"c{number}",
            dataset="planted",
            speaker=f"s{number % SPEAKERS}",
            true="anger",
            predicted="anger",
            classes=torch.tensor([number % CLASSES]),
        )
        for number in range(count)
    ]


def make_truth(clips, values, kind="shapley"):
    """Rows of model truth from values by player [clips]."""
    parts = [
        pd.DataFrame({"clip": [clip.clip for clip in clips], "player": player, "kind": kind, "value": own})
        for player, own in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


def make_cues(clips, contrasts):
    """What the cue linker would say: a contrast by measure [clips]."""
    parts = [
        pd.DataFrame({"clip": [clip.clip for clip in clips], "cue": measure, "quantile": 0.5, "neutral": own})
        for measure, own in contrasts.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def lens():
    """Clips of a lens: how far each cue is from neutral, and what that is worth for the class of the clip."""
    clips, rng = make_clips(), np.random.default_rng(0)
    weights = rng.choice([-1, 1], (CLASSES, len(LENS_CUES))) * rng.uniform(0.5, 2, (CLASSES, len(LENS_CUES)))
    kinds = np.arange(len(clips)) % CLASSES
    z = rng.standard_normal((len(clips), len(LENS_CUES))) * 1.2 + np.sign(weights)[kinds]
    contrasts = {MEASURES[cue]: z[:, place] for place, cue in enumerate(LENS_CUES)}
    contrasts |= {measure: 0.1 * z[:, 0] for cue, measure in MEASURES.items() if cue not in LENS_CUES}
    shapley = {cue: z[:, place] * weights[kinds, place] for place, cue in enumerate(LENS_CUES)}
    return clips, contrasts, shapley


def average(rows, method="lrp"):
    return rows[rows["method"] == method].groupby("metric")["value"].mean()


def test_a_report_that_goes_with_the_truth_scores_high_and_its_opposite_low(lens):
    clips, contrasts, shapley = lens
    found = judge_named(make_cues(clips, contrasts), make_truth(clips, shapley), clips, "lrp", draws=200)
    means = average(found.scores[0])
    assert means["cue_rank"] > 0.5 and abs(means["cue_rank_chance"]) < 0.05
    assert means["cue_sign"] == pytest.approx(1, abs=0.02) and 0.4 < means["cue_sign_chance"] < 0.95
    assert means["cue_mae"] < 0.6 * means["cue_mae_chance"]
    assert average(found.scores[0], "best").to_dict() == {"cue_mae": 0, "cue_rank": 1, "cue_sign": 1}
    assert found.whole["lrp"]["used_auroc"] == [1, 1, 1]
    turned = {cue: -values for cue, values in shapley.items()}
    assert (
        average(score_concepts(make_cues(clips, contrasts), make_truth(clips, turned), clips, "lrp"))["cue_sign"] < 0.02
    )


def test_a_report_of_noise_is_at_chance(lens):
    clips, contrasts, shapley = lens
    rng = np.random.default_rng(7)
    blind = {measure: rng.standard_normal(len(clips)) for measure in contrasts}
    means = average(score_concepts(make_cues(clips, blind), make_truth(clips, shapley), clips, "lrp"))
    for metric in ("cue_rank", "cue_sign", "cue_mae"):
        assert means[metric] == pytest.approx(means[f"{metric}_chance"], abs=0.12), metric


def test_rows_are_of_the_clips_that_could_be_measured(lens):
    clips, contrasts, shapley = lens
    gaps = {measure: np.where(np.arange(len(clips)) % 4 == 0, np.nan, own) for measure, own in contrasts.items()}
    gaps[MEASURES["tilt"]][1] = np.nan
    rows = score_concepts(make_cues(clips, gaps), make_truth(clips, shapley), clips, "lrp")
    assert set(rows.loc[rows["metric"] == "cue_rank", "clip"]) == {f"c{n}" for n in range(60) if n % 4 and n != 1}
    windows = pd.DataFrame({"clip": ["c0"], "cue": "loudness", "iou": 0.3})  # a linker without contrasts
    assert not len(score_concepts(windows, make_truth(clips, shapley), clips, "lrp"))


@pytest.mark.parametrize("shortcut", SHORTCUT_MEASURES)
def test_a_shortcut_is_found_where_it_is_named_first(lens, shortcut):
    clips, contrasts, shapley = lens
    carried = np.arange(len(clips)) < 20
    total = np.sum([np.abs(values) for values in shapley.values()], axis=0)
    truth = make_truth(clips, shapley | {shortcut: np.where(carried, 2 * total, 0.1 * total)})
    for size, hit in ((9.0, 1), (0.0, 0)):
        own = contrasts | {SHORTCUT_MEASURES[shortcut]: np.full(len(clips), size)}
        rows = score_concepts(make_cues(clips, own), truth, clips, "lrp")
        hits = rows[(rows["metric"] == "shortcut_hit") & (rows["method"] == "lrp")]
        assert set(hits["clip"]) == {f"c{number}" for number in range(20)} and (hits["value"] == hit).all()
        assert average(rows)["shortcut_hit_chance"] == pytest.approx(1 / 6, abs=0.05)
    speaker = make_truth(clips, shapley | {"speaker": 2 * total})  # nothing stands for it
    assert "shortcut_hit" not in average(score_concepts(make_cues(clips, contrasts), speaker, clips, "lrp"))


def test_reliance_on_a_cue_that_is_not_heard_is_the_share_that_is_reported_of_it(lens):
    clips, contrasts, _ = lens
    changes = {"loudness": np.full(len(clips), 1e-6), "breath": np.full(len(clips), 0.4)}
    truth = make_truth(clips, changes, "change")
    other = dict.fromkeys(MEASURES.values(), np.full(len(clips), 0.1))
    for size, share in ((0.0, 0), (1.1, 0.5)):
        rows = score_concepts(make_cues(clips, other | {"loudness": np.full(len(clips), size)}), truth, clips, "lrp")
        means = average(rows)
        assert means["reliance"] == means["reliance/loudness"] == pytest.approx(share)
        assert means["reliance_chance"] == pytest.approx(1 / 12) and "reliance/breath" not in means
        assert average(rows, "best")["reliance"] == 0
    heard = make_truth(clips, {cue: values + 0.1 for cue, values in changes.items()}, "change")
    assert not len(score_concepts(make_cues(clips, contrasts), heard, clips, "lrp"))


def test_the_way_of_a_cue_is_that_of_the_other_clips_of_the_class():
    sizes = pd.DataFrame({"loudness": [1.0, 2.0, -3.0, 4.0, np.nan, 5.0]}, index=list("abcdef"))
    signed = sign_contrasts(sizes, [0, 0, 0, 1, 1, 2])["loudness"]
    assert signed[["a", "b", "c"]].tolist() == [-1, -2, -3]
    assert signed[["d", "e", "f"]].isna().all()  # nothing known of the others


def test_cues_that_act_are_told_from_those_that_only_vary():
    acts = np.array([True, True, False, False])
    assert find_used(np.array([[3.0, np.nan, 1, 0], [2.0, 2, 1, 0]]), acts) == 1
    assert find_used(np.ones((4, 4)), acts) == 0.5
