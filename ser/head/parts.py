"""A pooling for each part of a frame, as where MFCC, chroma and mel bands lie side by side in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class PartsPooling(nn.Module):
    """Frames [B, F, D] divided into parts, each pooled by a network of its own, side by side.

    Args:
        make: size of a part to a pooling.
        sizes: of the parts; they add up to D.
    """

    def __init__(self, make: Callable[[int], Any], sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.branches = nn.ModuleList(make(size) for size in sizes)

    def find_size(self, size: int) -> int:  # noqa: ARG002 - poolings are alike
        """Length of the pooled vector."""
        branches: Sequence[Any] = tuple(self.branches)
        return sum(branch.find_size(part) for branch, part in zip(branches, self.sizes, strict=True))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool."""
        parts = frames.split(self.sizes, dim=-1)
        return torch.cat([branch(part, lengths) for branch, part in zip(self.branches, parts, strict=True)], dim=-1)
