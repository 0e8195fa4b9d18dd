"""Passes through a subject: margins as a module that counts them, parts of a batch, noise that is a clip's own."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import torch
from torch import Tensor, nn

from ser.explainer.base import margin
from ser.explainer.subject import Subject


class Margins(nn.Module):
    """Inputs [B, …] and classes [B] to margins [B].

    Args:
        network: inputs to logits [B, K].

    Attributes:
        forwards: clips that have passed.
        backwards: clips that gradients have passed back through.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.forwards = 0
        self.backwards = 0

    def forward(self, inputs: Tensor, classes: Tensor) -> Tensor:
        """Compute."""
        self.forwards += len(inputs)
        found = margin(self.network(inputs), classes)
        if found.requires_grad:
            found.register_hook(self._count)
        return found

    def _count(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


class AskedMargins:
    """The same of any subject, without gradients.

    Args:
        subject: the model.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.forwards = 0

    def __call__(self, inputs: Tensor, classes: Tensor) -> Tensor:
        """Compute."""
        self.forwards += len(inputs)
        return margin(self.subject.score(inputs), classes.to(self.subject.device)).to(inputs.device)


def split(inputs: Tensor, classes: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Parts of at most so many clips, cut off from any graph and ready for gradients."""
    for part, own in zip(inputs.split(size), classes.split(size), strict=True):
        yield part.detach().clone().requires_grad_(), own.to(inputs.device)


def derive_seed(clip: Tensor, seed: int) -> int:
    """A seed of a clip's own, whatever its neighbours in a batch.

    It comes from the shape and from levels of a few parts, to a thousandth: differences of rounding, as between batches
    of other sizes, do not change it.
    """
    parts = clip.detach().double().flatten().tensor_split(3)
    levels = [round(1000 * float(part.square().mean().clamp(min=1e-24).log())) for part in parts if part.numel()]
    content = repr((seed, tuple(clip.shape), levels)).encode()
    return int.from_bytes(blake2b(content, digest_size=7).digest(), "little")


def make_generator(clip: Tensor, seed: int) -> torch.Generator:
    """Random numbers of a clip's own, on the CPU, so that devices agree."""
    return torch.Generator().manual_seed(derive_seed(clip, seed))
