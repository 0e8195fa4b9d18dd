from functools import partial

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from ser import regression
from ser.backbone.mel_cnn import MelCNN
from ser.backbone.noise import Noise
from ser.config import compose
from ser.errors import InputError
from ser.finetune.full import Full
from ser.head.data import Part, Workspace
from ser.head.losses import CCCLoss
from ser.head.network import NetworkHead
from ser.head.trunk import Trunk
from ser.training.fit import Training

AVD = ("arousal", "valence", "dominance")
UNITS, MIDDLES = np.array([1.5, 0.1, 20.0]), np.array([4.0, 0.5, 50.0])
STOPPING = {"monitor": "val/ccc", "mode": "max", "patience": 50, "min_delta": 0.0}
LOSSES = {"ccc": CCCLoss, "mse": nn.MSELoss}


class Interrupted(Exception):
    """Stands for whatever ends a process."""


class Log:
    """Collects the metrics of each epoch; breaks off in one of them."""

    def __init__(self, interrupt=None):
        self.epochs = {}
        self.interrupt = interrupt

    def __call__(self, metrics, epoch):
        if epoch == self.interrupt:
            raise Interrupted
        self.epochs[epoch] = dict(metrics)


def make_training(**options):
    settings = {
        "optimizer": partial(torch.optim.Adam, lr=0.03),
        "scheduler": None,
        "loss": CCCLoss,
        "seed": 3,
        "max_epochs": 8,
        "batch_size": 24,
        "accelerator": "cpu",
        "deterministic": True,
    }
    return Training(**settings | options)


def fit(folder, train, validation=None, log=None, head=None, trunk=None, **options):
    folder.mkdir(exist_ok=True)
    training = make_training(**options)
    workspace = Workspace(folder, trunk or Trunk(Noise()), training, log or Log())
    return (head or NetworkHead(seed=1)).fit(train, validation, workspace)


def rate(part, noise=0.3, seed=0):
    """The part with ratings on scales of their own, linear in the features."""
    features = part.features.astype(float)
    clean = features @ np.random.default_rng(99).normal(0, 1, (features.shape[1], 3))
    clean = (clean - clean.mean(0)) / clean.std(0)
    ratings = clean + np.random.default_rng(seed).normal(0, noise, clean.shape)
    return Part(part.frame, part.samples, part.features, part.preparation, ratings * UNITS + MIDDLES, AVD)


def score(part, found):
    sums = regression.sum_clips(part.targets, found.predicted)
    return regression.ccc(sums), regression.mae(sums)


@pytest.fixture
def parts(build_part):
    part = rate(build_part(speakers=8, takes=8, noise=4.0))
    return part.take(np.arange(144)), part.take(np.arange(144, 192))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", [[], [16]], ids=["linear", "mlp"])
def test_what_is_easy_is_learnt_on_every_scale(parts, tmp_path, loss, hidden):
    log, head = Log(), NetworkHead(hidden=hidden, seed=1)
    model = fit(tmp_path / "run", *parts, log, head, loss=LOSSES[loss], max_epochs=25, early_stopping=STOPPING)
    found = model.predict(parts[1])
    assert found.dimensions == model.dimensions == AVD and model.emotions == ()
    assert (score(parts[1], found)[0] > 0.85).all()
    assert log.epochs[24]["train/loss"] < log.epochs[0]["train/loss"]


def test_an_epoch_logs_what_can_be_monitored(parts, tmp_path):
    log = Log()
    fit(tmp_path / "run", *parts, log, max_epochs=2, early_stopping=STOPPING)
    each = {f"val/ccc/{name}" for name in AVD}
    assert set(log.epochs[0]) == {"train/loss", "train/lr", "val/loss", "val/ccc", "val/mae", *each}


@pytest.mark.parametrize("loss", LOSSES)
def test_validation_is_scored_as_a_whole_and_the_best_epoch_is_kept(parts, tmp_path, loss):
    log = Log()
    options = {"optimizer": partial(torch.optim.SGD, lr=1.7), "loss": LOSSES[loss], "batch_size": 12}
    model = fit(tmp_path / "run", *parts, log, early_stopping=STOPPING, **options)
    curve = [log.epochs[epoch]["val/ccc"] for epoch in range(8)]
    best = log.epochs[int(np.argmax(curve))]
    assert max(curve) != pytest.approx(curve[-1]), "the last epoch is the best; this test shows nothing"
    ccc, mae = score(parts[1], model.predict(parts[1]))
    assert best["val/ccc"] == pytest.approx(ccc.mean(), abs=1e-5)
    assert best["val/mae"] == pytest.approx(mae.mean(), rel=1e-4)
    assert [best[f"val/ccc/{name}"] for name in AVD] == pytest.approx(list(ccc), abs=1e-5)
    if loss == "ccc":  # on the network's scale, and the same as on that of the ratings
        assert best["val/loss"] == pytest.approx(1 - ccc.mean(), abs=1e-5)


def test_training_stops_when_ccc_gets_no_better(parts, tmp_path):
    train, validation = parts
    still = Part(validation.frame, validation.samples, validation.features * 0, None, validation.targets, AVD)
    log = Log()
    fit(tmp_path / "run", train, still, log, max_epochs=30, early_stopping=STOPPING | {"patience": 2})
    assert len(log.epochs) == 3
    assert all(metrics["val/ccc"] == pytest.approx(0, abs=1e-6) for metrics in log.epochs.values())


@pytest.mark.parametrize("validates", [True, False])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(parts, tmp_path, validates):
    validation, stopping = (parts[1], STOPPING) if validates else (None, None)
    whole_log, second_log = Log(), Log()
    options = {"head": NetworkHead(hidden=[8], dropout=0.3, seed=1), "early_stopping": stopping}
    whole = fit(tmp_path / "whole", parts[0], validation, whole_log, **options)
    with pytest.raises(Interrupted):
        fit(tmp_path / "broken", parts[0], validation, Log(4), **options)
    resumed = fit(tmp_path / "broken", parts[0], validation, second_log, **options)
    assert 0 not in second_log.epochs, "the training began again instead of going on"
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    for epoch, metrics in second_log.epochs.items():
        assert metrics == pytest.approx(whole_log.epochs[epoch], abs=1e-7)


def test_the_target_scale_knows_the_training_part_alone(parts, tmp_path):
    network = fit(tmp_path / "run", *parts, max_epochs=1, early_stopping=STOPPING).network
    np.testing.assert_allclose(network.target_scale.mean, parts[0].targets.mean(0), rtol=1e-5)
    np.testing.assert_allclose(network.target_scale.deviation, parts[0].targets.std(0), rtol=1e-5)
    assert not np.allclose(network.target_scale.mean, parts[1].targets.mean(0), rtol=1e-3)
    targets = torch.from_numpy(parts[0].targets).float()
    encoded = network.target_scale.encode(targets)
    np.testing.assert_allclose(encoded.mean(0), 0, atol=1e-5)
    torch.testing.assert_close(network.target_scale.decode(encoded), targets)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_unit_of_the_ratings_does_not_matter(parts, tmp_path, loss):
    train = parts[0]
    factor, shift = np.array([4.0, 0.25, 2.0]), np.array([1.0, -2.0, 8.0])
    scaled = Part(train.frame, train.samples, train.features, None, train.targets * factor + shift, AVD)
    one, other = (
        fit(tmp_path / name, clips, loss=LOSSES[loss]).predict(train).predicted
        for name, clips in (("a", train), ("b", scaled))
    )
    np.testing.assert_allclose((one * factor + shift) / UNITS, other / UNITS, atol=0.01)


@pytest.mark.parametrize("options", [{}, {"hidden": [7], "dropout": 0.2, "batch_norm": True}], ids=str)
def test_a_saved_model_predicts_the_same(parts, tmp_path, options):
    found = (model := fit(tmp_path / "run", parts[0], head=NetworkHead(**options))).predict(parts[1])
    model.save(tmp_path)
    again = NetworkHead(**options).load(tmp_path, Trunk(Noise()))
    assert again.dimensions == AVD and again.emotions == ()
    np.testing.assert_array_equal(again.predict(parts[1]).predicted, found.predicted)
    turned = again.predict(parts[1].take(np.arange(48)[::-1])).predicted
    np.testing.assert_allclose(turned, found.predicted[::-1], atol=1e-4)


def test_a_backbone_is_trained_on_dimensions(tmp_path, build_frame, write_tone):
    from ser.audio.prepare import Preparation

    paths = [write_tone(tmp_path / f"{n}.wav", 150 + 40 * n, 0.1 + 0.013 * n) for n in range(12)]
    samples = np.array([round(16000 * (0.1 + 0.013 * n)) for n in range(12)])
    ratings = np.column_stack([np.arange(12.0), np.arange(12.0)[::-1] / 12])
    part = Part(build_frame(4, takes=1, paths=paths), samples, None, Preparation(), ratings, AVD[:2])
    trunk = Trunk(MelCNN(rate=16000, mels=16, fft=256, window=240, hop=120, width=2), Full())
    model = fit(tmp_path / "run", part, trunk=trunk, max_epochs=40, batch_size=12)
    found = model.predict(part).predicted
    assert (score(part, model.predict(part))[0] > 0.5).all()
    model.save(tmp_path)
    again = NetworkHead().load(tmp_path, trunk).predict(part).predicted
    np.testing.assert_array_equal(again, found)


def test_a_classifiers_file_holds_no_target_scale(build_part, tmp_path):
    model = fit(tmp_path / "run", build_part(), loss=nn.CrossEntropyLoss, max_epochs=1)
    assert set(model.network.state_dict()) == {"mean", "scale", "layers.1.weight", "layers.1.bias"}


@pytest.mark.parametrize("name", ["linear", "mlp"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_choices_go_together(name, loss, parts, tmp_path):
    config = compose(
        [f"head={name}", f"loss={loss}", "trainer.early_stopping.monitor=val/ccc", "trainer.accelerator=cpu"]
    )
    training = instantiate(
        config.trainer, optimizer=instantiate(config.optimizer), scheduler=None, loss=instantiate(config.loss),
        seed=1, max_epochs=1,
    )  # fmt: skip
    training.check_target(AVD)
    head = instantiate(config.head, class_weight=config.class_weight)
    head.check_target(AVD)
    head.fit(*parts, Workspace(tmp_path, Trunk(Noise()), training, Log()))


@pytest.mark.parametrize(
    ("loss", "dimensions", "remedy"),
    [
        (nn.CrossEntropyLoss, AVD, "loss=ccc or loss=mse"),
        (partial(nn.CrossEntropyLoss, label_smoothing=0.1), AVD, "loss=ccc or loss=mse"),
        (CCCLoss, (), "loss=cross_entropy"),
        (partial(nn.HuberLoss, delta=2.0), (), "loss=cross_entropy"),
    ],
)
def test_a_loss_for_another_target_is_refused(loss, dimensions, remedy):
    with pytest.raises(InputError, match=f"(?s)does not compare (numbers|emotions).*{remedy}"):
        make_training(loss=loss).check_target(dimensions)


def test_a_loss_for_another_target_is_refused_by_fit_as_well(parts, build_part, tmp_path):
    with pytest.raises(InputError, match=r"CrossEntropyLoss: it does not compare numbers"):
        fit(tmp_path / "run", parts[0], loss=nn.CrossEntropyLoss)
    with pytest.raises(InputError, match=r"CCCLoss: it does not compare emotions"):
        fit(tmp_path / "run", build_part())


@pytest.mark.parametrize(
    ("monitor", "mode", "dimensions", "message"),
    [
        ("val/uar", "max", AVD, r"val/loss, val/ccc, val/mae, val/ccc/arousal.*monitor=val/ccc"),
        ("val/ccc/pleasure", "max", AVD, r"monitor=val/ccc"),
        ("val/ccc", "max", (), r"val/loss, val/uar, val/wa.*monitor=val/uar"),
        ("val/mae", "max", AVD, r"would keep the worst epoch by val/mae.*mode=min"),
        ("val/loss", "max", (), r"would keep the worst epoch by val/loss.*mode=min"),
        ("val/uar", "min", (), r"would keep the worst epoch by val/uar.*mode=max"),
    ],
)
def test_a_monitor_that_is_not_measured_or_turned_round_is_refused(monitor, mode, dimensions, message):
    loss = CCCLoss if dimensions else nn.CrossEntropyLoss
    training = make_training(loss=loss, early_stopping=STOPPING | {"monitor": monitor, "mode": mode})
    with pytest.raises(InputError, match=f"(?s){message}"):
        training.check_target(dimensions)


def test_a_monitor_of_one_dimension_and_no_monitor_are_taken():
    make_training(early_stopping=STOPPING | {"monitor": "val/ccc/valence"}).check_target(AVD)
    make_training(early_stopping=None).check_target(AVD)


def test_batches_of_one_clip_cannot_train_on_ccc(parts, tmp_path):
    with pytest.raises(InputError, match=r"trainer.batch_size"):
        fit(tmp_path / "run", parts[0], batch_size=1)
