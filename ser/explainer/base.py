"""What an explainer is given and what it gives back.

Everything is explained in terms of the margin of a class: its logit minus the log of the summed exponentials of the
others'. A probability saturates where a model is sure, and a logit alone may rise together with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from ser.explainer.subject import Subject


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the cells of an explanation lie.

    Attributes:
        times: their centres in s from the first sample of the prepared waveform [F].
        step: s from one to the next.
        freqs: centres of bands in Hz [M], or ``None`` where cells span all frequencies.
    """

    times: np.ndarray
    step: float
    freqs: np.ndarray | None = None


@dataclass
class Relevance:
    """What an explainer says of a batch of B clips.

    Attributes:
        values: signed, on the cells of the inputs [B, M, F] or [B, T]; or [B, cells] or [B, bands, cells] of ``grid``.
        grid: where the values lie if not on the cells of the inputs.
        baseline: margin [B] of what the explainer compares the inputs with, if anything; values should then sum to the
            difference.
        reasons: of each clip, why its explanation must not be used; mostly none.
        forwards: clips passed through the network.
        backwards: clips passed back through it.
        extras: further arrays [B, …] to keep, by name.
    """

    values: Tensor
    grid: Grid | None = None
    baseline: Tensor | None = None
    reasons: list[list[str]] = field(default_factory=list)
    forwards: int = 0
    backwards: int = 0
    extras: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reasons = self.reasons or [[] for _ in range(len(self.values))]


class Explainer(Protocol):
    """A choice of ``conf/explainer`` that says which parts of a clip a model's decision rests on."""

    def check(self, subject: Subject) -> None:
        """Raise InputError, with the reason, where it cannot explain such a model."""

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """Explain the margins of classes [B] for inputs [B, M, F] or [B, T] of equally long clips."""


@runtime_checkable
class Chooser(Protocol):
    """An explainer that chooses something by clips that are not explained."""

    def select(self, subject: Subject, inputs: Sequence[Tensor], classes: Tensor) -> object:
        """Choose by inputs [1, …] of validation clips and their classes [N]."""


def margin(logits: Tensor, classes: Tensor) -> Tensor:
    """Margin [B] of classes [B] in logits [B, K]: logit minus log-sum-exp of the others."""
    own = torch.nn.functional.one_hot(classes, logits.shape[-1]).bool()
    return logits[own] - logits.masked_fill(own, -torch.inf).logsumexp(-1)
