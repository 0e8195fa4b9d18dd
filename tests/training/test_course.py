"""The course of a training: optimizers, learning rates, when it stops, precision, accumulated gradients."""

from functools import partial

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR, ReduceLROnPlateau
from training_tools import Interrupted, Log

from ser.chosen import build_training
from ser.commands.list import list_choices, list_groups
from ser.config import compose
from ser.errors import InputError
from ser.head.data import Part
from ser.head.losses import FocalLoss
from ser.head.network import NetworkHead
from ser.training.schedules import WarmupCosine, WarmupLinear

STOPPING = {"monitor": "val/uar", "mode": "max", "patience": 50}
GROUPS = list_groups()


def get_weights(model):
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def assert_equal(one, other, **tolerance):
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], **tolerance or {"atol": 0, "rtol": 0})


def list_rates(fit, folder, part, scheduler, **options):
    """Rate of each optimizer step."""
    rates = []

    def make(groups, lr):
        optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.5)
        optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
        return optimizer

    fit(folder, part, optimizer=partial(make, lr=0.1), scheduler=scheduler, **options)
    return rates


@pytest.mark.parametrize("choice", list_choices(GROUPS["optimizer"]))
def test_every_optimizer_of_the_group_learns(choice, fit, parts, tmp_path):
    training = build_training(compose([f"optimizer={choice}", "optimizer.lr=0.02"]))
    _, log = fit(tmp_path / "run", parts[0], optimizer=training.optimizer)
    losses = log.list("train/loss")
    assert losses[-1] < losses[0]


def test_amsgrad_is_a_choice():
    training = build_training(compose(["optimizer=adam_amsgrad"]))
    assert training.optimizer.func is torch.optim.Adam and training.optimizer.keywords["amsgrad"] is True


@pytest.mark.parametrize("name", ["RMSprop", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adamax"])
def test_any_optimizer_of_torch_fits(name, fit, parts, tmp_path):
    optimizer = instantiate({"_target_": f"torch.optim.{name}", "_partial_": True, "lr": 0.01})
    head = NetworkHead(weight_decay=0.1, lr=0.02)
    _, log = fit(tmp_path / "run", parts[0], optimizer=optimizer, head=head, max_epochs=1)
    assert np.isfinite(log.list("train/loss")).all() and log.list("train/lr") == [0.02]


@pytest.mark.parametrize(("kind", "shape"), [(WarmupLinear, "line"), (WarmupCosine, "cosine")])
def test_rates_rise_and_fall_over_all_steps(kind, shape, fit, parts, tmp_path):
    rates = list_rates(fit, tmp_path / "run", parts[0], partial(kind, warmup=0.25))
    assert len(rates) == 24  # 48 clips in batches of 8, 4 epochs; 6 of them are the warm-up
    np.testing.assert_allclose(rates[:6], 0.1 * np.arange(1, 7) / 7)
    rest = np.arange(18) / 18
    expected = 1 - rest if shape == "line" else (1 + np.cos(np.pi * rest)) / 2
    np.testing.assert_allclose(rates[6:], 0.1 * expected, rtol=1e-6)
    assert min(rates) > 0


def test_steps_are_those_of_the_optimizer_and_not_batches(fit, parts, tmp_path):
    options = {"accumulate_grad_batches": 2, "max_epochs": 2}
    rates = list_rates(fit, tmp_path / "run", parts[0], partial(WarmupLinear, warmup=0), **options)
    np.testing.assert_allclose(rates, 0.1 * (1 - np.arange(6) / 6))


@pytest.mark.parametrize(("warmup", "steps"), [(0, 0), (0.1, 1), (0.5, 5), (3, 3), (9, 9)])
def test_warmup_is_a_share_or_a_number(warmup, steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = WarmupLinear(optimizer, 10, warmup)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert int(np.argmax(rates)) == steps and max(rates) == 1
    with pytest.raises(InputError, match=r"warmup=10: of 10 steps"):
        WarmupCosine(optimizer, 10, 10)


def test_one_cycle_knows_the_steps(fit, parts, tmp_path):
    rates = list_rates(fit, tmp_path / "run", parts[0], partial(OneCycleLR, max_lr=0.3))
    assert len(rates) == 24 and 0 < int(np.argmax(rates)) < 23 and max(rates) == pytest.approx(0.3, rel=0.02)
    own = list_rates(fit, tmp_path / "own", parts[0], partial(OneCycleLR, max_lr=0.3, total_steps=100))
    assert int(np.argmax(own)) == 23, "a number of steps that is given counts"


def test_other_schedulers_step_once_an_epoch(fit, parts, tmp_path):
    rates = list_rates(fit, tmp_path / "run", parts[0], partial(ExponentialLR, gamma=0.5))
    np.testing.assert_allclose(rates, np.repeat(0.1 * 0.5 ** np.arange(4), 6))


def make_plateau(part):
    """Validation clips on which nothing gets better."""
    return Part(part.frame, part.samples, np.zeros_like(part.features), part.preparation)


@pytest.mark.parametrize("monitor", [("val/uar", "max"), ("val/loss", "min")])
def test_rates_fall_where_validation_gets_no_better(monitor, fit, parts, tmp_path):
    scheduler = instantiate(compose(["scheduler=reduce_on_plateau", "scheduler.patience=1"]).scheduler)
    assert scheduler.func is ReduceLROnPlateau and scheduler.keywords["factor"] == 0.4
    stopping = dict(zip(("monitor", "mode"), monitor, strict=True)) | {"patience": 50}
    head = NetworkHead(class_weight="none", scale=False)
    validation = make_plateau(parts[1])
    settings = {"scheduler": scheduler, "early_stopping": stopping, "max_epochs": 7, "gradient_clip_val": 1.0}
    if monitor[0] == "val/loss":
        settings["loss"] = Constant
    _, log = fit(tmp_path / "run", parts[0], validation, head=head, **settings)
    np.testing.assert_allclose(log.list("train/lr"), 0.01 * 0.4 ** np.array([0, 0, 0, 1, 1, 2, 2]))


class Constant(nn.CrossEntropyLoss):
    """A validation loss that never changes."""

    def forward(self, logits, targets):
        return super().forward(logits, targets) * 0 + 1.5


@pytest.mark.parametrize("epoch", [2, 3, 4])
@pytest.mark.parametrize(
    "scheduler",
    [
        partial(ReduceLROnPlateau, factor=0.4, patience=0),
        partial(WarmupLinear, warmup=0.3),
        partial(OneCycleLR, max_lr=0.1),
    ],
    ids=["plateau", "warmup", "one cycle"],
)
def test_a_resumed_training_has_the_rates_of_an_uninterrupted_one(scheduler, epoch, fit, parts, tmp_path):
    train, validation = parts[0], make_plateau(parts[1])
    options = {"scheduler": scheduler, "early_stopping": STOPPING, "max_epochs": 6}
    whole, whole_log = fit(tmp_path / "whole", train, validation, **options)
    first = Log(epoch)
    with pytest.raises(Interrupted):
        fit(tmp_path / "broken", train, validation, first, **options)
    resumed, second = fit(tmp_path / "broken", train, validation, **options)
    together = first.epochs | second.epochs
    assert [together[n]["train/lr"] for n in range(6)] == pytest.approx(whole_log.list("train/lr"))
    assert_equal(get_weights(whole), get_weights(resumed))
    assert len(set(whole_log.list("train/lr"))) > 2


def test_a_scheduler_that_watches_validation_needs_one(fit, parts, tmp_path):
    with pytest.raises(InputError, match=r"nothing is validated"):
        fit(tmp_path / "run", parts[0], scheduler=partial(ReduceLROnPlateau, patience=1))


@pytest.mark.parametrize("mixup", [0.0, 0.3])
@pytest.mark.parametrize("choice", ["auto", "cross_entropy", "label_smoothing", "focal"])
def test_losses_of_emotions_are_learnt_with_class_weights(choice, mixup, fit, parts, tmp_path):
    training = build_training(compose([f"loss={choice}"]))
    training.check_target(())
    with pytest.raises(InputError, match=r"does not compare numbers"):
        training.check_target(["arousal"])
    uneven = parts[0].take(np.arange(5, 40))
    options = {"loss": training.loss, "mixup": mixup, "early_stopping": STOPPING}
    _, log = fit(tmp_path / "run", uneven, parts[1], max_epochs=6, head=NetworkHead(seed=1), **options)
    assert log.list("val/loss")[-1] < log.list("val/loss")[0]


@pytest.mark.parametrize("choice", list_choices(GROUPS["trainer"]))
def test_every_preset_can_be_run(choice, fit, parts, tmp_path):
    config = compose([f"trainer={choice}", "trainer.max_epochs=2"])
    training = build_training(config)
    training.check_target(())
    options = OmegaConf.to_container(config.trainer)
    options.pop("_target_")
    _, log = fit(tmp_path / "run", *parts, **options)
    assert len(log.epochs) == 2


def test_presets_are_the_published_policies():
    def find(choice):
        config = compose([f"trainer={choice}"]).trainer
        stopping = OmegaConf.to_container(config.early_stopping)
        return (*(stopping[name] for name in ("monitor", "mode", "patience", "min_delta")), config.max_epochs)

    assert find("default") == ("val/uar", "max", 10, 0.0, 50)
    assert find("patient_on_accuracy") == ("val/wa", "max", 25, 0.01, 50)
    assert find("five_on_loss") == ("val/loss", "min", 5, 0.025, 50)
    assert find("two_rules_on_loss") == ("val/loss", "min", 4, 0.025, 50)
    assert compose(["trainer=two_rules_on_loss"]).trainer.early_stopping.also == [{"patience": 3, "min_delta": 0.0}]
    assert find("seven_on_accuracy") == ("val/wa", "max", 7, 0.0, 50)
    assert find("best_loss")[:2] == ("val/loss", "min") and find("best_loss")[4] == 10


@pytest.mark.parametrize(
    ("rule", "also", "epochs"),
    [
        ({"patience": 4}, [], 5),
        ({"patience": 4}, [{"patience": 2}], 3),
        ({"patience": 2}, [{"patience": 4}], 3),
        ({"patience": 9, "min_delta": 0.0}, [{"patience": 3, "min_delta": 0.5}], 4),
    ],
)
def test_the_first_rule_that_is_met_stops(rule, also, epochs, fit, parts, tmp_path):
    stopping = STOPPING | rule | {"also": also}
    _, log = fit(tmp_path / "run", parts[0], make_plateau(parts[1]), early_stopping=stopping, max_epochs=30)
    assert len(log.epochs) == epochs


def test_a_training_that_had_stopped_goes_on_with_more_patience_only(fit, parts, tmp_path):
    train, validation = parts[0], make_plateau(parts[1])
    folder, options = tmp_path / "run", {"max_epochs": 30}
    model, log = fit(folder, train, validation, early_stopping=STOPPING | {"patience": 3}, **options)
    assert len(log.epochs) == 4
    again, none = fit(folder, train, validation, early_stopping=STOPPING | {"patience": 3}, **options)
    assert none.epochs == {}
    assert_equal(get_weights(model), get_weights(again))
    _, more = fit(folder, train, validation, early_stopping=STOPPING | {"patience": 6}, **options)
    assert sorted(more.epochs) == [4, 5, 6]
    _, whole = fit(tmp_path / "whole", train, validation, early_stopping=STOPPING | {"patience": 6}, **options)
    assert sorted(whole.epochs) == list(range(7))


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, FocalLoss])
def test_half_precision_trains_nearly_the_same(loss, fit, parts, tmp_path):
    head = NetworkHead(hidden=[8], seed=1)
    settings = {"early_stopping": STOPPING, "loss": loss, "head": head}
    _, full = fit(tmp_path / "full", *parts, **settings)
    _, half = fit(tmp_path / "half", *parts, precision="bf16-mixed", **settings)
    np.testing.assert_allclose(half.list("train/loss"), full.list("train/loss"), rtol=0.05)
    assert half.list("train/loss") != full.list("train/loss"), "it was not half precision"
    assert half.list("val/uar")[-1] == pytest.approx(full.list("val/uar")[-1], abs=0.1)


def test_gradients_of_several_batches_are_those_of_one(fit, build_part, tmp_path):
    part = build_part(speakers=4, takes=4)  # 48 clips
    head = NetworkHead(seed=1, class_weight="none")
    settings = {"optimizer": partial(torch.optim.SGD, lr=0.1), "max_epochs": 2, "head": head}
    one, _ = fit(tmp_path / "one", part, batch_size=48, **settings)
    several, _ = fit(tmp_path / "several", part, batch_size=8, accumulate_grad_batches=6, **settings)
    assert_equal(get_weights(one), get_weights(several), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("most", "kept"), [(None, [5, 10, 15, 20]), (2, [15, 20]), (1, [20])])
def test_weights_of_steps_are_kept(most, kept, fit, parts, tmp_path):
    keep = {"every_n_steps": 5, "max": most}
    head = NetworkHead(seed=1)
    model, _ = fit(tmp_path / "run", parts[0], head=head, keep_checkpoints=keep)
    files = sorted((tmp_path / "run" / "steps").iterdir())
    assert [path.name for path in files] == [f"step-{step:06d}.ckpt" for step in kept]
    model.save(tmp_path / "run")
    last = get_weights(model)
    found = [head.load(tmp_path / "run", _trunk(), f"steps/{path.name}") for path in files]
    assert all(any(not torch.equal(v, last[n]) for n, v in get_weights(each).items()) for each in found)
    whole, _ = fit(tmp_path / "short", parts[0], head=head, max_epochs=3, keep_checkpoints={"every_n_steps": 18})
    (step,) = (tmp_path / "short" / "steps").iterdir()
    assert_equal(get_weights(whole), torch.load(step, weights_only=True))


def _trunk():
    from ser.backbone.noise import Noise
    from ser.head.trunk import Trunk

    return Trunk(Noise())


@pytest.mark.parametrize("most", [None, 2])
def test_weights_of_steps_survive_an_interruption(most, fit, parts, tmp_path):
    settings = {"keep_checkpoints": {"every_n_steps": 4, "max": most}, "head": NetworkHead(dropout=0.3)}
    fit(tmp_path / "whole", parts[0], **settings)
    with pytest.raises(Interrupted):
        fit(tmp_path / "broken", parts[0], None, Log(2), **settings)
    (tmp_path / "broken" / "steps" / "step-000999.ckpt").write_bytes(b"of what was not saved")
    fit(tmp_path / "broken", parts[0], **settings)
    one, other = ({path.name: path for path in (tmp_path / n / "steps").iterdir()} for n in ("whole", "broken"))
    assert one.keys() == other.keys()
    for name, path in one.items():
        assert_equal(*(torch.load(each, weights_only=True) for each in (path, other[name])))


@pytest.mark.parametrize("keep", [{"every_n_steps": 0}, {"every_n_steps": 5, "max": 0}, {"every_n_steps": 1.5}])
def test_impossible_numbers_of_steps_are_refused(keep, fit, parts, tmp_path):
    with pytest.raises(InputError, match=r"keep_checkpoints"):
        fit(tmp_path / "run", parts[0], keep_checkpoints=keep)
