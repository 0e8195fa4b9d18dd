"""Gradients of the margin: plain, averaged over noisy copies, and times the input. All by captum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.passes import Margins, derive_seed, split
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class Saliency:
    """Slope of the margin at each cell (Simonyan, Vedaldi & Zisserman, 2014, arXiv:1312.6034).

    Args:
        signed: keep the sign; else how steep it is, up or down.
        max_batch: clips at once.
    """

    signed: bool = False
    max_batch: int = 16

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        subject.require_gradients("saliency")

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        from captum.attr import Saliency as Method

        margins = Margins(subject.require_gradients("saliency"))
        method = Method(margins)
        parts = [
            method.attribute(part, abs=not self.signed, additional_forward_args=(own,))
            for part, own in split(inputs, classes, self.max_batch)
        ]
        return gather(parts, margins)


@dataclass(frozen=True)
class SmoothGrad:
    """Slopes averaged over noisy copies of a clip (Smilkov et al., 2017, arXiv:1706.03825).

    Args:
        draws: copies.
        noise: its standard deviation, as a share of that of the clip's cells.
        signed: keep the sign of the average.
        seed: of the noise; with the clip itself it decides all draws.
        max_batch: copies at once.
    """

    draws: int = 32
    noise: float = 0.15
    signed: bool = False
    seed: int = 0
    max_batch: int = 16

    def __post_init__(self) -> None:
        if self.draws < 1 or self.noise <= 0:
            raise InputError(
                f"explainer.draws={self.draws} explainer.noise={self.noise}", expected="at least one, and above 0"
            )

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        subject.require_gradients("smoothgrad")

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        from captum.attr import NoiseTunnel
        from captum.attr import Saliency as Method

        margins = Margins(subject.require_gradients("smoothgrad"))
        method = NoiseTunnel(Method(margins))
        parts = [self._smooth(method, clip, own) for clip, own in split(inputs, classes, 1)]
        return gather(parts, margins)

    def _smooth(self, method: Any, clip: Tensor, classes: Tensor) -> Tensor:
        """Clip by clip: the copies of one fill a batch, and its noise must not depend on other clips."""
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(clip[0], self.seed))
            values = method.attribute(
                clip,
                nt_samples=self.draws,
                nt_samples_batch_size=self.max_batch,
                stdevs=self.noise * float(clip.detach().std(correction=0)),
                abs=False,  # slopes of noise cancel out before the sign is dropped, not after
                additional_forward_args=(classes,),
            )
        return values if self.signed else values.abs()


@dataclass(frozen=True)
class InputXGrad:
    """Slope times input (Shrikumar et al., 2016, arXiv:1605.01713).

    What a cell holds is counted from silence: zero of a waveform, the floor of a spectrogram. The zero of decibels
    means nothing, and a louder cell must count for more, not for less.

    Args:
        max_batch: clips at once.
    """

    max_batch: int = 16

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        subject.require_gradients("input_x_grad")

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        from captum.attr import InputXGradient as Method

        silence = 0.0 if subject.spectrogram is None else subject.spectrogram.silence
        margins = Margins(Lifted(subject.require_gradients("input_x_grad"), silence))
        method = Method(margins)
        parts = [
            method.attribute(part, additional_forward_args=(own,))
            for part, own in split(inputs - silence, classes, self.max_batch)
        ]
        return gather(parts, margins)


class Lifted(nn.Module):
    """A network whose inputs are counted from silence.

    Args:
        network: inputs to logits.
        silence: is added to them.
    """

    def __init__(self, network: nn.Module, silence: float) -> None:
        super().__init__()
        self.network = network
        self.silence = silence

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute."""
        return self.network(inputs + self.silence)


def gather(parts: list[Tensor], margins: Margins) -> Relevance:
    """Values of parts of a batch, with what they cost."""
    values = torch.cat([part.detach() for part in parts])
    return Relevance(values, forwards=margins.forwards, backwards=margins.backwards)
