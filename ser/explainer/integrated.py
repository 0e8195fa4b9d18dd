"""Integrated gradients from baselines that sound like noise, with as many steps as completeness needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.fill import Filler
from ser.explainer.passes import Margins, derive_seed
from ser.explainer.subject import Subject

#: Kinds of baselines, and what :class:`ser.explainer.fill.Filler` calls them.
KINDS = {"noise_rms": "noise", "mean_spec": "mean_spec", "silence": "silence"}


@dataclass(frozen=True)
class Baseline:
    """What a clip is compared with.

    Args:
        kind: ``noise_rms`` (noise with the clip's level and spectrum), ``mean_spec`` (its mean spectrum all the time)
            or ``silence``.
        draws: of noise; maps are averaged over them.

    Raises:
        InputError: another kind, no draw.
    """

    kind: str = "noise_rms"
    draws: int = 4

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"explainer.baseline.kind={self.kind}", expected=", ".join(KINDS))
        if self.draws < 1:
            raise InputError(f"explainer.baseline.draws={self.draws}", expected="at least 1")

    def make(self, subject: Subject, clip: Tensor, seed: int) -> Tensor:
        """Baselines [D, …] of a clip […]; one where nothing is random."""
        fixed = self.kind == "silence" or (self.kind == "mean_spec" and subject.spectral)
        first = derive_seed(clip, seed)
        nothing = torch.zeros_like(clip[None], dtype=torch.bool)
        fillers = [
            Filler(subject, clip[None], KINDS[self.kind], first + draw) for draw in range(1 if fixed else self.draws)
        ]
        return torch.cat([filler.apply(nothing) for filler in fillers])

    def check(self, subject: Subject) -> None:
        """Refuse the path from zero where a network hears the same all along it.

        Raises:
            InputError: with the reason.
        """
        if self.kind != "silence" or subject.spectral:
            return
        blind = find_blindness(subject)
        if blind:
            raise InputError(
                f"explainer.baseline.kind=silence: {blind}, so that a clip sounds the same on its whole way from "
                "silence, which leaves no gradients to integrate",
                expected="noise_rms or mean_spec",
                remedy="leave out explainer.baseline.kind=silence",
            )


def find_blindness(subject: Subject) -> str:
    """Why a network of waveforms hardly hears how loud they are; empty where it does."""
    if getattr(subject.trunk, "normalise", False):
        return "the network brings each clip to unit variance"
    network = subject.require_gradients("integrated_gradients")
    for name, module in network.named_modules():
        if isinstance(module, (nn.GroupNorm, nn.InstanceNorm1d)):
            return f"the network normalises over each clip ({type(module).__name__} {name})"
    return ""


@dataclass(frozen=True)
class IntegratedGradients:
    """Gradients summed on the way from a baseline to the clip (Sundararajan, Taly & Yan, 2017, arXiv:1703.01365).

    They must sum to the difference of the margins (completeness). Gauss-Legendre steps are doubled for those clips for
    which they do not, until they do or there are too many; then the explanation is not valid. With several baselines
    maps and margins are means over them (expected gradients; Erion et al., 2021, arXiv:1906.10670).

    Args:
        baseline: what clips are compared with.
        steps: at first.
        max_steps: at most.
        gate: share of the difference that a map may miss.
        seed: of the baselines; with the clip itself it decides them.
        max_batch: points on the way at once.
    """

    baseline: Baseline = field(default_factory=Baseline)
    steps: int = 16
    max_steps: int = 256
    gate: float = 0.05
    seed: int = 0
    max_batch: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= self.max_steps:
            raise InputError(
                f"explainer.steps={self.steps} explainer.max_steps={self.max_steps}", expected="1 <= steps <= max_steps"
            )

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        subject.require_gradients("integrated_gradients")
        self.baseline.check(subject)

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        inputs, classes = inputs.detach(), classes.to(inputs.device)
        margins = Margins(subject.require_gradients("integrated_gradients"))
        baselines = torch.stack([self.baseline.make(subject, clip, self.seed) for clip in inputs])  # [B, D, …]
        draws = baselines.shape[1]
        low = self._score(margins, baselines.flatten(0, 1), classes.repeat_interleave(draws)).view(-1, draws).mean(1)
        differences = self._score(margins, inputs, classes) - low
        values, errors = torch.empty_like(inputs), torch.full_like(low, torch.inf)
        taken = torch.zeros_like(classes)
        pending, steps = torch.arange(len(inputs), device=inputs.device), self.steps
        while len(pending) and steps <= self.max_steps:
            for clip in pending.tolist():
                values[clip] = self._integrate(margins, inputs[clip], baselines[clip], classes[clip], steps)
            errors[pending] = find_errors(values[pending], differences[pending])
            taken[pending] = steps
            # No number is below the gate where it is none (NaN): such a clip is not tried again.
            pending = pending[errors[pending] > self.gate]
            steps *= 2
        reasons = [describe(float(error), int(count), self.gate) for error, count in zip(errors, taken, strict=True)]
        return Relevance(
            values,
            baseline=low,
            reasons=reasons,
            forwards=margins.forwards,
            backwards=margins.backwards,
            extras={"steps": taken},
        )

    def _score(self, margins: Margins, inputs: Tensor, classes: Tensor) -> Tensor:
        """Margins [N], in double precision, without gradients."""
        with torch.no_grad():
            parts = zip(inputs.split(self.max_batch), classes.split(self.max_batch), strict=True)
            return torch.cat([margins(*part) for part in parts]).double()

    def _integrate(self, margins: Margins, clip: Tensor, baselines: Tensor, own: Tensor, steps: int) -> Tensor:
        """Mean map of one clip over its baselines [D, …].

        Clip by clip: the points on its ways fill batches, and clips end after different numbers of steps.
        """
        from captum.attr import IntegratedGradients as Method

        method = Method(margins)
        parts = [
            method.attribute(
                clip.expand_as(part),
                baselines=part,
                additional_forward_args=(own.expand(len(part)),),
                n_steps=steps,
                internal_batch_size=self.max_batch,
            )
            for part in baselines.split(self.max_batch)
        ]
        return torch.cat(parts).detach().mean(0)


def find_errors(values: Tensor, differences: Tensor) -> Tensor:
    """By which share of the differences [N] maps [N, …] miss them."""
    missing = values.double().flatten(1).sum(1) - differences
    return missing.abs() / differences.abs().clamp(min=1e-6)


def describe(error: float, steps: int, gate: float) -> list[str]:
    """Why a map must not be used, if it must not."""
    if error <= gate:
        return []
    return [f"completeness not reached in {steps} steps: the map misses the difference by {100 * error:.0f} %"]
