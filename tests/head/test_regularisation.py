"""The published grid of regularisation (dropout, batch normalisation, L2, ECAPA; all together) is one sweep."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from ser.audio.prepare import Preparation
from ser.chosen import build_training, build_trunk
from ser.config import compose
from ser.head.data import Part, Workspace
from ser.head.emotion_network import Shape

GRID = {
    "pooling": ["mean", "ecapa"],
    "head.dropout": ["0.2", "0.5", "0.8"],
    "head.batch_norm": ["false", "true"],
    "head.weight_decay": ["null", "0.01"],
}
BASE = ["backbone=tiny_wav2vec2", "finetune=full", "head=linear", "head.relu=true", "optimizer=adamw"]
CELLS = [
    [f"{name}={value}" for name, value in zip(GRID, cell, strict=True)] for cell in itertools.product(*GRID.values())
]


def build(cell):
    config = compose([*BASE, *cell])
    head = instantiate(config.head, class_weight=config.class_weight)
    trunk = build_trunk(config)
    return config, head, trunk, head.build(4, Shape("audio", ()), trunk)


@pytest.mark.parametrize("cell", CELLS, ids=" ".join)
def test_each_cell_is_the_network_that_it_names(cell):
    config, head, trunk, network = build(cell)
    dropouts = [layer.p for layer in network.layers if isinstance(layer, nn.Dropout)]
    assert dropouts == [config.head.dropout]
    norms = [layer for layer in network.layers if isinstance(layer, nn.BatchNorm1d)]
    assert len(norms) == int(config.head.batch_norm)
    assert isinstance(network.layers[0], nn.ReLU) and isinstance(network.layers[-1], nn.Linear)
    assert (type(network.reader.pooling).__name__ == "EcapaPooling") == ("pooling=ecapa" in cell)
    *below, own = head.group_parameters(network, trunk.policy, 0.1)
    assert ("weight_decay" in own) == (config.head.weight_decay is not None)
    assert all("weight_decay" not in group for group in below)
    optimizer = build_training(config).build_optimizer(partial(head.group_parameters, network, trunk.policy))
    penalties = [group["weight_decay"] for group in optimizer.param_groups]
    assert penalties == [*[0.01] * len(below), config.head.weight_decay or 0.01]  # AdamW's own is 0.01
    inside = {id(weight) for weight in optimizer.param_groups[-1]["params"]}
    assert inside == {id(w) for name, w in network.named_parameters() if not name.startswith("backbone.")}


def test_the_penalty_is_on_the_head_alone(tmp_path, build_frame, write_tone):
    """With all else still, it shrinks the head's weights and no other."""
    _, head, trunk, network = build(["pooling=mean", "head.weight_decay=0.5"])
    groups = partial(head.group_parameters, network, trunk.policy)
    optimizer = partial(torch.optim.SGD, lr=0.1)(groups(0.1))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    optimizer.step()
    for name, weight in network.named_parameters():
        factor = 1.0 if name.startswith("backbone.") else 1 - 0.1 * 0.5
        torch.testing.assert_close(weight.detach(), factor * before[name])


def test_all_together_train(tmp_path, build_frame, write_tone):
    paths = [write_tone(tmp_path / f"{n}.wav", 150 * (1 + n % 3), 0.1 + 0.01 * n) for n in range(12)]
    samples = np.array([round(16000 * (0.1 + 0.01 * n)) for n in range(12)])
    clips = Part(build_frame(4, takes=1, paths=paths), samples, None, Preparation())
    config, head, trunk, _ = build(["pooling=ecapa", "pooling.network.channels=8", *CELLS[-1][1:]])
    config.trainer.max_epochs, config.trainer.early_stopping, config.trainer.batch_size = 2, None, 6
    losses = []
    workspace = Workspace(
        tmp_path, trunk, build_training(config), lambda scores, _: losses.append(scores["train/loss"])
    )
    model = head.fit(clips, None, workspace)
    assert len(losses) == 2 and np.isfinite(losses).all()
    assert np.isfinite(model.predict(clips).probabilities).all()
