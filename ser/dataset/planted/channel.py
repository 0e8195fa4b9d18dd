"""How an utterance was recorded: a tilted channel, background noise, bandwidth, gain.

None of it depends on the emotion, unless it is the shortcut of a track that has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfiltfilt

from ser.dataset.planted.streams import Stream, open_stream

SNR_RANGE = (20.0, 45.0)  # dB
#: dB; an SD of 1.2 dB beside one of 3 dB for the loudness cue, so that loudness can still be read.
GAIN_RANGE = (-2.0, 2.0)
SHELF_RANGE = (-3.0, 3.0)  # dB above SHELF_CORNER
SHELF_CORNER = 2000.0  # Hz
PEAK = 0.98  # of full scale
# White to pink within 0.3 dB, from J. O. Smith, Spectral Audio Signal Processing (2011), section on 1/f noise.
PINK_ZEROS = (0.049922035, -0.095993537, 0.050612699, -0.004408786)
PINK_POLES = (1.0, -2.494956002, 2.017265875, -0.522189400)
PINK_RMS = 0.0862  # of the above for white noise of unit RMS


@dataclass(frozen=True)
class Channel:
    """Signal-to-noise ratio over the whole utterance, gain, and gain of the treble alone, all in dB.

    ``cutoff_hz`` is where a low-pass ends the band; ``None`` leaves it open.
    """

    snr_db: float
    gain_db: float
    shelf_db: float
    cutoff_hz: float | None = None

    def describe(self) -> dict[str, float]:
        """The values by name, without a cutoff where there is none."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def draw_channel(key: Sequence[int]) -> Channel:
    """Draw the channel of one utterance."""
    rng = open_stream(Stream.CHANNEL, key)
    return Channel(*(float(rng.uniform(*limits)) for limits in (SNR_RANGE, GAIN_RANGE, SHELF_RANGE)))


def record(
    wave: NDArray[np.float32], channel: Channel, rate: int, key: Sequence[int], reference: float | None = None
) -> tuple[NDArray[np.float32], Channel]:
    """The utterance as the channel passes it on, ``[samples]``, and the channel with the gain that fitted.

    Args:
        wave: ``[samples]``.
        channel: what is done to it.
        rate: samples a second.
        key: of the utterance.
        reference: RMS that the noise is relative to, of the matched utterance (:func:`measure_level`): noise and gain
            are then exactly those of that one. By default the noise is relative to this utterance.
    """
    level = measure_level(wave, channel, rate) if reference is None else reference
    white = open_stream(Stream.BACKGROUND, key).standard_normal(wave.size)
    pink = lfilter(PINK_ZEROS, PINK_POLES, white) / PINK_RMS
    noisy = _lift_treble(wave, channel.shelf_db, rate) + pink * level * 10 ** (-channel.snr_db / 20)
    if channel.cutoff_hz is not None:
        noisy = sosfiltfilt(butter(6, channel.cutoff_hz, fs=rate, output="sos"), noisy)
    gain = channel.gain_db
    if reference is None:
        # A loud voice and a high gain could clip, once in some ten thousand clips.
        gain = min(gain, float(20 * np.log10(PEAK / np.abs(noisy).max())))
    return (noisy * 10 ** (gain / 20)).astype(np.float32), replace(channel, gain_db=gain)


def measure_level(wave: NDArray[np.float32], channel: Channel, rate: int) -> float:
    """RMS of an utterance behind the treble of its channel."""
    return float(np.sqrt(np.mean(_lift_treble(wave, channel.shelf_db, rate) ** 2)))


def _lift_treble(wave: NDArray[np.float32], gain: float, rate: int) -> NDArray[np.float64]:
    """First-order high shelf: 0 dB at 0 Hz, the gain at half the sampling rate."""
    corner = np.tan(np.pi * SHELF_CORNER / rate)
    # Half the gain at the corner, for cuts and lifts alike.
    low, high = corner * 10 ** (gain / 40), corner * 10 ** (-gain / 40)
    linear = 10 ** (gain / 20)
    poles = (1.0, (low - 1) / (low + 1))
    zeros = np.array([1.0, (high - 1) / (high + 1)]) * linear * (1 + high) / (1 + low)
    return np.asarray(lfilter(zeros, poles, wave))
