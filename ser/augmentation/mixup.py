"""Mixup (Zhang et al., 2018): sums of two clips whose targets count in the same proportion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ser.errors import InputError


class Mixed(NamedTuple):
    """B sums of two clips each.

    Attributes:
        inputs: waveforms [B, T] padded with zeros, or functionals [B, D].
        lengths: in samples [B]; of two waveforms the longer one's.
        targets: of the first clip [B].
        partners: targets of the second clip [B].
        weights: of the first clip, 0 to 1 [B]; the second one's is 1 - weight.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    partners: Tensor
    weights: Tensor

    def blend(self, first: Tensor, second: Tensor) -> Tensor:
        """Of losses (or one-hot targets) [B, …] for ``targets`` and for ``partners``, the weighted sums [B, …]."""
        weights = self.weights.view(-1, *[1] * (first.dim() - 1)).to(first)
        return weights * first + (1 - weights) * second


def mix(inputs: Tensor, lengths: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> Mixed:
    """Add to every clip of a batch another one of it (or, by chance, itself).

    Beyond its end a shorter waveform is silence, so the longer one goes on alone, at its weight.

    Args:
        inputs: waveforms [B, T] padded with zeros, or functionals [B, D].
        lengths: of the waveforms, in samples [B].
        targets: [B] or [B, …].
        alpha: weights are drawn from Beta(alpha, alpha), one a clip; 0 leaves every clip as it is.
        generator: all that is drawn depends on it alone.

    Raises:
        InputError: alpha below 0.
    """
    if alpha < 0:
        raise InputError(f"mixup: alpha={alpha}", expected="0 (no mixing) or above; the paper uses 0.1 to 0.4")
    size, device = len(inputs), inputs.device
    order = torch.randperm(size, generator=generator, device=generator.device).to(device)
    # torch has no Beta distribution that takes a generator.
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, size) if alpha > 0 else np.ones(size)
    weights = torch.from_numpy(drawn).to(inputs)
    scale = weights.view(-1, *[1] * (inputs.dim() - 1))
    return Mixed(
        scale * inputs + (1 - scale) * inputs[order],
        torch.maximum(lengths, lengths[order.to(lengths.device)]) if alpha > 0 else lengths,
        targets,
        targets[order.to(targets.device)],
        weights,
    )
