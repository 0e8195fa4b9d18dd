"""What a training of a backbone leaves: what was trained alone, which is enough to build the model again."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ser.audio.prepare import Preparation
from ser.chosen import build_trunk
from ser.config import compose
from ser.head.data import Part, Workspace
from ser.head.network import NetworkHead
from ser.training.fit import Training

STOPPING = {"monitor": "val/loss", "mode": "min", "patience": 50}


class Interrupted(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory, build_frame, write_tone):
    folder = tmp_path_factory.mktemp("clips")
    seconds = [0.1 + 0.01 * index for index in range(12)]
    paths = [write_tone(folder / f"{n}.wav", 150 * (1 + n % 3), seconds[n]) for n in range(12)]
    return Part(
        build_frame(4, takes=1, paths=paths), np.array([round(16000 * s) for s in seconds]), None, Preparation()
    )


def make_trunk(*overrides):
    return build_trunk(compose(list(overrides)))


def fit(folder, clips, trunk, log=None, validation=None, **options):
    folder.mkdir(exist_ok=True)
    settings = {
        "optimizer": partial(torch.optim.AdamW, lr=0.003),
        "scheduler": None,
        "loss": nn.CrossEntropyLoss,
        "seed": 3,
        "max_epochs": 2,
        "batch_size": 6,
        "accelerator": "cpu",
        "deterministic": True,
    }
    workspace = Workspace(folder, trunk, Training(**settings | options), log or (lambda *_: None))
    return NetworkHead(seed=1).fit(clips, validation, workspace)


def count(network, chosen):
    return sum(w.numel() for name, w in network.named_parameters() if (name in network.untrained) != chosen)


def assert_same(one, other, atol=1e-6):
    np.testing.assert_array_equal(one.predicted, other.predicted)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=atol)


POLICIES = ["full", "last_k", "bitfit", "lora", "head_then_full"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backbone", ["tiny_wav2vec2", "tiny_wavlm", "tiny_whisper", "tiny_byol"])
def test_what_is_kept_is_what_was_trained_and_is_enough(backbone, policy, clips, tmp_path):
    extra = {
        "head_then_full": ["finetune.epochs=1"],
        "lora": ["finetune.rank=2"] + (["finetune.targets=['0','3']"] if backbone == "tiny_byol" else []),
    }.get(policy, [])
    trunk = make_trunk(f"backbone={backbone}", f"finetune={policy}", *extra)
    model = fit(tmp_path, clips, trunk, validation=clips, early_stopping=STOPPING)
    model.save(tmp_path)
    network = model.network
    trained, total = count(network, True), count(network, True) + count(network, False)
    assert network.count_parameters() == {"total": total, "trainable": trained}
    assert 0 < trained < total, "the front end is never trained"
    buffers = sum(value.numel() for value in network.buffers())
    kept = torch.load(tmp_path / "model.pt", weights_only=True)
    assert not network.untrained & set(kept)
    assert sum(value.numel() for value in kept.values()) <= trained + buffers
    slack = 60_000  # names and other records of a file
    assert (tmp_path / "model.pt").stat().st_size < 4 * (trained + buffers) + slack
    for name in ("best", "last"):  # with two moments of Adam
        assert (tmp_path / f"{name}.ckpt").stat().st_size < 4 * (3 * trained + buffers) + 2 * slack
        state = torch.load(tmp_path / f"{name}.ckpt", weights_only=True)["state_dict"]
        assert not {f"network.{weight}" for weight in network.untrained} & set(state)
    if policy in ("lora", "bitfit"):
        below = [name for name in kept if name.startswith("backbone.") and name in dict(network.named_parameters())]
        assert below and all("lora_" in name or name.endswith("bias") for name in below)
    found = model.predict(clips)
    torch.manual_seed(77)
    again = NetworkHead().load(tmp_path, make_trunk(f"backbone={backbone}", f"finetune={policy}", *extra))
    assert_same(again.predict(clips), found)
    start = trunk.backbone.build().state_dict()
    changed = [
        name
        for name, value in model.network.backbone.state_dict().items()
        if name in start and not torch.equal(value, start[name])
    ]
    assert changed or policy == "lora"


def test_adapters_of_a_large_network_are_a_small_file(clips, tmp_path):
    larger = [f"backbone.config.{key}" for key in ("hidden_size=128", "intermediate_size=512", "num_hidden_layers=4")]
    trunk = make_trunk("backbone=tiny_hubert", "finetune=lora", "finetune.rank=1", *larger)
    model = fit(tmp_path, clips, trunk, max_epochs=1)
    model.save(tmp_path)
    whole = 4 * sum(weight.numel() for weight in model.network.parameters())
    assert whole > 3_000_000
    assert (tmp_path / "model.pt").stat().st_size < whole / 50
    assert (tmp_path / "last.ckpt").stat().st_size < whole / 20


class Log:
    """Notes whether the backbone was open in each epoch; breaks off in one of them."""

    def __init__(self, interrupt=None):
        self.interrupt = interrupt
        self.opened = {}

    def watch(self, network, epoch):
        self.opened[epoch] = any(weight.requires_grad for weight in network.parameters())

    def __call__(self, metrics, epoch):
        if epoch == self.interrupt:
            raise Interrupted


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_the_backbone_opens_in_its_epoch_in_a_resumed_training_too(epoch, clips, tmp_path, monkeypatch):
    from ser.finetune.partial import HeadThenFull

    log, inner = Log(epoch), HeadThenFull.begin_epoch

    def begin_epoch(self, network, number):
        inner(self, network, number)
        log.watch(network, number)

    monkeypatch.setattr(HeadThenFull, "begin_epoch", begin_epoch)
    trunk = make_trunk("backbone=tiny_wav2vec2", "finetune=head_then_full", "finetune.epochs=2")
    whole = fit(tmp_path / "whole", clips, trunk, max_epochs=4)
    assert log.opened == {0: False, 1: False, 2: True, 3: True}
    with pytest.raises(Interrupted):
        fit(tmp_path / "broken", clips, trunk, log, max_epochs=4)
    log.interrupt, log.opened = None, {}
    resumed = fit(tmp_path / "broken", clips, trunk, log, max_epochs=4)
    assert log.opened == {number: number >= 2 for number in range(epoch, 4)}
    state = resumed.network.state_dict()
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(value, state[name], atol=0, rtol=0, msg=name)


def test_the_head_alone_leaves_the_backbone_as_it_was(clips, tmp_path):
    trunk = make_trunk("backbone=tiny_byol", "finetune=head_then_full", "finetune.epochs=2")
    model = fit(tmp_path, clips, trunk, max_epochs=2)
    start = trunk.backbone.build().state_dict()
    for name, value in model.network.backbone.state_dict().items():
        torch.testing.assert_close(value, start[name], atol=0, rtol=0, msg=name)


@pytest.mark.parametrize(
    "backbone", ["tiny_wav2vec2", "tiny_hubert", "tiny_wavlm", "tiny_data2vec", "tiny_whisper", "tiny_byol"]
)
def test_half_precision_trains_backbones(backbone, clips, tmp_path):
    losses = []
    log = lambda metrics, _: losses.append(metrics["train/loss"])  # noqa: E731
    model = fit(
        tmp_path, clips, make_trunk(f"backbone={backbone}", "finetune=full"), log, precision="bf16-mixed", max_epochs=1
    )
    assert np.isfinite(losses).all()
    assert all(torch.isfinite(weight).all() and weight.dtype == torch.float32 for weight in model.network.parameters())
    assert np.isfinite(model.predict(clips).probabilities).all()
