"""Occlusion: how much the margin falls when a window over time, over bands or over both is taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.fill import FILLS, Filler
from ser.explainer.passes import AskedMargins, derive_seed
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class Occlusion:
    """Mean fall of the margin over all windows that cover a cell, in equal shares on the window's cells.

    Source: Zeiler & Fergus, 2014, arXiv:1311.2901. Any model can be asked; captum moves the window.

    Args:
        window: length in s, or ``None`` for the whole clip (then ``bands`` are occluded).
        stride: from one window to the next in s.
        bands: adjacent bands of a spectrogram that a window takes out, or ``None`` for all.
        band_stride: bands from one window to the next, or ``None`` for half a window.
        fill: what stands in the window; falls are averaged over all that are named.
        seed: of fills that are noise; with the clip itself it decides them.
        max_batch: windows at once.

    Raises:
        InputError: windows that leave gaps, or that take out everything at once; unknown fills.
    """

    window: float | None = 0.1
    stride: float = 0.05
    bands: int | None = None
    band_stride: int | None = None
    fill: Sequence[str] = ("noise", "mean_spec", "interp")
    seed: int = 0
    max_batch: int = 32

    def __post_init__(self) -> None:
        if self.window is None and self.bands is None:
            raise InputError("explainer.window=null explainer.bands=null", expected="at least one of them")
        if self.window is not None and not 0 < self.stride <= self.window:
            raise InputError(
                f"explainer.window={self.window} explainer.stride={self.stride}", expected="0 < stride <= window, in s"
            )
        if self.bands is not None and not 1 <= self.hop <= self.bands:
            raise InputError(
                f"explainer.bands={self.bands} explainer.band_stride={self.band_stride}",
                expected="1 <= band_stride <= bands",
            )
        if not self.fill or not set(self.fill) <= set(FILLS):
            raise InputError(f"explainer.fill={list(self.fill)}", expected=f"some of {', '.join(FILLS)}")

    @property
    def hop(self) -> int:
        """Bands from one window to the next."""
        return max(1, (self.bands or 0) // 2) if self.band_stride is None else self.band_stride

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        if self.bands is not None and subject.spectrogram is None:
            raise InputError(
                f"explainer.bands={self.bands}: the model hears waveforms, which have no bands",
                remedy="pass explainer.bands=null explainer.window=<s>",
            )
        count = 0 if subject.spectrogram is None else len(subject.spectrogram.freqs)
        if self.bands is not None and self.bands > count:
            raise InputError(f"explainer.bands={self.bands}", expected=f"at most {count}, as the spectrogram has")

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        margins = AskedMargins(subject)
        window, strides = self.find_window(subject, inputs)
        values = []
        for clip, own in zip(inputs.detach().split(1), classes.split(1), strict=True):
            seed = derive_seed(clip[0], self.seed)
            fillers = [Filler(subject, clip, kind, seed) for kind in self.fill]
            maps = [self._occlude(margins, filler, own, window, strides) for filler in fillers]
            values.append(torch.stack(maps).mean(0) / math.prod(window))
        return Relevance(torch.cat(values), forwards=margins.forwards)

    def find_window(self, subject: Subject, inputs: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Window and strides in elements of one input."""
        length = inputs.shape[-1]
        step = 1 / subject.rate if subject.spectrogram is None else subject.spectrogram.step
        size = length if self.window is None else min(length, max(1, round(self.window / step)))
        stride = length if self.window is None else min(size, max(1, round(self.stride / step)))
        if not subject.spectral:
            return (size,), (stride,)
        bands = inputs.shape[-2] if self.bands is None else self.bands
        return (bands, size), (bands if self.bands is None else self.hop, stride)

    def _occlude(
        self, margins: AskedMargins, filler: Filler, own: Tensor, window: tuple[int, ...], strides: tuple[int, ...]
    ) -> Tensor:
        """Map of one clip [1, …].

        What captum occludes is not the clip but what is kept of it, ones to begin with: a fill may depend on what is
        around the window, and a waveform fades into it.
        """
        from captum.attr import Occlusion as Method

        def ask(kept: Tensor, classes: Tensor) -> Tensor:
            return margins(filler.apply(kept > 0.5), classes)

        return Method(ask).attribute(
            torch.ones_like(filler.inputs),
            sliding_window_shapes=window,
            strides=strides,
            baselines=0,
            additional_forward_args=(own,),
            perturbations_per_eval=self.max_batch,
        )
