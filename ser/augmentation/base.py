"""The contract: zero-padded waveforms in, zero-padded waveforms out, every clip alone and from a seed of its own."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ser.errors import InputError


class Augmented(NamedTuple):
    """N clips made from a batch of B; N is B unless a union is among the augmentations.

    Attributes:
        waveforms: [N, T] float, zero beyond each clip's length.
        lengths: of the clips, in samples [N].
        sources: row of the batch that each clip was made from [N]: ``targets[sources]`` are the clips' targets.
    """

    waveforms: Tensor
    lengths: Tensor
    sources: Tensor


class Augmentation(ABC):
    """Makes clips from clips.

    A subclass sees one clip at a time without its padding, and a generator of its own. A clip's outcome therefore
    depends neither on padding nor on its neighbours, and a stored copy can be made anew from its seed alone.

    Attributes:
        keeps_original: whether the first variant of a clip is the clip itself.
    """

    keeps_original = False

    @abstractmethod
    def vary(self, clip: Tensor, rate: int, generator: torch.Generator) -> list[Tensor]:
        """Clips made from one.

        Args:
            clip: waveform [n] float32, without padding; it is not written to.
            rate: its sampling rate in Hz.
            generator: all that the outcome depends on besides the clip; on the CPU.
        """

    @abstractmethod
    def identify(self) -> dict[str, object]:
        """Name and parameters: with the seed, all that decides what comes out (for addresses in the feature store)."""

    @torch.no_grad()
    def augment(self, waveforms: Tensor, lengths: Tensor, rate: int, generator: torch.Generator) -> Augmented:
        """Augment a batch; it is not written to.

        The work is done on the CPU, so that the outcome is the same on every machine.

        Args:
            waveforms: [B, T] padded with zeros.
            lengths: in samples [B].
            rate: sampling rate in Hz.
            generator: one number a clip is drawn from it; the global random state is neither read nor changed.

        Returns:
            The first variant of every clip in the order of the batch (under a union: the originals), then the second
            of every clip, and so on; dtype and device are those of ``waveforms``.
        """
        seeds = torch.randint(2**62, (len(lengths),), generator=generator, device=generator.device).tolist()
        made: list[tuple[int, int, Tensor]] = []
        for source, (row, length, seed) in enumerate(zip(waveforms.cpu(), lengths.tolist(), seeds, strict=True)):
            variants = self.vary(row[:length].float(), rate, torch.Generator().manual_seed(seed))
            made += [(rank, source, variant) for rank, variant in enumerate(variants)]
        made.sort(key=lambda item: item[0])  # stable: within a rank, the batch's order
        padded = pad([clip for _, _, clip in made], waveforms.shape[1])
        return Augmented(
            padded.to(waveforms),
            torch.tensor([len(clip) for _, _, clip in made], dtype=lengths.dtype, device=lengths.device),
            torch.tensor([source for _, source, _ in made], dtype=torch.long, device=lengths.device),
        )


class Unchanged(Augmentation):
    """No augmentation."""

    def vary(self, clip: Tensor, rate: int, generator: torch.Generator) -> list[Tensor]:  # noqa: ARG002
        """The clip itself."""
        return [clip]

    def identify(self) -> dict[str, object]:
        """Name."""
        return {"augmentation": "none"}


class Transform(Augmentation):
    """One clip from one, with a probability.

    A subclass keeps each argument of its ``__init__`` under the argument's name, then calls this one. (No dataclass:
    OmegaConf takes instances of those for configurations and would hand a composition mappings.)

    Args:
        p: probability that a clip is transformed; otherwise it stays as it is.

    Raises:
        InputError: ``p`` outside 0 to 1, or an argument ``min_x`` above ``max_x``.
    """

    def __init__(self, p: float = 1.0) -> None:
        self.p = p
        if not 0 <= p <= 1:
            raise InputError(f"augmentation {type(self).__name__}: p={p}", expected="a probability, 0 to 1")
        parameters = self.get_parameters()
        for name in (name for name in parameters if name.startswith("min_")):
            upper = name.replace("min_", "max_", 1)
            if parameters[name] > parameters[upper]:
                raise InputError(
                    f"augmentation {type(self).__name__}: {name}={parameters[name]}, {upper}={parameters[upper]}",
                    expected=f"{name} not above {upper}",
                )

    def get_parameters(self) -> dict[str, Any]:
        """The arguments it was made with."""
        names = inspect.signature(type(self).__init__).parameters
        return {name: getattr(self, name) for name in names if name != "self"}

    @abstractmethod
    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Transform one clip [n] of at least one sample; arguments as in :meth:`vary`."""

    def vary(self, clip: Tensor, rate: int, generator: torch.Generator) -> list[Tensor]:
        """The transformed clip, or with probability 1 - p the clip itself."""
        applies = draw(generator, 0, 1) < self.p and len(clip) > 0
        return [self.transform(clip, rate, generator) if applies else clip]

    def identify(self) -> dict[str, object]:
        """Name and parameters."""
        return {"augmentation": type(self).__name__} | self.get_parameters()


def draw(generator: torch.Generator, low: float, high: float) -> float:
    """A number drawn uniformly between two others (the upper one excluded)."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def draw_integer(generator: torch.Generator, stop: int) -> int:
    """An integer drawn uniformly from 0 to ``stop`` - 1."""
    return int(torch.randint(stop, (), generator=generator))


def pad(clips: Sequence[Tensor], width: int) -> Tensor:
    """Clips [n] in rows of a tensor [N, T] with zeros behind them; T is ``width`` or the longest clip."""
    padded = torch.zeros(len(clips), max([width, *map(len, clips)]))
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    return padded
