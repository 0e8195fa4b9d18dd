"""From a file to the waveform a consumer reads: decode, mix to mono, resample, float32."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

#: A clip whose samples span less than this (full scale is 2) is silent: below -80 dBFS there is no speech to read.
SILENCE = 1e-4
#: libsndfile reads a truncated file as a shorter one; its log tells: "data : 64000 (should be 31978)".
SHORTER = re.compile(r"(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)")


class BadAudio(Exception):
    """A clip that cannot be used; the message is the reason alone, the caller knows the file."""


@dataclass(frozen=True)
class Preparation:
    """What happens to every clip before a backbone reads it, the same at training and at test.

    Args:
        mono: ``mean`` averages the channels, ``first`` takes the first one.
        resampler: quality name of soxr (``HQ``, ``VHQ``, ``MQ``, ``LQ``, ``QQ``).
    """

    mono: Literal["mean", "first"] = "mean"
    resampler: str = "HQ"

    def __post_init__(self) -> None:
        if self.mono not in ("mean", "first"):
            raise ValueError(f"audio.mono={self.mono!r}: expected mean or first")

    def read(self, path: str | Path, rate: int, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The waveform [T] of a clip, mono float32 at ``rate`` Hz.

        Args:
            path: any file libsndfile decodes.
            rate: sampling rate of the consumer in Hz.
            start: where the clip begins in the file, in s (``None``: at its beginning).
            end: where it ends, in s (``None``: at the end of the file).

        Raises:
            BadAudio: missing, undecodable, empty, non-finite or silent.
        """
        samples, file_rate = decode(path, start, end)
        mixed = samples.mean(axis=1) if self.mono == "mean" else samples[:, 0]
        if not np.isfinite(mixed).all():
            raise BadAudio("non-finite samples (NaN or infinity)")
        if np.ptp(mixed) < SILENCE:
            raise BadAudio("silent (all samples alike, below -80 dBFS)")
        if file_rate != rate:
            mixed = soxr.resample(mixed, file_rate, rate, quality=self.resampler)
        if len(mixed) == 0:
            raise BadAudio(f"empty after resampling from {file_rate} to {rate} Hz")
        return np.ascontiguousarray(mixed, dtype=np.float32)


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
