"""The fitted head of a fold as a function of the embedding it reads: margins of classes, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from ser.errors import InputError
from ser.explainer.base import margin
from ser.explainer.linear_shap import LinearMap, read_pipeline
from ser.head.trunk import Trunk
from ser.model import TrainedModel

#: Step of numerical gradients, in SDs of a dimension.
STEP = 0.05


class EmbeddingHead:
    """Embeddings [N, D] to logits [N, K].

    Args:
        model: of a fold.
        scale: SD of each dimension among training clips [D], for steps of numerical gradients.

    Attributes:
        emotions: its K classes.
    """

    def __init__(self, model: TrainedModel, scale: np.ndarray) -> None:
        self.emotions = model.emotions
        self.scale = scale
        self._layers = join_layers(model.head) if hasattr(model.head, "network") else None
        self._pipeline = getattr(model.head, "pipeline", None)
        self._linear = find_linear(self._pipeline)

    def score(self, values: np.ndarray) -> np.ndarray:
        """Logits [N, K]; log probabilities of estimators that are not linear."""
        if self._layers is not None:
            with torch.no_grad():
                return self._layers(torch.from_numpy(np.asarray(values, dtype=np.float64))).numpy()
        if self._linear is not None:
            return values @ self._linear.weights.T + self._linear.bias
        assert self._pipeline is not None
        if hasattr(self._pipeline, "predict_proba"):
            return np.log(np.clip(self._pipeline.predict_proba(values), 1e-12, None))
        decided = self._pipeline.decision_function(values)
        return np.column_stack([-decided, decided]) / 2 if decided.ndim == 1 else decided

    def find_margins(self, values: np.ndarray) -> np.ndarray:
        """Margin of every class [N, K]."""
        return find_margins(self.score(values))

    def differentiate(self, values: np.ndarray, number: int) -> np.ndarray:
        """Gradients [N, D] of the margin of a class."""
        if self._layers is not None:
            inputs = torch.from_numpy(np.asarray(values, dtype=np.float64)).requires_grad_(True)
            classes = torch.full((len(values),), number)
            margin(self._layers(inputs), classes).sum().backward()
            assert inputs.grad is not None
            return inputs.grad.numpy()
        if self._linear is not None:
            logits = self.score(values)
            others = np.delete(np.arange(len(self.emotions)), number)
            shares = np.exp(logits[:, others] - logits[:, others].max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            return self._linear.weights[number] - shares @ self._linear.weights[others]
        return self._step(values, number)

    def _step(self, values: np.ndarray, number: int) -> np.ndarray:
        gradients = np.empty(values.shape)
        for dim, size in enumerate(STEP * self.scale):
            moved = np.repeat(values[None].astype(np.float64), 2, axis=0)
            moved[0, :, dim] += size
            moved[1, :, dim] -= size
            above, below = (self.find_margins(each)[:, number] for each in moved)
            gradients[:, dim] = (above - below) / (2 * size)
        return gradients


def find_margins(logits: np.ndarray) -> np.ndarray:
    """Margins [N, K] of logits [N, K]: each logit minus the log-sum-exp of the others."""
    found = torch.from_numpy(np.asarray(logits, dtype=np.float64))
    classes = range(found.shape[1])
    return torch.stack([margin(found, torch.full((len(found),), number)) for number in classes], 1).numpy()


def join_layers(head: Any) -> nn.Module:
    """The layers of a fitted network above the embedding, in double precision, standardising it if they do."""
    network = head.network
    layers = nn.Sequential(*network.layers)
    if network.backbone is None:
        layers = nn.Sequential(Standardise(network.mean, network.scale), *layers)
    return _copy(layers)


class Standardise(nn.Module):
    """Features less their training mean, over their training deviation."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute."""
        return (values - self.mean) / self.scale


def _copy(layers: nn.Module) -> nn.Module:
    from copy import deepcopy

    return deepcopy(layers).double().cpu().eval().requires_grad_(False)


def find_linear(pipeline: Any) -> LinearMap | None:
    """The linear map of an estimator, where it is one whose scores are its logits."""
    if pipeline is None or type(pipeline[-1]).__name__ in ("SVC", "NuSVC"):
        return None
    try:
        return read_pipeline(pipeline)
    except InputError:
        return None


def reads_embedding(trunk: Trunk) -> bool:
    """Whether a head on this trunk reads one fixed vector a clip, rather than frames or a learned mixture."""
    return not trunk.backbone.frames or not trunk.reading.learns
