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
    UNHEARD,
    estimate_effects,
    fetch_truth,
    is_planted,
    judge_gate,
    list_unheard,
    measure_truth,
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
    changes, truth = (truth[truth["kind"] == kind] for kind in ("change", "effect"))
    heard = changes[changes["player"] == "loudness"].set_index("clip")["value"]
    assert (heard[present[heard.index]] > 0.1).all() and heard[~present[heard.index]].isna().all()
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
    truth["value"] = np.random.default_rng(0).permutation(len(clips)).astype(float)
    rows = pd.DataFrame({"clip": truth["clip"], "metric": "excess", "dataset": "planted"})
    rows["speaker"] = [one.speaker for one in clips]
    values = {"good": truth["value"] ** 2, "bad": -truth["value"], "best": truth["value"]}
    values["random"] = np.random.default_rng(1).standard_normal(len(clips))
    scores = pd.concat([rows.assign(method=name, value=value) for name, value in values.items()])
    found = estimate_effects(scores, truth, clips, draws=200)
    assert found["good"]["causal_rho"] == pytest.approx([1, 1, 1])
    assert found["bad"]["causal_rho"] == pytest.approx([-1, -1, -1])
    value, low, high = found["random"]["causal_rho"]
    assert low < 0 < high and low < value < high and abs(value) < 0.5
    assert "best" not in found  # the oracle is a map of the span and knows nothing of effects


def test_a_cue_that_preparation_takes_away_is_unheard_and_others_are_not(tmp_path):
    from hydra.utils import instantiate

    keys = ["dataset=planted_a1", "dataset.cue=loudness", "dataset.speakers=4", "dataset.utterances_per_speaker=4"]
    frame = make_frame([*keys, f"dataset.root={tmp_path}", "dataset.jobs=1"]).iloc[::4]
    subject = Subject(("neutral", "anger"), 16000, ask=hear_level)
    clips = [hear(subject, row) for row in frame.to_dict("records")]
    level = instantiate(compose(["audio=lufs23"]).audio)
    assert list_unheard(measure_truth(subject, clips, Preparation())) == []
    truth = measure_truth(subject, clips, level)
    assert list_unheard(truth) == ["loudness"]
    changes = truth[truth["kind"] == "change"].groupby("player")["value"].max()
    assert changes["loudness"] < UNHEARD / 10 and changes.drop("loudness").min() > 10 * UNHEARD


def test_the_gate_compares_with_the_ideal_observer():
    tested = pd.DataFrame({"true": list("aabb"), "predicted": list("aaba"), "ideal": list("aabb")})
    assert judge_gate(tested) == {"gate/accuracy": 0.75, "gate/ideal": 1.0, "gate/passed": 0.0}
    assert judge_gate(tested.drop(columns="ideal")) == {}
