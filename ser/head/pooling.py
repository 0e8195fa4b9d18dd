"""From frames to one vector a clip; frames beyond a clip's end never count."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def make_mask(lengths: Tensor, size: int) -> Tensor:
    """True where a frame belongs to the clip: [B, size] from lengths [B] in frames."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


class MeanPooling(nn.Module):
    """Mean over a clip's own frames: [B, F, D] and lengths [B] to [B, D]."""

    def find_size(self, size: int) -> int:
        """Length of the pooled vector."""
        return size

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        mask = make_mask(lengths, frames.shape[1]).unsqueeze(-1)
        return (frames * mask).sum(1) / lengths.clamp(min=1).unsqueeze(-1)


class MeanStdPooling(nn.Module):
    """Mean and standard deviation over a clip's own frames: [B, F, D] and lengths [B] to [B, 2 D]."""

    def find_size(self, size: int) -> int:
        """Length of the pooled vector."""
        return 2 * size

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        mask = make_mask(lengths, frames.shape[1]).unsqueeze(-1)
        count = lengths.clamp(min=1).unsqueeze(-1)
        mean = (frames * mask).sum(1) / count
        variance = ((frames - mean.unsqueeze(1)).square() * mask).sum(1) / count
        # The root's slope at zero is infinite; a one-frame clip must not break training.
        return torch.cat([mean, (variance + 1e-8).sqrt()], dim=-1)
