"""Layer-wise relevance propagation: the score handed back through the network, each part getting what it contributed.

Relevance is counted from the zero of what the network reads: the level that its standardisation makes zero for mel CNNs
and BYOL-S, a power of 1e-4 for Whisper, the waveform's own zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ser.explainer.base import Relevance
from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import check_coverage, judge, trace
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class LRP(Rules):
    """Relevance of each cell of the input (Bach et al., 2015, doi:10.1371/journal.pone.0130140).

    Sums to the relevance that entered, less what biases absorb; both are among the extras, see
    :func:`ser.explainer.relevance.trace.judge`. The rules are documented in
    :class:`~ser.explainer.relevance.rules.Rules`.

    Args:
        max_batch: clips at once.
    """

    max_batch: int = 16

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        check_coverage(subject.require_gradients("lrp"))

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        network = subject.require_gradients("lrp")
        parts = []
        for part, own in zip(inputs.split(self.max_batch), classes.split(self.max_batch), strict=True):
            traced = trace(network, part, own.to(part.device), self)
            values = traced.find_relevance()
            reasons, extras = judge(values, traced)
            parts.append(Relevance(values, reasons=reasons, extras=extras))
        return join(parts, forwards=2 * len(inputs), backwards=len(inputs))


def join(parts: list[Relevance], forwards: int, backwards: int) -> Relevance:
    """Parts of a batch as one."""
    return Relevance(
        torch.cat([part.values for part in parts]),
        reasons=[reasons for part in parts for reasons in part.reasons],
        forwards=forwards,
        backwards=backwards,
        extras={name: torch.cat([part.extras[name] for part in parts]) for name in parts[0].extras},
    )
