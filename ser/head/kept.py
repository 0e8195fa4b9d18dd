"""What a network that was trained keeps: the weights that training changed, and the scale of its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.head.data import find_frame_spread, find_spread


class Scaled(nn.Module):
    """Has the mean and the standard deviation of training features.

    Args:
        shape: of a clip's features without their time axis; empty where there are none.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(tuple(shape)))
        self.register_buffer("scale", torch.ones(tuple(shape)))

    def standardise(self, features: np.ndarray) -> None:
        """Take mean and standard deviation of training features over clips and frames; a constant is only centred."""
        mean, scale = find_frame_spread(features) if features.dtype == object else find_spread(features)
        self.mean = torch.as_tensor(mean, dtype=torch.float32)
        self.scale = torch.as_tensor(scale, dtype=torch.float32)

    def rescale(self, inputs: Tensor) -> Tensor:
        """Features [B, …] in units of that deviation."""
        return (inputs - self.mean) / self.scale


class KeptNetwork(nn.Module):
    """Some of its weights may stay as a checkpoint has them; whoever makes it calls :meth:`mark_untrained` last."""

    #: Weights that training leaves as the backbone's checkpoint has them.
    untrained: frozenset[str]

    def mark_untrained(self) -> None:
        """Remember which weights are not to be trained."""
        self.untrained = frozenset(name for name, weight in self.named_parameters() if not weight.requires_grad)

    def count_parameters(self) -> dict[str, int]:
        """How many numbers ``total`` it has, a backbone that is trained included, and how many are ``trainable``."""
        sizes = {name: weight.numel() for name, weight in self.named_parameters()}
        return {
            "total": sum(sizes.values()),
            "trainable": sum(size for name, size in sizes.items() if name not in self.untrained),
        }

    def select_weights(self) -> dict[str, Tensor]:
        """What a model must keep to be built again on top of its backbone's checkpoint."""
        return {name: weight for name, weight in self.state_dict().items() if name not in self.untrained}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Fill in what :meth:`select_weights` gave.

        Raises:
            InputError: weights of another network.
        """
        missing, unexpected = self.load_state_dict(weights, strict=False)
        lacking = sorted(set(missing) - self.untrained)
        if lacking or unexpected:
            raise InputError(
                f"the saved model does not fit the network: missing {lacking[:5]}, unexpected {list(unexpected)[:5]}",
                expected="the configuration that the run was trained with",
            )
