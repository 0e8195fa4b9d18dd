"""The relevance of a layer divided by its channels, and the channels that matter (Achtibat et al., 2023).

What a channel's map says is what the layers below pass down for that channel alone: the gradient at the layer is
masked, and only the part below the layer is computed again for each channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ser.explainer.relevance.trace import Trace

#: Draws of clips, to see how stable a choice of channels is.
DRAWS = 500


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer in a traced network.

    Attributes:
        output: feature maps [B, C, H, F] or frames [B, F, C].
        gradient: of what is distributed, modified by the rules, there.
    """

    output: Tensor
    gradient: Tensor

    @property
    def axis(self) -> int:
        """Of its channels."""
        return 1 if self.output.ndim == 4 else self.output.ndim - 1

    @property
    def channels(self) -> int:
        """How many there are."""
        return int(self.output.shape[self.axis])

    def weigh_channels(self) -> Tensor:
        """Relevance of each channel [B, C], summed over its cells."""
        relevance = (self.output * self.gradient).detach().movedim(self.axis, 1)
        return relevance.flatten(2).sum(2) if relevance.ndim > 2 else relevance

    def mask(self, channels: Tensor) -> Tensor:
        """Gradient at the layer with those of one channel per clip [B] alone."""
        kept = torch.nn.functional.one_hot(channels, self.channels).to(self.gradient.dtype)
        shape = [len(kept), *[1] * (self.gradient.ndim - 1)]
        shape[self.axis] = self.channels
        return self.gradient * kept.view(shape)


def make_maps(traced: Trace, layer: Layer, channels: Tensor) -> Tensor:
    """Relevance of the inputs that flows through each of K channels of a clip: [B, K] to [B, K, …]."""
    return torch.stack([traced.pass_down(layer.output, layer.mask(own)) for own in channels.unbind(1)], dim=1)


@dataclass(frozen=True, eq=False)
class Selection:
    """Channels of a layer that matter for a class.

    Attributes:
        channels: their numbers, the one that matters most first [K].
        stability: share of bootstrap draws of the clips in which each is among the K [K].
        clips: from how many clips they were chosen.
    """

    channels: np.ndarray
    stability: np.ndarray
    clips: int


def select_channels(relevance: np.ndarray, top: int, seed: int) -> Selection:
    """Those with the largest mean absolute relevance.

    Args:
        relevance: of each clip and channel [N, C].
        top: how many.
        seed: of the bootstrap.
    """
    size = np.abs(relevance)
    chosen = find_largest(size.mean(0), top)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(size), (DRAWS, len(size)))
    among = np.zeros(size.shape[1])
    for rows in draws:
        among[find_largest(size[rows].mean(0), top)] += 1
    return Selection(chosen, among[chosen] / DRAWS, len(size))


def find_largest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest values, in falling order; ties by place."""
    return np.argsort(-values, kind="stable")[:count]


def select_by_class(
    relevance: Sequence[np.ndarray], classes: Sequence[int], top: int, seed: int
) -> dict[int, Selection]:
    """A selection for each class that has clips; relevance [C] of each clip."""
    rows, labels = np.stack(relevance), np.asarray(classes)
    return {int(label): select_channels(rows[labels == label], top, seed) for label in np.unique(labels)}
