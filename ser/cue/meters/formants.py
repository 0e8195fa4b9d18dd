"""The first formant and its bandwidth by linear prediction.

Burg's method on windowed frames of the voice (Childers, 1978; Praat's choice too), two poles for each kilohertz below
half the rate; F1 is the lowest resonance that is neither the melody's nor the window's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ser.cue.meters.frames import cut_frames, resample
from ser.cue.tracks import Array

WINDOW = 0.05  # s, of a Gaussian whose effective length is half
LOWEST, HIGHEST = 150.0, 1200.0  # Hz, of F1
WIDEST = 600.0  # Hz; wider roots are the spectrum's tilt
PREEMPHASIS = 50.0  # Hz, from which the spectrum is raised by 6 dB an octave
RATE_LOW, RATE_HIGH = 10000, 11000  # Hz, for long and short vocal tracts
#: Hz, the median F0 that tells them apart, between the means of men and women.
DIVIDE = 165.0


def track_first_formant(signal: NDArray[np.float32], rate: int, f0: Array) -> tuple[Array, Array]:
    """F1 and its bandwidth in Hz ``[F]``, NaN where unvoiced or where no resonance qualifies."""
    frequency, bandwidth = np.full(len(f0), np.nan), np.full(len(f0), np.nan)
    voiced = np.flatnonzero(~np.isnan(f0))
    if not voiced.size:
        return frequency, bandwidth
    wanted = RATE_HIGH if np.median(f0[voiced]) > DIVIDE else RATE_LOW
    lowered = resample(signal, rate, wanted).astype(np.float64)
    raised = lowered - np.exp(-2 * np.pi * PREEMPHASIS / wanted) * np.concatenate([[0.0], lowered[:-1]])
    width = round(WINDOW * wanted)
    frames = cut_frames(raised.astype(np.float32), wanted, width, len(f0))[voiced].astype(np.float64)
    found = _find_lowest(predict(frames * _shape_window(width), wanted // 1000), wanted)
    frequency[voiced], bandwidth[voiced] = found
    return frequency, bandwidth


def predict(frames: Array, order: int) -> Array:
    """Prediction polynomials ``[F, order + 1]``, leading 1, by Burg's method."""
    forward, backward = frames[:, 1:].copy(), frames[:, :-1].copy()
    polynomial = np.ones((len(frames), 1))
    for _ in range(order):
        product = np.einsum("ft,ft->f", forward, backward)
        power = np.einsum("ft,ft->f", forward, forward) + np.einsum("ft,ft->f", backward, backward)
        reflection = (-2 * product / np.maximum(power, 1e-20))[:, None]
        padded = np.pad(polynomial, ((0, 0), (0, 1)))
        polynomial = padded + reflection * padded[:, ::-1]
        forward, backward = (forward + reflection * backward)[:, 1:], (backward + reflection * forward)[:, :-1]
    return polynomial


def _find_lowest(polynomials: Array, rate: int) -> tuple[Array, Array]:
    """Frequency and bandwidth in Hz of each polynomial's lowest resonance in range ``[F]``."""
    count, order = polynomials.shape[0], polynomials.shape[1] - 1
    companion = np.zeros((count, order, order))
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1.0
    companion[:, 0] = -polynomials[:, 1:]
    roots = np.linalg.eigvals(companion)
    frequency = np.angle(roots) * rate / (2 * np.pi)
    bandwidth = -np.log(np.maximum(np.abs(roots), 1e-9)) * rate / np.pi
    fits = (frequency > LOWEST) & (frequency < HIGHEST) & (bandwidth < WIDEST) & (bandwidth > 0)
    best = np.where(fits, frequency, np.inf).argmin(axis=1)
    rows, any_fits = np.arange(count), fits.any(axis=1)
    return np.where(any_fits, frequency[rows, best], np.nan), np.where(any_fits, bandwidth[rows, best], np.nan)


def _shape_window(width: int) -> Array:
    """Praat's Gaussian, 0 at the edges."""
    place = (np.arange(width) + 0.5) / width - 0.5
    edge = np.exp(-12.0)
    return (np.exp(-48.0 * place**2) - edge) / (1 - edge)
