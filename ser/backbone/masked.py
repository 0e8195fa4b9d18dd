"""What clips of different lengths in one batch need: masks, and batch statistics that leave out padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def make_mask(lengths: Tensor, size: int) -> Tensor:
    """True where a frame belongs to the clip: [B, size] from lengths [B] in frames."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def find_longest(lengths: Tensor, size: int) -> int:
    """The longest of lengths [B]; of clips without padding that is their size, which is all that an export may ask.

    What tensors hold cannot steer an exported network (``torch.export``), their sizes can.
    """
    return size if torch.compiler.is_exporting() else int(lengths.max())


def is_full(mask: Tensor) -> bool:
    """Whether a mask leaves out nothing, as in an export, which is for clips without padding."""
    return torch.compiler.is_exporting() or bool(mask.all())


class MaskedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of [B, C, H, T] whose statistics leave out padding; padding comes out as zero."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise; ``mask`` [B, 1, 1, T] is 1 inside the clips."""
        if not self.training:
            return super().forward(x) * mask
        count = mask.sum() * x.shape[2]
        mean = (x * mask).sum((0, 2, 3), keepdim=True) / count
        centred = (x - mean) * mask
        variance = centred.square().sum((0, 2, 3), keepdim=True) / count
        self._remember(mean.detach().flatten(), variance.detach().flatten() * count / (count - 1).clamp(min=1))
        scale = self.weight.view(1, -1, 1, 1) * torch.rsqrt(variance + self.eps)
        return centred * scale + self.bias.view(1, -1, 1, 1) * mask

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
