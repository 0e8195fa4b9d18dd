"""Exact Shapley values of linear models on vectors: which of the functionals, or dimensions, a decision rests on.

These models hear a clip as one vector, so there is no time to spread relevance over: values belong to named dimensions,
and the model is explained as it was fitted, not as a :class:`ser.explainer.subject.Subject`. Which seconds they rest on
only questions about changed clips can say (``explainer=segments``).

For a linear f with features taken as independent, the value of dimension j is w_j (x_j - E x_j) (Strumbelj & Kononenko,
2014; Lundberg & Lee, 2017, arXiv:1705.07874), and values sum to f(x) - E f. The margin is not linear with more than two
classes; f here is the score of the class minus the mean score of the others, which with two classes is the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from torch import nn

from ser.errors import InputError

if TYPE_CHECKING:
    from ser.head.trunk import Trunk
    from ser.model import TrainedModel


@dataclass(frozen=True)
class LinearShap:
    """The choice: explains vectors, not clips, so it has no ``explain``.

    Attributes:
        over_dimensions: tells it from explainers over time.
    """

    over_dimensions: ClassVar[bool] = True

    def check_choices(self, trunk: Trunk, head: Any) -> None:
        """Raise InputError, with the reason, unless what such a head becomes will be linear on vectors."""
        if trunk.trains or (trunk.backbone.frames and (trunk.reading.needs_frames or trunk.reading.layer == "mix")):
            raise refuse("the head will not read one fixed vector a clip")
        if getattr(head, "hidden", ()) or getattr(head, "relu", False):
            raise refuse("the head has more than one layer")
        if hasattr(head, "estimator"):
            # What an estimator is shows in what it becomes: some have linear and other kernels.
            toy = clone(head.estimator).fit(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2)
            read_pipeline(make_pipeline("passthrough", toy))

    def check_model(self, model: TrainedModel) -> None:
        """Raise InputError, with the reason, unless the model is linear on vectors."""
        find_linear_map(model)

    def explain_features(
        self,
        model: TrainedModel,
        features: np.ndarray,
        background: np.ndarray,
        classes: np.ndarray,
        clips: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Values of all dimensions of clips; those of a clip sum to f(x) minus the mean of f over the background.

        Args:
            model: a fitted one.
            features: of the clips, as :meth:`ser.model.TrainedModel.compute_features` yields them [N, D].
            background: features of clips that stand for all, those of training say [M, D].
            classes: the class explained of each clip, by its number in ``model.emotions`` [N].
            clips: their ids; numbers if there are none.

        Returns:
            A row a clip and dimension: ``clip``, ``feature``, ``value`` in units of the model's scores.

        Raises:
            InputError: a model that is not linear on vectors.
        """
        linear = find_linear_map(model)
        expected = background.astype(np.float64).mean(0)
        values = linear.contrast()[classes] * (features.astype(np.float64) - expected)
        names = name_features(model, features.shape[1])
        ids = np.arange(len(features)).astype(str) if clips is None else np.asarray(clips, dtype=str)
        return pd.DataFrame(
            {"clip": np.repeat(ids, len(names)), "feature": np.tile(names, len(ids)), "value": values.ravel()}
        )


@dataclass(frozen=True, eq=False)
class LinearMap:
    """Scores of classes as a linear function of features.

    Attributes:
        weights: [K, D].
        bias: [K].
    """

    weights: np.ndarray
    bias: np.ndarray

    def contrast(self) -> np.ndarray:
        """Weights [K, D] of each class's score minus the mean of the others'."""
        return subtract_others(self.weights)

    def score(self, features: np.ndarray) -> np.ndarray:
        """Each class's score minus the mean of the others' [N, K], for features [N, D]."""
        return subtract_others((features.astype(np.float64) @ self.weights.T + self.bias).T).T


def subtract_others(values: np.ndarray) -> np.ndarray:
    """Values [K, …] minus the mean of the other classes'."""
    return (values - values.mean(0)) * len(values) / (len(values) - 1)


def find_linear_map(model: TrainedModel) -> LinearMap:
    """What a model computes from vectors.

    Raises:
        InputError: a model that is not linear on vectors, or predicts numbers.
    """
    head = model.head
    if not model.emotions:
        raise refuse("its model predicts numbers, and classes are explained")
    if hasattr(head, "network"):
        return read_network(head)
    if hasattr(head, "pipeline"):
        return read_pipeline(head.pipeline)
    raise refuse(f"{type(head).__name__} is not linear")


def read_pipeline(pipeline: Any) -> LinearMap:
    """The map of a fitted pipeline of scikit-learn: a scaler, if any, and a linear classifier."""
    scaler, estimator = pipeline[0], pipeline[-1]
    weights = getattr(estimator, "coef_", None)
    if not isinstance(weights, np.ndarray) or not hasattr(estimator, "intercept_"):
        raise refuse(f"{type(estimator).__name__} is not linear")
    weights = np.atleast_2d(weights).astype(np.float64)
    bias = np.atleast_1d(estimator.intercept_).astype(np.float64)
    count = len(estimator.classes_)
    if count == 2:
        weights, bias = np.stack([-weights[0], weights[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    elif type(estimator).__name__ in ("SVC", "NuSVC"):
        weights, bias = join_pairs(weights, count), join_pairs(bias, count)
    if scaler == "passthrough":
        return LinearMap(weights, bias)
    return unscale(weights, bias, scaler.mean_, scaler.scale_)


def join_pairs(values: np.ndarray, count: int) -> np.ndarray:
    """Values of decisions between two classes [K (K - 1) / 2, …] to means over those in which a class takes part.

    Support vector machines of scikit-learn decide between pairs and count votes; the mean decision is its linear part.
    """
    joined = np.zeros((count, *values.shape[1:]))
    for value, (first, second) in zip(values, combinations(range(count), 2), strict=True):
        joined[first] += value / (count - 1)
        joined[second] -= value / (count - 1)
    return joined


def read_network(head: Any) -> LinearMap:
    """The map of a fitted network with one linear layer on stored vectors."""
    network = head.network
    if head.shape.features != "vectors" or len(head.shape.sizes) != 1:
        raise refuse(f"its head reads {head.shape.features} of shape {list(head.shape.sizes)}, not one vector a clip")
    layers = deepcopy(network.layers).double().cpu().eval()
    bent = [layer for layer in layers if not isinstance(layer, (nn.Linear, nn.Dropout, nn.BatchNorm1d))]
    if bent:
        raise refuse(f"its head has a {type(bent[0]).__name__}, so it is not linear")
    with torch.no_grad():
        size = head.shape.sizes[0]
        bias = layers(torch.zeros(1, size, dtype=torch.float64))
        weights = (layers(torch.eye(size, dtype=torch.float64)) - bias).T
    mean, scale = (array.double().cpu().numpy() for array in (network.mean, network.scale))
    return unscale(weights.numpy(), bias[0].numpy(), mean, scale)


def unscale(weights: np.ndarray, bias: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> LinearMap:
    """The map of features before they were standardised."""
    return LinearMap(weights / scale, bias - (weights / scale) @ mean)


def name_features(model: TrainedModel, size: int) -> list[str]:
    """Names of the functionals; of pooled frames their statistic and dimension."""
    backbone = model.trunk.backbone
    if not backbone.frames:
        names = list(getattr(backbone, "names", ()))
        return names if len(names) == size else [f"dim_{place}" for place in range(size)]
    statistics = model.trunk.reading.statistics
    each = size // len(statistics)
    return [f"{name}_{place}" for name in statistics for place in range(each)]


def refuse(reason: str) -> InputError:
    """The error of models without such values."""
    return InputError(
        f"explainer=linear_shap: {reason}",
        expected="head=logreg, ridge or a linear SVM on fixed features, or head=linear on stored vectors",
        remedy="choose explainer=segments, which asks any model about changed clips",
    )
