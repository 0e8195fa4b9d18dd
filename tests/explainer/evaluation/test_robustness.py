from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation_tools import make_real, make_real_clip

from ser.explainer.evaluation.nulls import Slope, explain_one
from ser.explainer.evaluation.probe import CellSize, Probe
from ser.explainer.evaluation.robustness import add_noise, compand, dither, perturb, score_robustness
from ser.explainer.null import Energy, Random
from ser.explainer.subject import Subject

WAVE = 0.1 * np.random.default_rng(0).normal(size=16000)
#: Its prediction holds whatever it hears.
DEAF = Subject(("a", "b"), 16000, ask=lambda waves: np.tile([1.0, 0.0], (len(waves), 1)))
KINDS = ("gain_up", "gain_down", "noise", "shift", "dither", "mu_law")


def measure_snr(clean, changed):
    return 10 * np.log10(np.mean(clean**2) / np.mean((changed - clean) ** 2))


def score(subject, explainer, clip=None, explain=None):
    clip = clip or make_real_clip(subject)
    probe = Probe(subject, clip, CellSize().cut(subject, clip))

    def again(model, changed):
        return explain_one(model, explainer, changed, "m")

    return dict(score_robustness(subject, probe, again(subject, clip), explain or again, 0))


def test_perturbations_are_as_small_as_they_say():
    random = np.random.default_rng(1)
    assert measure_snr(WAVE, add_noise(WAVE, 40, random)) == pytest.approx(40, abs=0.1)
    assert measure_snr(WAVE, dither(WAVE, random)) > 60
    assert 30 < measure_snr(WAVE, compand(WAVE)) < 45
    assert np.abs(dither(WAVE, random) * 2**15 % 1).max() == 0


def test_every_kind_is_tried_and_noise_ten_times():
    subject = make_real("mel_cnn_small")
    clip = make_real_clip(subject)
    made = list(perturb(subject, clip, 0))
    assert tuple(dict.fromkeys(kind for kind, _ in made)) == KINDS and len(made) == 15
    assert all(changed.inputs.shape == clip.inputs.shape for _, changed in made)
    level = {kind: np.abs(changed.waveform).mean() / np.abs(clip.waveform).mean() for kind, changed in made}
    assert level["gain_up"] == pytest.approx(10 ** (1 / 20)) and level["gain_down"] == pytest.approx(10 ** (-1 / 20))


def test_a_map_that_follows_the_sound_is_robust_and_moves_with_it():
    found = score(DEAF, Energy())
    assert found["robustness"] > 0.9 and found["equivariance"] > 0.9 and found["max_sensitivity"] < 0.1
    assert {f"robustness/{kind}" for kind in KINDS} <= set(found)


def test_a_map_that_stays_where_it_was_is_not_equivariant():
    clip = make_real_clip(DEAF)
    fixed = explain_one(DEAF, Random(), clip, "m")
    found = score(DEAF, Random(), clip, lambda _, changed: replace(fixed, times=fixed.times + changed.offset))
    assert found["robustness"] == pytest.approx(1) and found["equivariance"] < 0.9


def test_noise_is_not_robust():
    found = score(DEAF, Random())
    assert abs(found["robustness/noise"]) < 0.3 and found["max_sensitivity"] > 1
    assert found["top_overlap/noise"] < 0.5


def test_what_changes_the_prediction_says_nothing_about_the_explainer():
    def ask(waves):
        loud = np.abs(waves).mean(1) > threshold
        return np.stack([np.where(loud, 5.0, -5.0), np.zeros(len(waves))], 1)

    threshold = np.inf
    subject = Subject(("loud", "soft"), 16000, ask=ask)
    clip = make_real_clip(subject)
    threshold = np.abs(clip.waveform).mean() * 0.95  # 1 dB less is soft
    clip = replace(clip, predicted="loud", classes=torch.tensor([0]))
    found = score(subject, Energy(), clip)
    assert found["held/gain_down"] == 0 and "robustness/gain_down" not in found
    assert found["held/gain_up"] == 1 and found["robustness/gain_up"] == pytest.approx(1)


def test_explanations_of_networks_can_be_run_again():
    found = score(make_real("mel_cnn_small"), Slope())
    assert -1 <= found["robustness"] <= 1 and found["held/dither"] == 1
