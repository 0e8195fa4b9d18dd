"""Explanations that know nothing of the model: what every explainer must beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from ser.audio.trim import measure_levels
from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.passes import make_generator
from ser.explainer.subject import Subject

#: Frames in which the level of a waveform is measured, and from one to the next, in s.
FRAME, HOP = 0.025, 0.010
#: dB below the loudest frame of a waveform at which levels end: digital silence says nothing of what is quiet.
DEPTH = 60.0


class Null:
    """An explainer that asks the model nothing, so that it goes with all of them."""

    def check(self, subject: Subject) -> None:
        """Nothing to refuse."""

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:  # noqa: ARG002 - as all
        """See :class:`ser.explainer.base.Explainer`."""
        return Relevance(torch.stack([self.draw(subject, clip) for clip in inputs.detach()]))

    def draw(self, subject: Subject, clip: Tensor) -> Tensor:
        """Values of one clip [M, F] or [T], of its own shape."""
        raise NotImplementedError


@dataclass(frozen=True)
class Random(Null):
    """Normal noise.

    Args:
        smooth: s over which neighbours in time are averaged; 0: each cell by itself.
        seed: with the clip itself it decides the noise.
    """

    smooth: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.smooth < 0:
            raise InputError(f"explainer.smooth={self.smooth}", expected="s, at least 0")

    def draw(self, subject: Subject, clip: Tensor) -> Tensor:
        """Draw."""
        noise = torch.randn(clip.shape, generator=make_generator(clip, self.seed))
        step = 1 / subject.rate if subject.spectrogram is None else subject.spectrogram.step
        half = min(round(self.smooth / step) // 2, (clip.shape[-1] - 1) // 2)
        rows = noise.view(-1, 1, clip.shape[-1])
        return avg_pool1d(rows, 2 * half + 1, 1, half).view(clip.shape).to(clip.device)


@dataclass(frozen=True)
class Energy(Null):
    """Energy of each sample; how far each cell of a spectrogram rises above the clip's weakest one."""

    def draw(self, subject: Subject, clip: Tensor) -> Tensor:
        """Measure."""
        return clip - clip.min() if subject.spectral else clip.square()


@dataclass(frozen=True)
class VoiceActivity(Null):
    """1 while somebody speaks, 0 elsewhere.

    Args:
        share: of the way from a quiet frame (the level that a tenth stay under) to a loud one (that a twentieth
            exceed), from which a frame counts as speech.
    """

    share: float = 0.4

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"explainer.share={self.share}", expected="between 0 and 1")

    def draw(self, subject: Subject, clip: Tensor) -> Tensor:
        """Detect."""
        if subject.spectral:
            return self.detect(clip.mean(0)).expand_as(clip).clone()
        levels = measure_levels(clip.cpu().numpy(), subject.rate, FRAME, HOP)
        active = self.detect(torch.as_tensor(levels.clip(min=levels.max() - DEPTH), dtype=torch.float32))
        return active.repeat_interleave(round(HOP * subject.rate))[: len(clip)].to(clip.device)

    def detect(self, levels: Tensor) -> Tensor:
        """1 in frames with speech, by their levels [F] in any unit of the logarithm; everywhere if all are equal."""
        quiet, loud = levels.quantile(0.1), levels.quantile(0.95)
        return (levels >= quiet + self.share * (loud - quiet)).to(torch.float32)
