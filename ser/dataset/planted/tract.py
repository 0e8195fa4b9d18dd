"""The vocal tract as a filter that moves: every frame has its own analytic response, frames overlap and add.

Poles and zeros are those of Klatt's (1980) cascade synthesiser: digital resonators of unit gain at 0 Hz, here with
resonances up to half the sampling rate, so that the energy above 3 kHz comes out right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

from ser.dataset.planted.articulation import NASAL_POLE, Articulation
from ser.dataset.planted.cues import Array
from ser.dataset.planted.speaker import Speaker
from ser.dataset.planted.text import Onset

RATE = 16000
HOP = 80  # samples between frames
SPAN = 12  # hops a filtered frame lasts: 60 ms, in which a resonance 40 Hz wide dies away by 54 dB
BINS = SPAN * HOP // 2 + 1


def count_frames(samples: int) -> int:
    """How many frames cover some samples; frame k is centred on sample ``k * HOP``."""
    return -(-samples // HOP) + 1


def respond(articulation: Articulation, speaker: Speaker) -> NDArray[np.complex64]:
    """The response of the tract in every frame, ``[frames, BINS]``."""
    count = len(articulation.zero)
    poles = np.ones((count, 1))
    for formant, bandwidth in zip(articulation.formants.T, articulation.bandwidths.T, strict=True):
        poles = _multiply(poles, _resonate(formant, bandwidth))
    poles = _multiply(poles, _resonate(np.full(count, NASAL_POLE), np.full(count, 100.0)))
    zeros = _resonate(articulation.zero, np.full(count, 100.0))
    response = fft.rfft(zeros, SPAN * HOP, axis=1) / fft.rfft(poles, SPAN * HOP, axis=1)
    return (response * _colour(speaker)).astype(np.complex64)


def shape_noise(onset: Onset, speaker: Speaker) -> Array:
    """Amplitude response that gives white noise the spectrum of a consonant and unit RMS, ``[BINS]``."""
    peak = min(onset.peak * (1 + 0.5 * (speaker.tract - 1)), 0.42 * RATE)
    pole = _resonate(np.array([peak]), np.array([onset.width]))[0]
    response = 1 / np.abs(np.fft.rfft(pole, SPAN * HOP))
    hertz = np.fft.rfftfreq(SPAN * HOP, 1 / RATE)
    # The cavity behind the constriction cancels most below the peak.
    response *= np.minimum(hertz / (0.8 * peak), 1.0) ** 2
    return response / np.sqrt(np.mean(response**2))


def filter_frames(
    signal: NDArray[np.float32], response: NDArray[np.complex64], frames: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Filter a signal with a response that changes from frame to frame.

    Args:
        signal: ``[samples]``.
        response: of each frame, ``[frames, BINS]``.
        frames: the numbers of these frames, if not all; the signal must be silent in the others.

    Returns:
        ``[samples]``.
    """
    count = count_frames(signal.size)
    padded = np.zeros((count + 1) * HOP, np.float32)
    padded[HOP : HOP + signal.size] = signal
    window = np.hanning(2 * HOP + 1)[:-1].astype(np.float32)
    pieces = sliding_window_view(padded, 2 * HOP)[::HOP]
    if frames is not None:
        pieces = pieces[frames]
    spectra = fft.rfft(pieces * window, SPAN * HOP, axis=1)
    spectra *= response
    filtered = fft.irfft(spectra, SPAN * HOP, axis=1)
    # Neighbouring frames lie one hop apart: add them hop by hop.
    out = np.zeros((count + SPAN, HOP), np.float32)
    where = np.arange(count) if frames is None else frames
    for part in range(SPAN):
        out[where + part] += filtered[:, part * HOP : (part + 1) * HOP]
    return out.ravel()[HOP : HOP + signal.size]


def _resonate(hertz: Array, bandwidth: Array) -> Array:
    """Coefficients of ``1 - 2 r cos(w) z^-1 + r^2 z^-2``, scaled to 1 at 0 Hz, ``[frames, 3]``."""
    radius = np.exp(-np.pi * bandwidth / RATE)
    middle = -2 * radius * np.cos(2 * np.pi * hertz / RATE)
    coefficients = np.stack([np.ones_like(radius), middle, radius**2], axis=1)
    return coefficients / coefficients.sum(axis=1, keepdims=True)


def _multiply(left: Array, right: Array) -> Array:
    """Products of polynomials, row by row."""
    out = np.zeros((left.shape[0], left.shape[1] + right.shape[1] - 1))
    for power in range(right.shape[1]):
        out[:, power : power + left.shape[1]] += left * right[:, power : power + 1]
    return out


def _colour(speaker: Speaker) -> NDArray[np.complex128]:
    """What does not move: the resonances above F5 and the speaker's own long-term spectrum, ``[BINS]``."""
    hertz = np.fft.rfftfreq(SPAN * HOP, 1 / RATE)
    fixed = np.ones((1, 1))
    for formant in _list_high_formants(speaker):
        fixed = _multiply(fixed, _resonate(np.array([formant]), np.array([60 + formant / 18])))
    octaves = np.log2(np.maximum(hertz, 100.0) / 100.0) / np.log2(RATE / 2 / 100)
    ripple = sum(size * np.cos(np.pi * (k + 2) * octaves) for k, size in enumerate(speaker.spectrum))
    return 10 ** (np.asarray(ripple) / 20) / np.fft.rfft(fixed[0], SPAN * HOP)


def _list_high_formants(speaker: Speaker) -> Sequence[float]:
    formants = [(k - 0.5) * 1000 * speaker.tract for k in range(6, 10)]
    return [formant for formant in formants if formant < 0.485 * RATE]
