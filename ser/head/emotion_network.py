"""The network that is trained: a backbone or stored features below, a reader of frames, layers up to the outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ser.head.data import find_spread
from ser.head.kept import KeptNetwork, Scaled
from ser.head.reader import StoredFrames, StoredVectors

if TYPE_CHECKING:
    from ser.head.trunk import Trunk


@dataclass(frozen=True)
class Shape:
    """What clips come as.

    Attributes:
        features: ``audio`` (or text, where the backbone is trained on it), ``frames`` (of a frozen backbone) or
            ``vectors``.
        sizes: of features without their time axis, [D] or [L, D]; empty for audio.
    """

    features: str
    sizes: tuple[int, ...]

    @classmethod
    def find(cls, features: np.ndarray | None) -> Shape:
        """That of the features of a part."""
        if features is None:
            return cls("audio", ())
        if features.dtype == object:
            return cls("frames", features[0].shape[1:])
        return cls("vectors", features.shape[1:])

    def describe(self) -> dict[str, Any]:
        """For ``model.json``."""
        return {"features": self.features, "sizes": list(self.sizes)}


def make_reader(shape: Shape, trunk: Trunk) -> tuple[nn.Module | None, nn.Module, int]:
    """The backbone if it is trained, what reads its frames or the features, and the length of the vector that gives."""
    if shape.features == "audio":
        network, reader = trunk.build()
        return network, reader, reader.size
    if shape.features == "frames":
        depth = 1 if len(shape.sizes) == 1 else shape.sizes[0]
        chosen = trunk.reading if depth > 1 else replace(trunk.reading, layer=-1)
        reader = chosen.build(shape.sizes[-1], depth, trunk.parts)
        return None, StoredFrames(reader), reader.size
    return None, StoredVectors(shape.sizes[0] if len(shape.sizes) == 2 else 0), shape.sizes[-1]


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


class EmotionNetwork(KeptNetwork, Scaled):
    """Inputs to logits, or to standardised dimensions.

    Args:
        backbone: waveforms to hidden states; ``None`` where the inputs are features.
        reader: hidden states, or features, to one vector.
        shape: of a clip's features without their time axis; empty with a backbone.
        layers: from that vector to logits.
        target_scale: of dimensions; ``None`` with logits.
    """

    def __init__(
        self,
        backbone: nn.Module | None,
        reader: nn.Module,
        shape: Sequence[int],
        layers: nn.Module,
        target_scale: TargetScale | None = None,
    ) -> None:
        super().__init__(shape)
        self.backbone = backbone
        self.reader = reader
        self.layers = layers
        self.target_scale = target_scale
        self.mark_untrained()

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which the network reads clips; without a backbone it reads none."""
        return int(getattr(self.backbone, "rate", 0))

    @property
    def encode_text(self) -> Callable[[str], np.ndarray] | None:
        """Texts to the tokens that the network reads; ``None`` where it reads no text."""
        return getattr(self.backbone, "encode_text", None)

    @property
    def vocabulary(self) -> Sequence[str] | None:
        """What its backbone learned of training texts before it was built; ``None`` for no vocabulary of its own."""
        return getattr(self.backbone, "vocabulary", None)

    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """One vector a clip [B, size], as the layers see it."""
        if self.backbone is not None:
            return self.reader(*self.backbone(inputs, lengths))
        return self.reader(self.rescale(inputs), lengths)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs [B, K].

        Args:
            inputs: waveforms [B, T] with lengths in samples, tokens [B, T] with their number, frames [B, F, …] with
                lengths in frames, or vectors [B, …].
            lengths: [B].
        """
        return self.layers(self.embed(inputs, lengths))

    def list_outputs(self, inputs: Tensor, lengths: Tensor) -> list[Tensor]:
        """The outputs that training compares with the targets, each on its own: here one."""
        return [self(inputs, lengths)]
