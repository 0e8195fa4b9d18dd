"""Grad-CAM: what a block yields, weighted by how much the margin rises with each of its channels.

One computation serves networks whose blocks yield feature maps [B, C, H, F] and those whose blocks yield tokens
[B, F, D], alone or first in a tuple; on plain convolutional networks it equals captum's LayerGradCam, which takes the
second axis for channels whatever it is, and cannot follow blocks that yield tuples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.explainer.base import Grid, Relevance
from ser.explainer.passes import Margins, split
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class GradCAM:
    """Gradient-weighted class activation (Selvaraju et al., 2017, arXiv:1610.02391), on the block's own cells.

    Args:
        layer: ``auto`` for the last block that the head hears, or a block by number (-1: the last).
        signed: keep what speaks against the class; the paper cuts it off.
        max_batch: clips at once.

    Raises:
        InputError: a layer that is neither.
    """

    layer: str | int = "auto"
    signed: bool = True
    max_batch: int = 16

    def __post_init__(self) -> None:
        if self.layer != "auto" and (isinstance(self.layer, bool) or not isinstance(self.layer, int)):
            raise InputError(f"explainer.layer={self.layer}", expected="auto, or the number of a block")

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        subject.require_gradients("gradcam")
        count = len(require_blocks(subject, "gradcam"))
        if isinstance(self.layer, int) and not -count <= self.layer < count:
            raise InputError(f"explainer.layer={self.layer}", expected=f"auto, or -{count} to {count - 1}")

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        margins = Margins(subject.require_gradients("gradcam"))
        blocks = require_blocks(subject, "gradcam")
        maps = []
        for part, own in split(inputs, classes, self.max_batch):
            heard = hear_blocks(margins, blocks, part, own)
            maps.append(weigh(*self._choose(heard)))
            final = heard[-1][0]
        values = torch.cat(maps)
        return Relevance(
            values if self.signed else values.relu(),
            find_cells(subject, values, final),
            forwards=margins.forwards,
            backwards=margins.backwards,
        )

    def _choose(self, heard: Sequence[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor]:
        """Output and gradient of the block that is explained."""
        known = [(output, gradient) for output, gradient in heard if gradient is not None]
        if not known:
            raise InputError(
                "explainer=gradcam: the head hears none of the network's blocks, only what enters them",
                remedy="explain a run with another backbone.layer, or choose another explainer",
            )
        if self.layer == "auto":
            return known[-1]
        output, gradient = heard[int(self.layer)]
        if gradient is None:
            raise InputError(
                f"explainer.layer={self.layer}: the head does not hear that block",
                expected=f"auto, or 0 to {len(known) - 1}",
            )
        return output, gradient


def require_blocks(subject: Subject, name: str) -> tuple[nn.Module, ...]:
    """The blocks of a subject's trunk.

    Raises:
        InputError: there are none.
    """
    blocks = tuple(getattr(subject.trunk, "blocks", ()))
    if not blocks:
        raise InputError(f"explainer={name}: it looks at a network's blocks, and this model has none")
    return blocks


def hear_blocks(
    margins: Margins, blocks: Sequence[nn.Module], inputs: Tensor, classes: Tensor
) -> list[tuple[Tensor, Tensor | None]]:
    """What each block yields for inputs that require gradients, with the gradient of the margins there.

    The gradient is ``None`` at blocks above the hidden state that the head reads.
    """
    with keep_outputs(blocks) as outputs:
        total = margins(inputs, classes).sum()
    kept = [outputs[place] for place in range(len(blocks))]
    gradients = torch.autograd.grad(total, kept, allow_unused=True)
    return [(output.detach(), gradient) for output, gradient in zip(kept, gradients, strict=True)]


@contextmanager
def keep_outputs(blocks: Sequence[nn.Module]) -> Iterator[dict[int, Tensor]]:
    """Fill a mapping with what blocks yield, by their number."""
    outputs: dict[int, Tensor] = {}

    def keep(place: int, found: Any) -> None:
        outputs[place] = found[0] if isinstance(found, tuple) else found

    handles = [
        block.register_forward_hook(lambda *call, place=place: keep(place, call[-1]))
        for place, block in enumerate(blocks)
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def weigh(output: Tensor, gradient: Tensor) -> Tensor:
    """Maps [B, H, F] of [B, C, H, F], or [B, F] of tokens [B, F, D]."""
    if output.ndim == 4:
        return (output * gradient.mean((2, 3), keepdim=True)).sum(1)
    return (output * gradient.mean(1, keepdim=True)).sum(2)


def find_cells(subject: Subject, values: Tensor, final: Tensor) -> Grid:
    """Where maps of a block lie.

    Blocks below the last one may have more cells, each step between blocks halving their number; the first cell stays
    where it is as far as the step goes.

    Args:
        subject: the model.
        values: maps of the block [B, H, F] or [B, F].
        final: what the last block yields [B, C, H, F] or [B, F, D].
    """
    if values.ndim == 2:
        return subject.find_token_grid(values.shape[-1])
    tokens = subject.trunk.tokens
    finer = 2 ** math.ceil(math.log2(values.shape[-1] / final.shape[-1]))
    step, shift = tokens.step / finer, tokens.first / tokens.step  # of the first cell, in steps
    times = (shift + np.arange(values.shape[-1])) * step
    if subject.spectrogram is None:
        return Grid(times, step)
    freqs, bands = subject.spectrogram.freqs, values.shape[-2]
    each = 2 ** math.ceil(math.log2(len(freqs) / bands))
    return Grid(times, step, np.interp((shift + np.arange(bands)) * each, np.arange(len(freqs)), freqs))
