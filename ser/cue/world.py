"""A recording said again with one cue changed: analysis and synthesis by WORLD.

Morise, M., Yokomori, F. & Ozawa, K. (2016). WORLD: a vocoder-based high-quality speech synthesis system for real-time
applications. IEICE Transactions E99-D(7), 1877-1884. The vocoder itself changes a voice (shimmer and spectral tilt,
above all), so an edit is compared with the recording analysed and synthesised without one, never with the recording.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser.cue.tracks import Array
from ser.errors import InputError

PERIOD = 5.0  # ms from frame to frame
PIVOT = 500.0  # Hz above which tilt acts
LARGEST = 1 - 1e-6
LEAST_NOISE = 0.01  # of the voice's power, that a positive dose of breath starts from


@dataclass(frozen=True, eq=False)
class Voice:
    """WORLD's parameters: F0 in Hz ``[F]`` (0: unvoiced), power envelope and aperiodicity ``[F, bins]``."""

    f0: Array
    envelope: Array
    aperiodicity: Array
    rate: int

    def synthesise(self) -> Array:
        """The waveform ``[T]``."""
        arrays = (np.ascontiguousarray(part) for part in (self.f0, self.envelope, self.aperiodicity))
        return np.asarray(load_world().synthesize(*arrays, self.rate, PERIOD), dtype=np.float64)


def analyse(waveform: np.ndarray, rate: int) -> Voice:
    """Take a mono waveform ``[T]`` apart.

    Raises:
        InputError: pyworld is not installed.
    """
    world = load_world()
    signal = np.ascontiguousarray(waveform, dtype=np.float64)
    coarse, times = world.dio(signal, rate, f0_floor=60.0, f0_ceil=650.0, frame_period=PERIOD)
    f0 = world.stonemask(signal, coarse, times, rate)
    return Voice(f0, world.cheaptrick(signal, f0, times, rate), world.d4c(signal, f0, times, rate), rate)


def load_world() -> Any:
    """The module pyworld; InputError where it cannot be imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyworld asks for its version in a way that setuptools warns of
            import pyworld
    except ImportError as error:
        raise InputError(
            f"counterfactual prosody on recordings needs WORLD: {error}",
            expected="pyworld, and a setuptools before 81, whose pkg_resources pyworld imports",
            remedy="pip install 'ser[world]'",
        ) from error
    return pyworld


def raise_f0(voice: Voice, dose: float) -> Voice:
    """F0 by semitones."""
    return replace(voice, f0=voice.f0 * 2 ** (dose / 12))


def widen_f0(voice: Voice, dose: float) -> Voice:
    """Excursions of F0 about its mean, log2 factor."""
    voiced = voice.f0 > 0
    if not voiced.any():
        return voice
    octaves = np.log2(np.where(voiced, voice.f0, 1.0))
    mean = octaves[voiced].mean()
    return replace(voice, f0=np.where(voiced, 2 ** (mean + (octaves - mean) * 2**dose), 0.0))


def change_rate(voice: Voice, dose: float) -> Voice:
    """Speaking rate, log2 factor: frames are interpolated, F0 stays."""
    count = len(voice.f0)
    place = np.linspace(0, count - 1, max(2, round(count / 2**dose)))
    low = np.minimum(place.astype(int), count - 2)
    share = (place - low)[:, None]

    def stretch(track: Array) -> Array:
        return np.asarray(np.exp((1 - share) * np.log(track[low] + 1e-16) + share * np.log(track[low + 1] + 1e-16)))

    nearest = np.round(place).astype(int)
    aperiodicity = np.clip(stretch(voice.aperiodicity), 0.0, 1.0)
    return replace(voice, f0=voice.f0[nearest], envelope=stretch(voice.envelope), aperiodicity=aperiodicity)


def tilt_spectrum(voice: Voice, dose: float) -> Voice:
    """Fall of the envelope above 500 Hz, dB an octave (+ is laxer); only where there is a voice."""
    hertz = np.linspace(0, voice.rate / 2, voice.envelope.shape[1])
    decibels = -dose * np.log2(np.maximum(hertz, PIVOT) / PIVOT)
    return replace(
        voice, envelope=np.where(voice.f0[:, None] > 0, voice.envelope * 10 ** (decibels / 10), voice.envelope)
    )


def add_breath(voice: Voice, dose: float) -> Voice:
    """Noise against the periodic part of the voice, dB, at the same envelope."""
    noise = np.clip(voice.aperiodicity, 1e-6, LARGEST) ** 2
    # Where WORLD finds next to no noise, a factor alone would add none.
    odds = noise / (1 - noise) * 10 ** (dose / 10) + LEAST_NOISE * max(10 ** (dose / 10) - 1, 0.0)
    return replace(voice, aperiodicity=np.where(voice.f0[:, None] > 0, np.sqrt(odds / (1 + odds)), voice.aperiodicity))


#: Edits by cue; the unit of a dose is in each one's first line. Loudness is a gain in dB and needs no vocoder.
EDITS: MappingProxyType[str, Callable[[Voice, float], Voice]] = MappingProxyType(
    {"f0_level": raise_f0, "f0_range": widen_f0, "rate": change_rate, "tilt": tilt_spectrum, "breath": add_breath}
)
CUES = (*EDITS, "loudness")


@dataclass(frozen=True, eq=False)
class RecordedVoice:
    """A recording that can be said again with one cue changed.

    Args:
        clip, speaker, emotion: as in the manifest.
        waveform: mono ``[T]``.
        rate: in Hz.
    """

    clip: str
    speaker: str
    emotion: str
    waveform: NDArray[np.float32]
    rate: int

    def allow(self, cue: str, doses: Sequence[float]) -> list[float]:  # noqa: ARG002
        """All doses."""
        return list(doses)

    @cached_property
    def voice(self) -> Voice:
        """WORLD's parameters, found once."""
        return analyse(self.waveform, self.rate)

    def say(self, cue: str, dose: float) -> NDArray[np.float32]:
        """The recording with a cue changed by a dose; a dose of 0 is the vocoder alone.

        All but loudness keep the level of that baseline.

        Raises:
            InputError: WORLD cannot change this cue.
        """
        if cue not in CUES:
            raise InputError(f"WORLD cannot change the cue {cue!r}", expected=", ".join(CUES))
        plain = self._plain
        if cue == "loudness":
            return np.asarray(plain * 10 ** (dose / 20), dtype=np.float32)
        changed = EDITS[cue](self.voice, dose).synthesise()
        level = np.sqrt(float(np.mean(plain**2)) / max(float(np.mean(changed**2)), 1e-20))
        return np.asarray(changed * level, dtype=np.float32)

    @cached_property
    def _plain(self) -> Array:
        return self.voice.synthesise()
