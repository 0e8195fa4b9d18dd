"""What tests of trainings share: small parts, and a small training."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from training_tools import Log

from ser.backbone.noise import Noise
from ser.head.data import Workspace
from ser.head.network import NetworkHead
from ser.head.trunk import Trunk
from ser.training.fit import Training


@pytest.fixture
def parts(build_part):
    part = build_part(speakers=6, takes=4, noise=4.0)
    return part.take(np.arange(48)), part.take(np.arange(48, 72))


@pytest.fixture
def fit():
    """Train a small head; returns the model and the log."""

    def train(folder, train, validation=None, log=None, head=None, trunk=None, **options):
        folder.mkdir(exist_ok=True, parents=True)
        settings = {
            "optimizer": partial(torch.optim.Adam, lr=0.01),
            "scheduler": None,
            "loss": nn.CrossEntropyLoss,
            "seed": 3,
            "max_epochs": 4,
            "batch_size": 8,
            "accelerator": "cpu",
            "deterministic": True,
        }
        log = log or Log()
        workspace = Workspace(folder, trunk or Trunk(Noise()), Training(**settings | options), log)
        return (head or NetworkHead(seed=1)).fit(train, validation, workspace), log

    return train
