"""Heads that are networks: a linear layer or a multilayer perceptron, alone on functionals or on top of a backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.head.data import Part, Predictions, Workspace
from ser.head.pooling import MeanPooling
from ser.results import read_json, write_json
from ser.training.batches import make_loader

WEIGHTS, SHAPE = "model.pt", "model.json"


class EmotionNetwork(nn.Module):
    """Inputs to logits.

    Args:
        backbone: waveforms to frames; ``None`` where the inputs are functionals.
        pooling: frames to one vector; unused with functionals.
        size: length of the vector that the layers see.
        layers: from that vector to logits.
    """

    def __init__(self, backbone: nn.Module | None, pooling: nn.Module, size: int, layers: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.layers = layers

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which the network reads clips; without a backbone it reads none."""
        return int(getattr(self.backbone, "rate", 0))

    def standardise(self, features: np.ndarray) -> None:
        """Take mean and standard deviation [D] from training features [N, D]; constant features are only centred."""
        exact = features.astype(np.float64)
        mean, deviation = exact.mean(axis=0), exact.std(axis=0)
        varies = deviation > 1e-8 * np.maximum(1, np.abs(mean))
        self.mean = torch.as_tensor(mean, dtype=torch.float32)
        self.scale = torch.as_tensor(np.where(varies, deviation, 1), dtype=torch.float32)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, K] of waveforms [B, T] with lengths [B] in samples, or of functionals [B, D]."""
        vectors = inputs if self.backbone is None else self.pooling(*self.backbone(inputs, lengths))
        return self.layers((vectors - self.mean) / self.scale)


class NetworkHead:
    """A classifier trained by epochs, together with the backbone where that is trained.

    Args:
        hidden: sizes of the hidden layers; none makes it linear.
        dropout: share of units left out before each layer, in training.
        batch_norm: normalise each hidden layer.
        pooling: frames to one vector.
        scale: z-score functionals on the training part.
        class_weight: ``none`` or ``balanced`` (weights from training counts, in the loss).
        seed: of initialisation, dropout and batch order.
    """

    uses_trainer = True

    def __init__(
        self,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        batch_norm: bool = False,
        pooling: nn.Module | None = None,
        scale: bool = True,
        class_weight: str = "balanced",
        seed: int = 0,
    ) -> None:
        self.hidden = tuple(hidden)
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.pooling = pooling or MeanPooling()
        self.scale = scale
        self.class_weight = class_weight
        self.seed = seed

    def check(self, backbone: Any) -> None:
        """Networks take functionals and frames alike."""

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> FittedNetwork:
        """Train; with a validation part its best epoch is kept, else the last."""
        assert workspace.training is not None
        torch.manual_seed(self.seed)
        emotions = tuple(sorted(set(train.emotions)))
        width = 0 if train.features is None else train.features.shape[1]
        network = self.build(len(emotions), width, workspace.make_backbone)
        if train.features is not None and self.scale:
            network.standardise(train.features)
        weights = balance_classes(train.emotions, emotions) if self.class_weight == "balanced" else None
        workspace.training.fit(network, emotions, weights, train, validation, workspace)
        return FittedNetwork(network, emotions, width, workspace.training.batch_size)

    def build(self, classes: int, width: int, make_backbone: Callable[[], Any]) -> EmotionNetwork:
        """A network with fresh weights; ``width`` is the number of functionals, 0 for a backbone that is trained."""
        backbone: Any = None if width else make_backbone()
        size = width or int(self.pooling.find_size(backbone.dim))  # type: ignore[operator]
        layers: list[nn.Module] = []
        before = size
        for units in self.hidden:
            layers += [nn.Dropout(self.dropout), nn.Linear(before, units)]
            layers += [nn.BatchNorm1d(units)] if self.batch_norm else []
            layers.append(nn.ReLU())
            before = units
        layers += [nn.Dropout(self.dropout), nn.Linear(before, classes)]
        return EmotionNetwork(backbone, deepcopy(self.pooling), size, nn.Sequential(*layers))

    def load(self, folder: Path, make_backbone: Callable[[], Any]) -> FittedNetwork:
        """The model that :meth:`FittedNetwork.save` wrote.

        Raises:
            InputError: there is none.
        """
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"{folder / WEIGHTS}: no such model", expected="a run directory with its checkpoints")
        shape = read_json(folder / SHAPE)
        network = self.build(len(shape["emotions"]), shape["width"], make_backbone)
        network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
        return FittedNetwork(network, tuple(shape["emotions"]), shape["width"], shape["batch_size"])


class FittedNetwork:
    """A trained network with the names of its emotions."""

    def __init__(self, network: EmotionNetwork, emotions: tuple[str, ...], width: int, batch_size: int) -> None:
        self.network = network.eval()
        self.emotions = emotions
        self.width = width
        self.batch_size = batch_size

    @torch.inference_mode()
    def predict(self, part: Part) -> Predictions:
        """Predictions for all clips of a part, in order."""
        device = next(self.network.parameters()).device
        loader = make_loader(part, self.emotions, self.network.rate, self.batch_size)
        assert loader.batch_sampler is not None
        logits = torch.zeros(len(part), len(self.emotions), dtype=torch.float64)
        for rows, batch in zip(loader.batch_sampler, loader, strict=True):
            logits[rows] = self.network(batch.inputs.to(device), batch.lengths.to(device)).double().cpu()
        probabilities = logits.softmax(-1).numpy()
        predicted = np.array(self.emotions)[probabilities.argmax(1)]
        return Predictions(self.emotions, predicted, probabilities)

    def save(self, folder: Path) -> None:
        """Write weights and shape as :meth:`NetworkHead.load` reads them."""
        torch.save(self.network.state_dict(), folder / WEIGHTS)
        shape = {"emotions": list(self.emotions), "width": self.width, "batch_size": self.batch_size}
        write_json(folder / SHAPE, shape)


def balance_classes(labels: np.ndarray, emotions: Sequence[str]) -> Tensor:
    """Weight of each emotion, inverse to its training count and 1 on average over clips [K]."""
    counts = np.array([(labels == emotion).sum() for emotion in emotions])
    return torch.as_tensor(len(labels) / (len(emotions) * counts), dtype=torch.float32)
