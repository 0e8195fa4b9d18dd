"""What planted cues cause in a model, against models that hear exactly one of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from ser.audio.prepare import Preparation
from ser.config import compose
from ser.corpus import make_dataset
from ser.explainer.clip import Clip
from ser.explainer.subject import Subject
from ser.explainer.truth import (
    MEASURES,
    fetch_truth,
    find_used,
    is_planted,
    judge_gate,
    measure_truth,
    score_concepts,
    score_effects,
)


def hear_level(waves):
    """Scores [B, 2]: the loudest 50 ms of a waveform in dB speaks for the second class."""
    frames = waves[:, : waves.shape[1] // 800 * 800].reshape(len(waves), -1, 800)
    level = 10 * np.log10((frames**2).mean(2).max(1) + 1e-10)
    return np.stack([np.zeros(len(waves)), level / 10], axis=1)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Clips of the track with a local cue, and the subject that hears the level alone."""
    root = tmp_path_factory.mktemp("planted")
    keys = ["dataset=planted_a2", "dataset.cue=loudness", "dataset.speakers=8", "dataset.utterances_per_speaker=4"]
    frame = make_frame([*keys, f"dataset.root={root}", "dataset.jobs=1"])
    subject = Subject(("anger", "neutral")[::-1], 16000, ask=hear_level)
    return subject, [hear(subject, row) for row in frame.to_dict("records")], frame


def make_frame(keys):
    return make_dataset(compose(keys).dataset).load().frame


def hear(subject, row):
    wave = Preparation().read(row["path"], subject.rate)
    inputs = subject.encode(torch.from_numpy(wave)[None])
    target = torch.tensor([1])
    return Clip(row["clip"], "planted", row["speaker"], row["emotion"], "anger", inputs, target, wave, 0.0, row)


def test_a_model_that_hears_the_cue_is_moved_by_it_and_not_by_the_decoy(spoken):
    subject, clips, frame = spoken
    assert is_planted(frame) and not is_planted(frame.drop(columns="generator_version"))
    truth = measure_truth(subject, clips, Preparation())
    present = frame.set_index("clip")["present"].astype(bool)
    own = truth[truth["player"] == "loudness"].set_index("clip")["value"]
    assert own[present[own.index]].mean() > 0.2
    np.testing.assert_allclose(own[~present[own.index]], 0, atol=0.02)
    decoy = truth[truth["player"] != "loudness"]["value"]
    assert decoy.abs().mean() < 0.3 * own[present[own.index]].mean()


def test_truth_is_measured_once(spoken, tmp_path):
    subject, clips, _ = spoken
    path = tmp_path / "truth.parquet"
    first = fetch_truth(subject, clips[:2], Preparation(), path)
    deaf = Subject(subject.emotions, 16000, ask=lambda waves: np.zeros((len(waves), 2)))
    pd.testing.assert_frame_equal(fetch_truth(deaf, clips[:2], Preparation(), path), first)


def test_relevance_that_grows_with_the_effect_correlates(spoken):
    _, clips, _ = spoken
    truth = pd.DataFrame({"clip": [one.clip for one in clips], "player": "loudness", "kind": "effect"})
    truth["value"] = np.arange(len(clips), dtype=float)
    rows = pd.DataFrame({"clip": truth["clip"], "metric": "excess"})
    scores = pd.concat(
        [rows.assign(method="good", value=truth["value"] ** 2), rows.assign(method="bad", value=-truth["value"])]
    )
    found = score_effects(scores, truth, clips)
    assert found["good"]["causal_rho"] == pytest.approx(1) and found["bad"]["causal_rho"] == pytest.approx(-1)


def test_concepts_that_rank_cues_as_the_model_does_score_one():
    from ser.dataset.planted.lens import LENS_CUES

    draw = np.random.default_rng(0)
    clips = [f"c{number}" for number in range(30)]
    truth, cues = [], []
    for clip in clips:
        for cue, measure in MEASURES.items():
            size = draw.uniform(1, 2) if cue in LENS_CUES else 0.1
            cues.append((clip, measure, 0.5, size))
            if cue in LENS_CUES:
                truth.append((clip, cue, "shapley", -3 * size))
    linked = pd.DataFrame(cues, columns=["clip", "cue", "quantile", "neutral"])
    found = score_concepts(linked, pd.DataFrame(truth, columns=["clip", "player", "kind", "value"]))
    assert found["cue_rank"] == pytest.approx(1) and abs(found["cue_rank_chance"]) < 0.1
    assert found["used_auroc"] == 1
    equal = pd.DataFrame(1.0, index=clips, columns=list(MEASURES.values()))
    assert find_used(equal) == 0.5


def test_the_gate_compares_with_the_ideal_observer():
    tested = pd.DataFrame({"true": list("aabb"), "predicted": list("aaba"), "ideal": list("aabb")})
    assert judge_gate(tested) == {"gate/accuracy": 0.75, "gate/ideal": 1.0, "gate/passed": 0.0}
    assert judge_gate(tested.drop(columns="ideal")) == {}
