"""From a file to the waveform a consumer reads, and where its samples lie in that file.

Decode, mix to mono, resample; then, each only if asked for, trim silence, set the loudness, settle the duration. The
order is fixed. Trimming comes before loudness, so that silence does not count in a short clip's loudness and an
absolute threshold means the level on the recording. Loudness comes before duration, so that it is the utterance's own,
whatever zeros are added or seconds cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import soundfile
import soxr

from ser.errors import InputError

if TYPE_CHECKING:
    from ser.audio.cache import AudioCache

#: A clip whose samples span less than this (full scale is 2) is silent: below -80 dBFS there is no speech to read.
SILENCE = 1e-4
#: libsndfile reads a truncated file as a shorter one; its log tells: "data : 64000 (should be 31978)".
SHORTER = re.compile(r"(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)")


class BadAudio(Exception):
    """A clip that cannot be used; the message is the reason alone, the caller knows the file."""


class OutOfRange(BadAudio):
    """A sound clip of a duration that was not asked for (:class:`ser.audio.duration.Range`): no fault of the file."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A clip as a backbone reads it.

    Attributes:
        waveform: mono float32 [T] at ``rate``.
        rate: in Hz.
        offset: when ``waveform[0]`` happens, in s on the time axis of the file; below 0 where zeros were put before
            its beginning. Sample ``i`` happens at ``offset + i / rate``.
        begin: samples of padding before the clip.
        valid: samples of the clip itself: ``waveform[begin : begin + valid]``; what surrounds them is padding.
        shortfall: by how many dB the peak guard kept the clip below the loudness asked for.
    """

    waveform: np.ndarray
    rate: int
    offset: float
    begin: int
    valid: int
    shortfall: float = 0.0

    def crop(self, first: int, stop: int) -> Prepared:
        """The samples from ``first`` up to ``stop``, in their place on the file's time axis."""
        end = max(first, min(self.begin + self.valid, stop))
        begin = min(max(self.begin, first), end)
        offset = self.offset + first / self.rate
        waveform = self.waveform[first:stop]
        return replace(self, waveform=waveform, offset=offset, begin=begin - first, valid=end - begin)

    def pad(self, before: int, after: int) -> Prepared:
        """Zeros around the clip, noted as such."""
        offset = self.offset - before / self.rate
        return replace(self, waveform=np.pad(self.waveform, (before, after)), offset=offset, begin=self.begin + before)


class Step(Protocol):
    """One optional part of the preparation: a frozen dataclass, so that its parameters are its identity."""

    def apply(self, clip: Prepared) -> Prepared:
        """The clip with one thing changed; raises BadAudio for a clip it cannot be done to."""


@dataclass(frozen=True)
class Preparation:
    """What happens to every clip before a backbone reads it, the same at training and at test.

    Args:
        mono: ``mean`` averages the channels, ``first`` takes the first one.
        resampler: quality name of soxr (``HQ``, ``VHQ``, ``MQ``, ``LQ``, ``QQ``).
        trim: takes silence off both ends (:mod:`ser.audio.trim`), or ``None``.
        loudness: sets the level (:mod:`ser.audio.loudness`), or ``None``.
        duration: settles the length (:mod:`ser.audio.duration`), or ``None``.
        cache: keeps trimmed and levelled clips; no part of the preparation's identity, as it changes no sample.
    """

    mono: Literal["mean", "first"] = "mean"
    resampler: str = "HQ"
    trim: Step | None = None
    loudness: Step | None = None
    duration: Step | None = None
    cache: AudioCache | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.mono not in ("mean", "first"):
            raise ValueError(f"audio.mono={self.mono!r}: expected mean or first")
        for name in ("trim", "loudness", "duration"):
            if not getattr(self, name):  # conf/audio/*/none.yaml is an empty mapping
                object.__setattr__(self, name, None)
            elif not hasattr(getattr(self, name), "apply"):
                raise InputError(
                    f"audio.{name} has settings but no kind: {dict(getattr(self, name))}",
                    remedy=f"the chosen preset sets them; to go without, pass audio.{name}=null",
                )

    def read(self, path: str | Path, rate: int, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The waveform of :meth:`prepare` alone [T]."""
        return self.prepare(path, rate, start, end).waveform

    def prepare(self, path: str | Path, rate: int, start: float | None = None, end: float | None = None) -> Prepared:
        """A clip, mono float32 at ``rate`` Hz, and where it lies in its file.

        Args:
            path: any file libsndfile decodes.
            rate: sampling rate of the consumer in Hz.
            start: where the clip begins in the file, in s (``None``: at its beginning).
            end: where it ends, in s (``None``: at the end of the file).

        Raises:
            BadAudio: missing, undecodable, empty, non-finite or silent.
            OutOfRange: shorter or longer than ``duration`` admits.
        """
        if self.cache is None or (self.trim is None and self.loudness is None):
            return self._compute(path, rate, start, end)
        identity = (self, *(type(step).__module__ for step in self._steps), rate, start, end)
        return self.cache.fetch(path, repr(identity), lambda: self._compute(path, rate, start, end))

    @property
    def _steps(self) -> tuple[Step, ...]:
        return tuple(step for step in (self.trim, self.loudness, self.duration) if step is not None)

    def _compute(self, path: str | Path, rate: int, start: float | None, end: float | None) -> Prepared:
        samples, file_rate = decode(path, start, end)
        return self.process(samples, file_rate, rate, 0.0 if start is None else round(start * file_rate) / file_rate)

    def process(self, samples: np.ndarray, file_rate: int, rate: int, offset: float = 0.0) -> Prepared:
        """What becomes of decoded samples [T, channels].

        Args:
            samples: float32.
            file_rate: theirs in Hz.
            rate: of the consumer in Hz.
            offset: when the first one happens, in s on the time axis of the file.

        Raises:
            BadAudio: non-finite or silent.
            OutOfRange: shorter or longer than ``duration`` admits.
        """
        mixed = samples.mean(axis=1) if self.mono == "mean" else samples[:, 0]
        if not np.isfinite(mixed).all():
            raise BadAudio("non-finite samples (NaN or infinity)")
        if np.ptp(mixed) < SILENCE:
            raise BadAudio("silent (all samples alike, below -80 dBFS)")
        if file_rate != rate:
            mixed = soxr.resample(mixed, file_rate, rate, quality=self.resampler)
        if len(mixed) == 0:
            raise BadAudio(f"empty after resampling from {file_rate} to {rate} Hz")
        clip = Prepared(mixed, rate, offset, 0, len(mixed))
        for step in self._steps:
            clip = step.apply(clip)
        return replace(clip, waveform=np.ascontiguousarray(clip.waveform, dtype=np.float32))


def check_length(header: str) -> None:
    """Raise BadAudio where libsndfile notes that the file ends before its header says it does."""
    match = SHORTER.search(header)
    if match:
        raise BadAudio(f"truncated: {match[2]} of {match[1]} bytes of samples are there")


def decode(path: str | Path, start: float | None = None, end: float | None = None) -> tuple[np.ndarray, int]:
    """Samples [T, channels] float32 and the rate in Hz that the file's header states.

    Raises:
        BadAudio: missing, undecodable or empty.
    """
    if not Path(path).is_file():
        raise BadAudio("no such file")
    try:
        with soundfile.SoundFile(path) as file:
            check_length(file.extra_info)
            rate = file.samplerate
            first = 0 if start is None else round(start * rate)
            stop = file.frames if end is None else min(round(end * rate), file.frames)
            if first >= stop:
                raise BadAudio("empty" if start is None and end is None else f"empty between {start} and {end} s")
            file.seek(first)
            samples = file.read(stop - first, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"cannot be decoded ({str(error).strip()})") from error
    if len(samples) == 0:
        raise BadAudio("empty")
    if len(samples) < stop - first:
        raise BadAudio(f"truncated: {len(samples)} of {stop - first} samples could be decoded")
    return samples, rate
