"""Hidden states of a clip to one vector: the networks behind :class:`ser.head.reading.Reading`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ser.backbone.base import Layer
from ser.errors import InputError
from ser.head.pooling import LayerMix


class FrameReader(nn.Module):
    """L hidden states [B, F, D] with lengths [B] in frames to [B, size].

    Args:
        layer: a hidden state by number, or ``mix``.
        depth: L.
        pooling: frames and lengths to a vector; one for all layers.
        size: of that vector.
        mix_first: mix frames and pool the mixture, rather than mix pooled vectors.

    Raises:
        InputError: a layer that the backbone does not have.
    """

    def __init__(self, layer: Layer, depth: int, pooling: nn.Module, size: int, mix_first: bool) -> None:
        super().__init__()
        if layer != "mix" and not -depth <= int(layer) < depth:
            raise InputError(f"backbone.layer={layer}", expected=f"-{depth} to {depth - 1}, or mix")
        self.layer = layer
        self.mix = LayerMix(depth) if layer == "mix" else None
        self.pooling = pooling
        self.size = size
        self.mix_first = mix_first

    def forward(self, hidden: Sequence[Tensor], lengths: Tensor) -> Tensor:
        """Read."""
        if self.mix is None:
            return self.pooling(hidden[int(self.layer)], lengths)
        if self.mix_first:
            return self.pooling(self.mix(torch.stack(list(hidden), dim=1)), lengths)
        return self.mix(torch.stack([self.pooling(frames, lengths) for frames in hidden], dim=1))


class StoredFrames(nn.Module):
    """Frames from the feature store, [B, F, D] of one layer or [B, F, L, D] of all, read as a network's would be.

    Args:
        reader: over as many layers as the frames have.
    """

    def __init__(self, reader: FrameReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Read."""
        return self.reader([frames] if frames.ndim == 3 else frames.unbind(2), lengths)


class StoredVectors(nn.Module):
    """Vectors from the feature store: [B, D] stay as they are, [B, L, D] of all layers are mixed.

    Args:
        depth: L, or 0 for vectors that are no layers.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.mix = LayerMix(depth) if depth else None

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002 - readers are alike
        """Read."""
        return vectors if self.mix is None else self.mix(vectors)
