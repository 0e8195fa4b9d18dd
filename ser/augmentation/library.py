"""Transforms of torch-audiomentations that are right once each clip comes to them alone.

On a padded batch none of them is: fractions are of the padded length, signal levels are averaged over the padding,
filters ring into it and shifts push speech into it. They also draw from the global random state, which is put back.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ser.augmentation.base import Transform
from ser.errors import InputError

#: Arguments that all transforms of the library get: a clip that comes here is to be transformed.
ALWAYS = {"p": 1.0, "mode": "per_example", "output_type": "dict"}


def load_library() -> Any:
    """The package torch_audiomentations; it takes a second and loads torchaudio, so only where it is used."""
    try:
        import torch_audiomentations
    except (ImportError, OSError) as error:
        reason = f"torch-audiomentations cannot be loaded ({error})"
        raise InputError(reason, remedy="run `ser doctor --fix`") from error
    return torch_audiomentations


@contextmanager
def seed_globally(generator: torch.Generator) -> Iterator[None]:
    """Let global random numbers (torch's on the CPU, Python's) depend on the generator alone; put them back after."""
    before, before_python = torch.get_rng_state(), random.getstate()
    seed = int(torch.randint(2**62, (), generator=generator))
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the accelerators
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
        random.setstate(before_python)


class LibraryTransform(Transform):
    """A transform that torch-audiomentations computes."""

    @abstractmethod
    def build(self, rate: int) -> Any:
        """The library's transform for a rate in Hz."""

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Transform."""
        with seed_globally(generator):
            return self.build(rate)(clip[None, None], sample_rate=rate).samples[0, 0]


class Gain(LibraryTransform):
    """Another level. Samples may exceed 1: nothing is clipped.

    Args:
        min_gain: in dB.
        max_gain: in dB, above ``min_gain``.
        p: probability that a clip is transformed.

    Raises:
        InputError: no range.
    """

    def __init__(self, min_gain: float = -18.0, max_gain: float = 6.0, p: float = 1.0) -> None:
        self.min_gain = min_gain
        self.max_gain = max_gain
        super().__init__(p)
        if min_gain == max_gain:
            raise InputError(f"augmentation Gain: min_gain and max_gain are both {min_gain} dB", expected="a range")

    def build(self, rate: int) -> Any:  # noqa: ARG002
        """The library's transform."""
        return load_library().Gain(self.min_gain, self.max_gain, **ALWAYS)


class PolarityInversion(LibraryTransform):
    """All samples times -1: inaudible, but a network that reads waveforms must not care.

    Args:
        p: probability that a clip is transformed.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def build(self, rate: int) -> Any:  # noqa: ARG002
        """The library's transform."""
        return load_library().PolarityInversion(**ALWAYS)


class TimeShift(LibraryTransform):
    """The clip starts earlier or later; its length stays.

    Args:
        min_shift: share of the clip's length; below 0 it starts earlier.
        max_shift: share of the clip's length.
        rollover: what leaves at one end comes back at the other; otherwise it is lost and silence comes in.
        p: probability that a clip is transformed.
    """

    def __init__(self, min_shift: float = -0.1, max_shift: float = 0.1, rollover: bool = False, p: float = 1.0) -> None:
        self.min_shift = min_shift
        self.max_shift = max_shift
        self.rollover = rollover
        super().__init__(p)

    def build(self, rate: int) -> Any:  # noqa: ARG002
        """The library's transform."""
        return load_library().Shift(self.min_shift, self.max_shift, rollover=self.rollover, **ALWAYS)


class LowPass(LibraryTransform):
    """What lies above a cutoff is removed (windowed sinc, linear phase; the cutoff is drawn uniformly in mel).

    Args:
        min_cutoff: in Hz.
        max_cutoff: in Hz; cutoffs above half the sampling rate, at which the library raises an error, become that.
        p: probability that a clip is transformed.
    """

    def __init__(self, min_cutoff: float = 150.0, max_cutoff: float = 7500.0, p: float = 1.0) -> None:
        self.min_cutoff = min_cutoff
        self.max_cutoff = max_cutoff
        super().__init__(p)

    def build(self, rate: int) -> Any:
        """The library's transform."""
        return load_library().LowPassFilter(*limit([self.min_cutoff, self.max_cutoff], rate), **ALWAYS)


class HighPass(LibraryTransform):
    """What lies below a cutoff is removed (windowed sinc, linear phase; the cutoff is drawn uniformly in mel).

    Args:
        min_cutoff: in Hz.
        max_cutoff: in Hz, at most half the sampling rate.
        p: probability that a clip is transformed.
    """

    def __init__(self, min_cutoff: float = 20.0, max_cutoff: float = 2400.0, p: float = 1.0) -> None:
        self.min_cutoff = min_cutoff
        self.max_cutoff = max_cutoff
        super().__init__(p)

    def build(self, rate: int) -> Any:
        """The library's transform."""
        return load_library().HighPassFilter(*limit([self.min_cutoff, self.max_cutoff], rate), **ALWAYS)


def limit(frequencies: list[float], rate: int) -> list[float]:
    """Frequencies, none above half the sampling rate (all in Hz)."""
    return [min(frequency, rate / 2) for frequency in frequencies]
