"""Heads that are networks: a linear layer or a multilayer perceptron, alone on functionals or on top of a backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from safetensors.torch import load_file
from torch import Tensor, nn

from ser.errors import InputError
from ser.head.data import Part, Predictions, Values, Workspace
from ser.head.emotion_network import TargetScale
from ser.results import read_json, write_json
from ser.training.batches import make_loader
from ser.training.processes import LogEpoch, Place, train_together

if TYPE_CHECKING:
    from ser.finetune.base import Policy
    from ser.fusion.network import FusedNetwork
    from ser.head.emotion_network import EmotionNetwork, Shape
    from ser.head.fused_trunk import PairedShape
    from ser.head.trunk import Trunk

    Network: TypeAlias = EmotionNetwork | FusedNetwork
    AnyShape: TypeAlias = Shape | PairedShape

WEIGHTS, SHAPE = "model.pt", "model.json"
#: The weights in an export (:mod:`ser.deployment.folder`).
SAFE = "model.safetensors"


class NetworkHead:
    """A classifier, or a regressor where the part has targets, trained by epochs with the backbone if that is trained.

    Args:
        hidden: sizes of the hidden layers; none makes it linear.
        dropout: share of units left out before each layer, in training.
        batch_norm: normalise each hidden layer; without hidden layers, the pooled vector.
        relu: pass the pooled vector through a ReLU first.
        scale: z-score features on the training part.
        weight_decay: of the head's own weights, reader included; ``None``: the optimizer's.
        lr: learning rate of the head's own weights; ``None``: the optimizer's.
        class_weight: ``none`` or ``balanced`` (weights from training counts, in the loss); dimensions have no classes.
        seed: of initialisation, dropout and batch order.
    """

    uses_trainer = True

    def __init__(
        self,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        batch_norm: bool = False,
        relu: bool = False,
        scale: bool = True,
        weight_decay: float | None = None,
        lr: float | None = None,
        class_weight: str = "balanced",
        seed: int = 0,
    ) -> None:
        self.hidden = tuple(hidden)
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.relu = relu
        self.scale = scale
        self.weight_decay = weight_decay
        self.lr = lr
        self.class_weight = class_weight
        self.seed = seed

    def check(self, trunk: Trunk) -> None:
        """Networks take vectors, frames and audio alike."""

    def check_target(self, dimensions: Sequence[str]) -> None:
        """Networks predict emotions and dimensions alike; :meth:`ser.training.fit.Training.check_target` has a say."""

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> FittedNetwork | FittedDimensions:
        """Train; with a validation part its best epoch is kept, else the last."""
        assert workspace.training is not None
        training, dimensions = workspace.training, train.dimensions
        torch.manual_seed(self.seed)
        emotions = () if dimensions else tuple(sorted(set(train.emotions)))
        workspace = replace(workspace, trunk=workspace.trunk.learn(train.frame))
        shape = workspace.trunk.find_shape(train.features)
        scale = TargetScale(len(dimensions)) if dimensions else None
        network = self.build(len(dimensions or emotions), shape, workspace.trunk, scale)
        if train.features is not None and self.scale:
            network.standardise(train.features)
        if scale is not None:
            assert train.targets is not None
            scale.learn(train.targets)
        if network.backbone is not None and network.encode_text is None:
            training.log_padding(train)
        if training.place.count == 1 and training.processes > 1:
            share = partial(fit_share, self, train, validation, replace(workspace, log_epoch=forget))
            train_together(training.processes, share, workspace.log_epoch)
            training.take_up(network, workspace.folder, validation is not None)
        else:
            weights = balance_classes(train.emotions, emotions) if self.balances(dimensions) else None
            groups = partial(self.group_parameters, network, workspace.trunk.policy)
            training.fit(network, emotions, weights, train, validation, workspace, groups)
        workspace.trunk.settle(network, validation, emotions, training.batch_size)
        if dimensions:
            return FittedDimensions(network, dimensions, shape, training.batch_size)
        return FittedNetwork(network, emotions, shape, training.batch_size)

    def balances(self, dimensions: Sequence[str]) -> bool:
        """Whether the loss weighs classes."""
        return self.class_weight == "balanced" and not dimensions

    def build(self, outputs: int, shape: Any, trunk: Trunk, target_scale: TargetScale | None = None) -> Any:
        """A network with fresh weights above those of the backbone."""
        return trunk.connect(shape, lambda size: self.build_layers(size, outputs), target_scale)

    def build_layers(self, size: int, outputs: int) -> nn.Sequential:
        """From the pooled vector to the outputs."""
        layers: list[nn.Module] = [nn.ReLU()] if self.relu else []
        if self.batch_norm and not self.hidden:
            layers.append(nn.BatchNorm1d(size))
        before = size
        for units in self.hidden:
            layers += [nn.Dropout(self.dropout), nn.Linear(before, units)]
            layers += [nn.BatchNorm1d(units)] if self.batch_norm else []
            layers.append(nn.ReLU())
            before = units
        return nn.Sequential(*layers, nn.Dropout(self.dropout), nn.Linear(before, outputs))

    def group_parameters(self, network: Network, policy: Policy, lr: float) -> list[dict[str, Any]]:
        """Groups for the optimizer: the backbone's by policy, and the head's own with its rate and its penalty."""
        own = [weight for name, weight in network.named_parameters() if not name.startswith("backbone.")]
        head: dict[str, Any] = {"params": own, "lr": lr if self.lr is None else self.lr}
        if self.weight_decay is not None:
            head["weight_decay"] = self.weight_decay
        below = [] if network.backbone is None else policy.group_parameters(network.backbone, lr)
        return [*map(dict, below), head]

    def load(self, folder: Path, trunk: Trunk, weights: str = WEIGHTS) -> FittedNetwork | FittedDimensions:
        """The model that ``save`` wrote.

        Args:
            folder: with the checkpoints of a fold.
            trunk: what lies under the head.
            weights: the file in it; ``steps/step-000050.ckpt`` for those of a step that was kept.

        Raises:
            InputError: there is none.
        """
        path = folder / (SAFE if weights == WEIGHTS and (folder / SAFE).is_file() else weights)
        if not path.is_file():
            raise InputError(f"{path}: no such model", expected="a run directory with its checkpoints")
        saved = read_json(folder / SHAPE)
        names = tuple(saved.get("dimensions", ())) or tuple(saved["emotions"])
        scale = TargetScale(len(names)) if "dimensions" in saved else None
        shape = trunk.read_shape(saved)
        network = self.build(len(names), shape, trunk.recall(saved.get("vocabulary")), scale)
        network.load_weights(load_file(path) if path.name == SAFE else torch.load(path, weights_only=True))
        fitted = FittedNetwork if scale is None else FittedDimensions
        return fitted(network, names, shape, saved["batch_size"])


class FittedNetwork:
    """A trained network with the names of its emotions."""

    dimensions: tuple[str, ...] = ()

    def __init__(self, network: Network, emotions: tuple[str, ...], shape: AnyShape, batch_size: int) -> None:
        self.network = network.eval()
        self.emotions = emotions
        self.shape = shape
        self.batch_size = batch_size

    def predict(self, part: Part) -> Predictions:
        """Predictions for all clips of a part, in order."""
        logits = find_outputs(self.network, part, len(self.emotions), self.batch_size)
        probabilities = logits.softmax(-1).numpy()
        predicted = np.array(self.emotions)[probabilities.argmax(1)]
        return Predictions(self.emotions, predicted, probabilities)

    def save(self, folder: Path) -> None:
        """Write weights and shape as :meth:`NetworkHead.load` reads them."""
        torch.save(self.network.select_weights(), folder / WEIGHTS)
        record = {"emotions": list(self.emotions), **self.shape.describe(), "batch_size": self.batch_size}
        write_json(folder / SHAPE, record | describe_vocabulary(self.network))


class FittedDimensions:
    """A trained network with the names of its dimensions."""

    emotions: tuple[str, ...] = ()

    def __init__(self, network: Network, dimensions: tuple[str, ...], shape: AnyShape, batch_size: int) -> None:
        self.network = network.eval()
        self.dimensions = dimensions
        self.shape = shape
        self.batch_size = batch_size

    def predict(self, part: Part) -> Values:
        """Predictions for all clips of a part, in order and in the unit of the ratings."""
        outputs = find_outputs(self.network, part, len(self.dimensions), self.batch_size)
        scale = deepcopy(self.network.target_scale).cpu()  # type: ignore[union-attr]
        return Values(self.dimensions, scale.decode(outputs).numpy())

    def save(self, folder: Path) -> None:
        """Write weights and shape as :meth:`NetworkHead.load` reads them."""
        torch.save(self.network.select_weights(), folder / WEIGHTS)
        record = {"dimensions": list(self.dimensions), **self.shape.describe(), "batch_size": self.batch_size}
        write_json(folder / SHAPE, record | describe_vocabulary(self.network))


def describe_vocabulary(network: Network) -> dict[str, Any]:
    """What ``model.json`` keeps of a vocabulary that was learned."""
    return {} if network.vocabulary is None else {"vocabulary": list(network.vocabulary)}


def fit_share(
    head: NetworkHead, train: Part, validation: Part | None, workspace: Workspace, place: Place, log_epoch: LogEpoch
) -> None:
    """Fit a head as one of several processes that train together; the model is in their checkpoints."""
    assert workspace.training is not None
    head.fit(train, validation, replace(workspace, training=workspace.training.take(place), log_epoch=log_epoch))


def forget(metrics: Mapping[str, float], epoch: int) -> None:
    """In place of a run's log, which lives in the main process alone."""


@torch.inference_mode()
def find_outputs(
    network: Any, part: Part, size: int, batch_size: int, ask: Callable[..., Tensor] | None = None
) -> Tensor:
    """Outputs [N, size] of a network for all clips of a part, in order, in double precision on the CPU.

    Args:
        network: in evaluation mode.
        part: the clips.
        size: how many numbers it says of a clip.
        batch_size: clips at once.
        ask: inputs and lengths to what it says; by default the network itself.
    """
    device = next(network.parameters()).device
    loader = make_loader(part, (), network.rate, batch_size, encode=network.encode_text)
    assert loader.batch_sampler is not None
    outputs = torch.zeros(len(part), size, dtype=torch.float64)
    for rows, batch in zip(loader.batch_sampler, loader, strict=True):
        inputs, lengths = move_data_to_device((batch.inputs, batch.lengths), device)
        outputs[rows] = (ask or network)(inputs, lengths).double().cpu()
    return outputs


def balance_classes(labels: np.ndarray, emotions: Sequence[str]) -> Tensor:
    """Weight of each emotion, inverse to its training count and 1 on average over clips [K]."""
    counts = np.array([(labels == emotion).sum() for emotion in emotions])
    return torch.as_tensor(len(labels) / (len(emotions) * counts), dtype=torch.float32)
