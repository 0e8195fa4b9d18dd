"""The lens: weights, balanced draws, the ideal observer, and the true attribution."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import softmax

from ser.dataset.planted.clip import SENTENCES
from ser.dataset.planted.lens import (
    LENS_CUES,
    LENS_EMOTIONS,
    LENS_UNITS,
    attribute_cues,
    draw_cues,
    estimate_prior,
    infer_emotions,
    score_emotions,
    weigh_cues,
)
from ser.dataset.planted.lens_plan import LensPlan


def test_largest_weight_of_each_cue_is_the_strength():
    np.testing.assert_allclose(np.abs(weigh_cues(3.0)).max(axis=0), 3.0)
    np.testing.assert_allclose(weigh_cues(3.0)[LENS_EMOTIONS.index("neutral")], 0.0)


@pytest.mark.parametrize("strength", [1.5, 4.0])
def test_balanced_draws_follow_the_lens(strength):
    draws = 350
    z, y = [], []
    for number, emotion in enumerate(LENS_EMOTIONS):
        for k in range(draws):
            drawn, doses = draw_cues(emotion, (3, number, k), strength)
            assert doses["loudness"] == drawn["loudness"] * LENS_UNITS["loudness"]
            z.append([drawn[cue] for cue in LENS_CUES])
            y.append(number)
    posterior = infer_emotions(z, strength)
    # Calibrated: in every bin of the posterior, emotions occur as often as it says.
    hits = np.eye(len(LENS_EMOTIONS))[y]
    edges = np.linspace(0, 1, 6)
    for low, high in pairwise(edges):
        inside = (posterior >= low) & (posterior <= high)
        error = np.sqrt(posterior[inside].var() + 0.25) / np.sqrt(inside.sum())
        assert abs(hits[inside].mean() - posterior[inside].mean()) < 4 * error
    # And unbiased: weighting the draws by the prior restores standard normal cues.
    weights = estimate_prior(strength)[y]
    assert np.abs(np.average(z, axis=0, weights=weights)).max() < 0.2
    assert np.abs(np.average(np.square(z), axis=0, weights=weights) - 1).max() < 0.25


def test_prior_agrees_with_simulation():
    z = np.random.default_rng(0).standard_normal((200_000, len(LENS_CUES)))
    np.testing.assert_allclose(estimate_prior(4.0), softmax(score_emotions(z, 4.0), axis=1).mean(axis=0), atol=4e-3)


def test_ideal_observer_reaches_the_documented_accuracy():
    z = np.clip(np.random.default_rng(1).standard_normal((100_000, len(LENS_CUES))), -3, 3)
    chances, winner = softmax(score_emotions(z), axis=1), infer_emotions(z).argmax(axis=1)
    recalls = [chances[winner == e, e].sum() / chances[:, e].sum() for e in range(len(LENS_EMOTIONS))]
    assert np.mean(recalls) == pytest.approx(0.877, abs=0.01)


def test_attribution_is_the_shapley_value_of_the_logits():
    rng = np.random.default_rng(2)
    z, background = rng.standard_normal((7, len(LENS_CUES))), rng.standard_normal(len(LENS_CUES))
    truth = attribute_cues(z, background=background)
    np.testing.assert_allclose(truth.sum(axis=2), score_emotions(z) - score_emotions(background[None]))
    np.testing.assert_allclose(attribute_cues(z)[:, :, 2], weigh_cues()[None, :, 2] * z[:, None, 2])


def test_each_speaker_says_each_sentence_in_each_emotion():
    for speaker in range(3):
        said = [LensPlan(3, 60, 4, 8.0).deal(speaker, utterance) for utterance in range(6 * SENTENCES)]
        assert len(set(said)) == len(said) == 6 * SENTENCES
        for block in range(SENTENCES):
            emotions, sentences = zip(*said[6 * block : 6 * block + 6], strict=True)
            assert set(emotions) == set(range(len(LENS_EMOTIONS)))
            assert len(set(sentences)) == 1


def test_a_larger_plan_starts_with_the_same_clips():
    small, large = LensPlan(2, 6, 7, 8.0).make(1, 5), LensPlan(30, 60, 7, 8.0).make(1, 5)
    np.testing.assert_array_equal(small.wave, large.wave)
    assert small.row == large.row
