"""Clips that are heard and read, small: their emotion is whether the tone and the word agree."""

from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn

from ser.audio.prepare import Preparation
from ser.backbone.fusion import Fusion
from ser.backbone.glove import GloVe
from ser.backbone.sequences import Sequences
from ser.finetune.frozen import Frozen
from ser.fusion.concat import Concat
from ser.fusion.cross_attention import CrossAttention
from ser.fusion.gated import Gated
from ser.fusion.late import Late
from ser.head.data import Part, Workspace
from ser.head.fused_trunk import fuse
from ser.head.network import NetworkHead
from ser.head.pair import PairedFeatures
from ser.training.fit import Training

MEAN = {"statistics": ["mean"], "network": None, "mix": "after"}
RULES = {
    "concat": Concat(),
    "gated": Gated(units=16),
    "cross_attention": CrossAttention(size=16, heads=2),
    "late": Late(),
}


def make_trunk(rule, **options):
    return fuse(Fusion(Sequences(), GloVe("nowhere"), **options), rule, Frozen(), MEAN)


def pile(arrays):
    found = np.empty(len(arrays), dtype=object)
    found[:] = arrays
    return found


def make_part(count=96, seed=0, noise=0.3):
    """Frames of so many clips of different lengths, 3 numbers heard and 2 said in each."""
    draw = np.random.default_rng(seed)
    tone, word = draw.choice([-1.0, 1.0], (2, count))
    audio = [
        (value * np.array([1, 0.5, 0]) + noise * draw.normal(size=(draw.integers(2, 9), 3))).astype(np.float32)
        for value in tone
    ]
    text = [
        (value * np.array([0, 1]) + noise * draw.normal(size=(draw.integers(1, 5), 2))).astype(np.float32)
        for value in word
    ]
    frame = pd.DataFrame({"clip": [f"c{number:03d}" for number in range(count)], "path": "none.wav"})
    frame = frame.assign(start=np.nan, end=np.nan, text="", emotion=np.where(tone == word, "anger", "neutral"))
    samples = np.array([160 * len(each) for each in audio])
    return Part(frame, samples, PairedFeatures(pile(audio), pile(text)), Preparation())


def fit(folder, rule, train, validation=None, head=None, epochs=40, **options):
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "optimizer": partial(torch.optim.Adam, lr=0.02),
        "scheduler": None,
        "loss": nn.CrossEntropyLoss,
        "seed": 3,
        "max_epochs": epochs,
        "batch_size": 32,
        "accelerator": "cpu",
        "deterministic": True,
    }
    workspace = Workspace(folder, make_trunk(rule), Training(**settings | options), lambda metrics, epoch: None)
    head = head or NetworkHead(hidden=[16], seed=1)
    return head.fit(train, validation, workspace), workspace.trunk, head
