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
from ser.head.data import Part, Predictions, Values, Workspace, find_spread
from ser.head.pooling import MeanPooling
from ser.results import read_json, write_json
from ser.training.batches import make_loader

WEIGHTS, SHAPE = "model.pt", "model.json"


class TargetScale(nn.Module):
    """Ratings [N, D] to the scale that a network predicts, mean 0 and deviation 1 in training, and back.

    Without it, a dimension rated from 1 to 7 would outweigh one rated from 0 to 1 in a squared error, and outputs would
    start far from the ratings. CCC is the same on both scales, because true and predicted values change alike.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def learn(self, targets: np.ndarray) -> None:
        """Take the scale from training ratings [N, D]."""
        mean, deviation = find_spread(targets)
        self.mean = torch.as_tensor(mean, dtype=torch.float32)
        self.deviation = torch.as_tensor(deviation, dtype=torch.float32)

    def encode(self, ratings: Tensor) -> Tensor:
        """To the network's scale."""
        return (ratings - self.mean) / self.deviation

    def decode(self, outputs: Tensor) -> Tensor:
        """To the unit of the ratings."""
        return outputs * self.deviation + self.mean


class EmotionNetwork(nn.Module):
    """Inputs to logits, or to standardised dimensions.

    Args:
        backbone: waveforms to frames; ``None`` where the inputs are functionals.
        pooling: frames to one vector; unused with functionals.
        size: length of the vector that the layers see.
        layers: from that vector to logits.
        target_scale: of dimensions; ``None`` with logits.
    """

    def __init__(
        self,
        backbone: nn.Module | None,
        pooling: nn.Module,
        size: int,
        layers: nn.Module,
        target_scale: TargetScale | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.layers = layers
        self.target_scale = target_scale

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which the network reads clips; without a backbone it reads none."""
        return int(getattr(self.backbone, "rate", 0))

    def standardise(self, features: np.ndarray) -> None:
        """Take mean and standard deviation [D] from training features [N, D]; constant features are only centred."""
        mean, scale = find_spread(features)
        self.mean = torch.as_tensor(mean, dtype=torch.float32)
        self.scale = torch.as_tensor(scale, dtype=torch.float32)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs [B, K] of waveforms [B, T] with lengths [B] in samples, or of functionals [B, D]."""
        vectors = inputs if self.backbone is None else self.pooling(*self.backbone(inputs, lengths))
        return self.layers((vectors - self.mean) / self.scale)


class NetworkHead:
    """A classifier, or a regressor where the part has targets, trained by epochs with the backbone if that is trained.

    Args:
        hidden: sizes of the hidden layers; none makes it linear.
        dropout: share of units left out before each layer, in training.
        batch_norm: normalise each hidden layer.
        pooling: frames to one vector.
        scale: z-score functionals on the training part.
        class_weight: ``none`` or ``balanced`` (weights from training counts, in the loss); dimensions have no classes.
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

    def check_target(self, dimensions: Sequence[str]) -> None:
        """Networks predict emotions and dimensions alike; :meth:`ser.training.fit.Training.check_target` has a say."""

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> FittedNetwork | FittedDimensions:
        """Train; with a validation part its best epoch is kept, else the last."""
        assert workspace.training is not None
        torch.manual_seed(self.seed)
        training, dimensions = workspace.training, train.dimensions
        emotions = () if dimensions else tuple(sorted(set(train.emotions)))
        width = 0 if train.features is None else train.features.shape[1]
        scale = TargetScale(len(dimensions)) if dimensions else None
        network = self.build(len(dimensions or emotions), width, workspace.make_backbone, scale)
        if train.features is not None and self.scale:
            network.standardise(train.features)
        if scale is not None:
            assert train.targets is not None
            scale.learn(train.targets)
            training.fit(network, (), None, train, validation, workspace)
            return FittedDimensions(network, dimensions, width, training.batch_size)
        weights = balance_classes(train.emotions, emotions) if self.class_weight == "balanced" else None
        training.fit(network, emotions, weights, train, validation, workspace)
        return FittedNetwork(network, emotions, width, training.batch_size)

    def build(
        self, outputs: int, width: int, make_backbone: Callable[[], Any], target_scale: TargetScale | None = None
    ) -> EmotionNetwork:
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
        layers += [nn.Dropout(self.dropout), nn.Linear(before, outputs)]
        return EmotionNetwork(backbone, deepcopy(self.pooling), size, nn.Sequential(*layers), target_scale)

    def load(self, folder: Path, make_backbone: Callable[[], Any]) -> FittedNetwork | FittedDimensions:
        """The model that ``save`` wrote.

        Raises:
            InputError: there is none.
        """
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"{folder / WEIGHTS}: no such model", expected="a run directory with its checkpoints")
        shape = read_json(folder / SHAPE)
        names = tuple(shape.get("dimensions", ())) or tuple(shape["emotions"])
        scale = TargetScale(len(names)) if "dimensions" in shape else None
        network = self.build(len(names), shape["width"], make_backbone, scale)
        network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
        fitted = FittedNetwork if scale is None else FittedDimensions
        return fitted(network, names, shape["width"], shape["batch_size"])


class FittedNetwork:
    """A trained network with the names of its emotions."""

    dimensions: tuple[str, ...] = ()

    def __init__(self, network: EmotionNetwork, emotions: tuple[str, ...], width: int, batch_size: int) -> None:
        self.network = network.eval()
        self.emotions = emotions
        self.width = width
        self.batch_size = batch_size

    def predict(self, part: Part) -> Predictions:
        """Predictions for all clips of a part, in order."""
        logits = find_outputs(self.network, part, len(self.emotions), self.batch_size)
        probabilities = logits.softmax(-1).numpy()
        predicted = np.array(self.emotions)[probabilities.argmax(1)]
        return Predictions(self.emotions, predicted, probabilities)

    def save(self, folder: Path) -> None:
        """Write weights and shape as :meth:`NetworkHead.load` reads them."""
        torch.save(self.network.state_dict(), folder / WEIGHTS)
        shape = {"emotions": list(self.emotions), "width": self.width, "batch_size": self.batch_size}
        write_json(folder / SHAPE, shape)


class FittedDimensions:
    """A trained network with the names of its dimensions."""

    emotions: tuple[str, ...] = ()

    def __init__(self, network: EmotionNetwork, dimensions: tuple[str, ...], width: int, batch_size: int) -> None:
        self.network = network.eval()
        self.dimensions = dimensions
        self.width = width
        self.batch_size = batch_size

    def predict(self, part: Part) -> Values:
        """Predictions for all clips of a part, in order and in the unit of the ratings."""
        outputs = find_outputs(self.network, part, len(self.dimensions), self.batch_size)
        scale = deepcopy(self.network.target_scale).cpu()  # type: ignore[union-attr]
        return Values(self.dimensions, scale.decode(outputs).numpy())

    def save(self, folder: Path) -> None:
        """Write weights and shape as :meth:`NetworkHead.load` reads them."""
        torch.save(self.network.state_dict(), folder / WEIGHTS)
        shape = {"dimensions": list(self.dimensions), "width": self.width, "batch_size": self.batch_size}
        write_json(folder / SHAPE, shape)


@torch.inference_mode()
def find_outputs(network: EmotionNetwork, part: Part, size: int, batch_size: int) -> Tensor:
    """Outputs [N, size] of a network for all clips of a part, in order, in double precision on the CPU."""
    device = next(network.parameters()).device
    loader = make_loader(part, (), network.rate, batch_size)
    assert loader.batch_sampler is not None
    outputs = torch.zeros(len(part), size, dtype=torch.float64)
    for rows, batch in zip(loader.batch_sampler, loader, strict=True):
        outputs[rows] = network(batch.inputs.to(device), batch.lengths.to(device)).double().cpu()
    return outputs


def balance_classes(labels: np.ndarray, emotions: Sequence[str]) -> Tensor:
    """Weight of each emotion, inverse to its training count and 1 on average over clips [K]."""
    counts = np.array([(labels == emotion).sum() for emotion in emotions])
    return torch.as_tensor(len(labels) / (len(emotions) * counts), dtype=torch.float32)
