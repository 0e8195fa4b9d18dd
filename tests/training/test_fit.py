from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from training_tools import Interrupted, Log

from ser.backbone.noise import Noise
from ser.errors import InputError
from ser.head.data import Part, Workspace
from ser.head.network import NetworkHead
from ser.head.trunk import Trunk
from ser.training.fit import Training

STOPPING = {"monitor": "val/uar", "mode": "max", "patience": 2, "min_delta": 0.0}


def make_training(**options):
    settings = {
        "optimizer": partial(torch.optim.AdamW, lr=0.01),
        "scheduler": partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=6),
        "loss": nn.CrossEntropyLoss,
        "seed": 3,
        "max_epochs": 6,
        "batch_size": 8,
        "accelerator": "cpu",
        "deterministic": True,
        "gradient_clip_val": 1.0,
    }
    return Training(**settings | options)


def fit(folder, train, validation=None, log=None, head=None, **options):
    folder.mkdir(exist_ok=True)
    head = head or NetworkHead(hidden=[8], dropout=0.3, batch_norm=True, seed=1)
    return head.fit(train, validation, Workspace(folder, Trunk(Noise()), make_training(**options), log or Log()))


def get_weights(model):
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def assert_equal(one, other):
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=0, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


def test_training_learns_and_logs_every_epoch(parts, tmp_path):
    log = Log()
    fit(tmp_path / "run", *parts, log, early_stopping=STOPPING | {"patience": 50})
    assert sorted(log.epochs) == list(range(6))
    assert set(log.epochs[0]) == {"train/loss", "train/lr", "val/loss", "val/uar", "val/wa"}
    assert log.epochs[5]["train/loss"] < log.epochs[0]["train/loss"]


def test_what_is_easy_is_learnt(build_part, tmp_path):
    part = build_part(noise=0.1)
    model = fit(tmp_path / "run", part, head=NetworkHead(), max_epochs=20, optimizer=partial(torch.optim.Adam, lr=0.1))
    assert (model.predict(part).predicted == part.emotions).all()


def test_the_rate_logged_for_an_epoch_is_the_one_it_was_trained_with(parts, tmp_path):
    log = Log()
    fit(tmp_path / "run", parts[0], None, log)
    rates = [log.epochs[epoch]["train/lr"] for epoch in range(6)]
    np.testing.assert_allclose(rates, [0.01 * (1 + np.cos(np.pi * epoch / 6)) / 2 for epoch in range(6)])


def test_the_same_seed_gives_the_same_weights_and_another_others(parts, tmp_path):
    one, same = (get_weights(fit(tmp_path / name, parts[0], max_epochs=2)) for name in "ab")
    assert_equal(one, same)
    other = get_weights(fit(tmp_path / "c", parts[0], max_epochs=2, seed=4))
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("validates", [True, False])
@pytest.mark.parametrize("epoch", [1, 4])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(parts, tmp_path, validates, epoch):
    train, validation = parts[0], parts[1] if validates else None
    options = {"early_stopping": STOPPING | {"patience": 3} if validates else None}
    whole_log, first_log, second_log = Log(), Log(epoch), Log()
    whole = fit(tmp_path / "whole", train, validation, whole_log, **options)
    with pytest.raises(Interrupted):
        fit(tmp_path / "broken", train, validation, first_log, **options)
    assert sorted(first_log.epochs) == list(range(epoch))
    resumed = fit(tmp_path / "broken", train, validation, second_log, **options)
    assert 0 not in second_log.epochs, "the training began again instead of going on"
    assert_equal(get_weights(whole), get_weights(resumed))
    together = first_log.epochs | second_log.epochs
    assert sorted(together) == sorted(whole_log.epochs)
    for number, metrics in whole_log.epochs.items():
        assert together[number] == pytest.approx(metrics, abs=1e-7), f"epoch {number}"


def test_an_interruption_by_keyboard_is_no_end_of_training(parts, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", parts[0], None, Log(2, KeyboardInterrupt))


def test_training_stops_when_validation_gets_no_better(parts, tmp_path, build_part):
    same = build_part(speakers=3, takes=4)
    constant = Part(same.frame, same.samples, np.zeros_like(same.features), same.preparation)
    log = Log()
    fit(tmp_path / "run", parts[0], constant, log, early_stopping=STOPPING, max_epochs=30, scheduler=None)
    assert sorted(log.epochs) == list(range(3))  # one best epoch and two without progress
    assert all(metrics["val/uar"] == pytest.approx(1 / 3) for metrics in log.epochs.values())


def test_the_best_epoch_on_validation_is_kept(parts, tmp_path):
    log = Log()
    head = NetworkHead(seed=1)
    options = {"optimizer": partial(torch.optim.SGD, lr=3.0), "scheduler": None, "gradient_clip_val": None}
    model = fit(
        tmp_path / "run", *parts, log, head, early_stopping=STOPPING | {"patience": 50}, max_epochs=6, **options
    )
    scores = [log.epochs[epoch]["val/uar"] for epoch in range(6)]
    found = model.predict(parts[1])
    recall = [(found.predicted[parts[1].emotions == e] == e).mean() for e in model.emotions]
    assert np.mean(recall) == pytest.approx(max(scores))
    assert max(scores) != pytest.approx(scores[-1]), "the last epoch is the best; this test shows nothing"


def test_without_validation_the_last_epoch_counts(parts, tmp_path):
    three, long = (fit(tmp_path / name, parts[0], max_epochs=n, scheduler=None) for name, n in (("a", 3), ("b", 6)))
    assert any(not torch.equal(v, get_weights(long)[n]) for n, v in get_weights(three).items())
    resumed = fit(tmp_path / "a", parts[0], max_epochs=6, scheduler=None)
    assert_equal(get_weights(long), get_weights(resumed))


def test_clips_of_emotions_that_training_never_shows_do_not_break_validation(parts, tmp_path):
    train = parts[0].take(np.flatnonzero(parts[0].emotions != "sadness"))
    log = Log()
    model = fit(tmp_path / "run", train, parts[1], log, early_stopping=STOPPING, max_epochs=2)
    assert model.emotions == ("anger", "neutral")
    assert set(model.predict(parts[1]).predicted) <= {"anger", "neutral"}


def test_validation_without_a_single_known_emotion_is_told_or_done_without(parts, tmp_path):
    train = parts[0].take(np.flatnonzero(parts[0].emotions != "sadness"))
    validation = parts[1].take(np.flatnonzero(parts[1].emotions == "sadness"))
    try:
        fit(tmp_path / "run", train, validation, early_stopping=STOPPING, max_epochs=2)
    except InputError as error:
        assert "validation" in str(error)


def test_a_loss_that_is_not_finite_ends_the_training_with_advice(parts, tmp_path):
    with pytest.raises(FloatingPointError, match=r"training loss is nan in epoch 0; lower optimizer.lr"):
        fit(tmp_path / "run", Part(parts[0].frame, parts[0].samples, parts[0].features * np.nan, None))


@pytest.mark.parametrize("options", [{"max_epochs": 0}, {"batch_size": 0}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(InputError, match="must be positive"):
        make_training(**options)


def test_batch_normalisation_survives_a_clip_too_many(parts, tmp_path):
    fit(tmp_path / "run", parts[0].take(np.arange(17)), max_epochs=1, batch_size=16)
