"""Networks trained on the votes of raters."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ser.audio.prepare import Preparation
from ser.backbone.mel_cnn import MelCNN
from ser.backbone.noise import Noise
from ser.errors import InputError
from ser.finetune.full import Full
from ser.head.data import Part, Workspace
from ser.head.losses import SoftCrossEntropy
from ser.head.network import NetworkHead
from ser.head.trunk import Trunk
from ser.training.fit import Training

EMOTIONS = ("anger", "neutral", "sadness")
#: What raters hear in clips of each emotion: one in five who are angry is taken for another.
HEARD = {"anger": (0.8, 0.2, 0.0), "neutral": (0.1, 0.6, 0.3), "sadness": (0.0, 0.3, 0.7)}


def add_votes(part, heard=HEARD):
    votes = np.array([heard[emotion] for emotion in part.emotions])
    rated = {f"rated_{emotion}": votes[:, place] for place, emotion in enumerate(EMOTIONS)}
    return replace(part, frame=part.frame.assign(**rated))


def fit(folder, train, validation=None, head=None, trunk=None, **options):
    folder.mkdir(exist_ok=True)
    settings = {
        "optimizer": partial(torch.optim.Adam, lr=0.03),
        "scheduler": None,
        "loss": SoftCrossEntropy,
        "seed": 3,
        "max_epochs": 60,
        "batch_size": 12,
        "accelerator": "cpu",
        "deterministic": True,
    }
    epochs = []
    workspace = Workspace(
        folder, trunk or Trunk(Noise()), Training(**settings | options), lambda scores, _: epochs.append(scores)
    )
    return (head or NetworkHead(class_weight="none")).fit(train, validation, workspace), epochs


@pytest.fixture
def part(build_part):
    return add_votes(build_part(noise=0.05))


def find_means(model, part):
    chances = model.predict(part).probabilities
    return np.array([chances[part.emotions == emotion].mean(0) for emotion in EMOTIONS])


def test_probabilities_become_what_raters_heard(part, tmp_path):
    soft, _ = fit(tmp_path / "soft", part)
    hard, _ = fit(tmp_path / "hard", part, loss=nn.CrossEntropyLoss)
    np.testing.assert_allclose(find_means(soft, part), list(HEARD.values()), atol=0.05)
    np.testing.assert_allclose(find_means(hard, part), np.eye(3), atol=0.05)


def test_raters_of_one_mind_train_as_labels_do(part, tmp_path):
    sure = add_votes(part, dict(zip(EMOTIONS, 5 * np.eye(3), strict=True)))
    for name in ("none", "balanced"):
        head = NetworkHead(class_weight=name)
        unlike = sure.take(np.arange(1, 30))  # unevenly distributed, so that weights are uneven
        options = {"head": head, "max_epochs": 3}
        soft, _ = fit(tmp_path / f"soft-{name}", unlike, **options)
        hard, _ = fit(tmp_path / f"hard-{name}", unlike, loss=nn.CrossEntropyLoss, **options)
        found, expected = (model.predict(part).probabilities for model in (soft, hard))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_validation_knows_labels_alone(part, build_part, tmp_path):
    stopping = {"monitor": "val/uar", "mode": "max", "patience": 50}
    validation = build_part(seed=1, noise=0.05)
    model, epochs = fit(tmp_path / "run", part, validation, max_epochs=5, early_stopping=stopping)
    votes_of_others = add_votes(validation, dict(zip(EMOTIONS, np.roll(np.eye(3), 1, axis=0), strict=True)))
    _, same = fit(tmp_path / "same", part, votes_of_others, max_epochs=5, early_stopping=stopping)
    assert epochs == same
    best = max(epochs, key=lambda scores: scores["val/uar"])
    found = model.predict(validation)
    place = [found.emotions.index(emotion) for emotion in validation.emotions]
    loss = -np.log(found.probabilities[np.arange(len(validation)), place]).mean()
    assert best["val/loss"] == pytest.approx(loss, rel=1e-4)


def test_mixed_clips_have_mixed_votes(part, tmp_path):
    model, _ = fit(tmp_path / "run", part, mixup=0.2, max_epochs=150)
    np.testing.assert_allclose(find_means(model, part), list(HEARD.values()), atol=0.12)
    assert not np.allclose(find_means(model, part), np.eye(3), atol=0.15)


def test_votes_on_an_emotion_that_training_never_shows_do_not_count(part, tmp_path):
    train = part.take(np.flatnonzero(part.emotions != "sadness"))
    model, _ = fit(tmp_path / "run", train)
    assert model.emotions == ("anger", "neutral")
    chances = model.predict(train).probabilities
    for emotion, shares in (("anger", (0.8, 0.2)), ("neutral", (1 / 7, 6 / 7))):
        np.testing.assert_allclose(chances[train.emotions == emotion].mean(0), shares, atol=0.05)


def test_a_backbone_is_trained_on_votes(tmp_path, build_frame, write_tone):
    paths = [write_tone(tmp_path / f"{n}.wav", (150, 450, 1350)[n % 3], 0.1 + 0.013 * n) for n in range(12)]
    samples = np.array([round(16000 * (0.1 + 0.013 * n)) for n in range(12)])
    part = add_votes(Part(build_frame(4, takes=1, paths=paths), samples, None, Preparation()))
    trunk = Trunk(MelCNN(rate=16000, mels=16, fft=256, window=240, hop=120, width=2), Full())
    model, _ = fit(tmp_path / "run", part, trunk=trunk, max_epochs=80)
    np.testing.assert_allclose(find_means(model, part), list(HEARD.values()), atol=0.15)


def test_whether_votes_are_needed_is_known_before_training(part):
    settings = {"optimizer": None, "scheduler": None, "seed": 0, "max_epochs": 1}
    plain = part.frame.drop(columns="rated_neutral")
    for loss in (SoftCrossEntropy, partial(SoftCrossEntropy)):
        training = Training(loss=loss, **settings)
        training.check_clips(part.frame, EMOTIONS)
        with pytest.raises(InputError, match=r"no column rated_neutral"):
            training.check_clips(plain, EMOTIONS)
        with pytest.raises(InputError, match=r"SoftCrossEntropy: it does not compare numbers"):
            training.check_target(["arousal"])
    Training(loss=partial(nn.CrossEntropyLoss), **settings).check_clips(plain, EMOTIONS)
