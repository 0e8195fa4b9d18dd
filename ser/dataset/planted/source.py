"""The voice source: Liljencrants-Fant pulses along Fant's (1995) Rd, cycle by cycle, and aspiration noise.

Fant, G. (1995). The LF-model revisited: transformations and frequency domain analysis. STL-QPSR 36(2-3), 119-156.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ser.dataset.planted.cues import Array
from ser.dataset.planted.streams import Stream, open_stream

RD_LOW, RD_HIGH = 0.3, 2.7
ROWS, PHASES = 48, 1024
#: Mean absolute difference of two independent normal values, in SDs: turns local jitter or shimmer into an SD.
LOCAL_PER_SD = 2 / np.sqrt(np.pi)


@dataclass(frozen=True)
class Cycles:
    """Glottal cycles, each array ``[cycles]``.

    Args:
        start, period: s.
        jitter: relative deviation of the period from what F0 asks for.
        gain: dB, the deviation of the amplitude.
        run: number of the voiced stretch.
    """

    start: Array
    period: Array
    jitter: Array
    gain: Array
    run: NDArray[np.int64]


@dataclass(frozen=True)
class Pulses:
    """The bank, ``[ROWS, PHASES + 1]`` each: flow (its derivative over phase has unit RMS) and aspiration gate."""

    flow: NDArray[np.float32]
    gate: NDArray[np.float32]


def shape_pulse(rd: float, points: int = 8 * PHASES) -> Array:
    """One cycle of the LF flow derivative, ``[points]`` at phases from 0, for an Rd between 0.3 and 2.7."""
    ra, rk = (-1 + 4.8 * rd) / 100, (22.4 + 11.8 * rd) / 100
    slope = 0.5 + 1.2 * rk
    rg = rk * slope / (4 * (0.11 * rd - ra * slope))
    peak = 1 / (2 * rg)
    close, omega = peak * (1 + rk), np.pi / peak
    rest = 1 - close
    decay = brentq(lambda e: e * ra - 1 + np.exp(-e * rest), 0.1 / ra, 2 / ra)
    area_of_return = ((1 - np.exp(-decay * rest)) / decay - rest * np.exp(-decay * rest)) / (decay * ra)

    def leak(growth: float) -> float:
        """Net flow left at the end of the cycle; the LF model chooses the growth that leaves none."""
        sine, cosine = np.sin(omega * close), np.cos(omega * close)
        opened = growth * sine - omega * cosine + omega * np.exp(-growth * close)
        return -opened / (sine * (growth**2 + omega**2)) - area_of_return

    growth = brentq(leak, -50.0, 200.0)
    phase = (np.arange(points) + 0.5) / points
    opening = -np.exp(growth * (phase - close)) * np.sin(omega * phase) / np.sin(omega * close)
    closing = -(np.exp(-decay * (phase - close)) - np.exp(-decay * rest)) / (decay * ra)
    return np.where(phase < close, opening, closing)


@lru_cache(maxsize=1)
def build_bank() -> Pulses:
    """The pulses for ``ROWS`` values of Rd, computed once a process."""
    flows, gates = [], []
    for rd in np.linspace(RD_LOW, RD_HIGH, ROWS):
        slope = shape_pulse(float(rd))
        slope -= slope.mean()
        slope /= np.sqrt(np.mean(slope**2))
        flow = np.concatenate([[0.0], np.cumsum(slope)]) / slope.size
        flow = flow[:: slope.size // PHASES]
        # Turbulence follows the flow, but a leak keeps a little of it through the closed phase.
        gate = 0.25 + 0.75 * np.clip(flow, 0, None) / flow.max()
        flows.append(flow)
        gates.append(gate / np.sqrt(np.mean(gate**2)))
    return Pulses(np.array(flows, np.float32), np.array(gates, np.float32))


def mark_cycles(
    f0: Array, jitter: Array, shimmer: Array, runs: Sequence[tuple[int, int, int]], rate: int, key: Sequence[int]
) -> tuple[Cycles, Array, Array]:
    """Place glottal cycles in every voiced run.

    Args:
        f0: Hz, ``[samples]``.
        jitter: local jitter, the mean relative difference of neighbouring periods, ``[samples]``.
        shimmer: local shimmer, the mean difference of neighbouring amplitudes in dB, ``[samples]``.
        runs: first sample, end sample, and number of the syllable it starts in. Each run starts a cycle anew and has
            its own perturbation stream, so that a change in one run leaves the others as they are.
        rate: samples a second.
        key: of the utterance.

    Returns:
        The cycles, the phase in cycles (negative where unvoiced) and the linear amplitude, each ``[samples]``.
    """
    phase, amplitude = np.full(f0.size, -1.0), np.zeros(f0.size)
    parts: list[tuple[Array, Array, Array, Array, NDArray[np.int64]]] = []
    for number, (first, end, syllable) in enumerate(runs):
        steady = np.cumsum(f0[first:end]) / rate
        count = int(steady[-1]) + 2
        at = np.minimum(np.searchsorted(steady, np.arange(count)), end - first - 1) + first
        draws = open_stream(Stream.PERTURBATION, (*key, syllable)).standard_normal((count, 2))
        # Three SDs bound the period: a cycle of no length would break the phase.
        lengths = 1 + np.clip(draws[:, 0], -3, 3) * jitter[at] / LOCAL_PER_SD
        edges = np.concatenate([[0.0], np.cumsum(lengths)])
        run_phase = np.interp(steady, edges, np.arange(edges.size))
        cycle = np.minimum(run_phase.astype(int), count - 1)
        gain = draws[:, 1] * shimmer[at] / LOCAL_PER_SD
        phase[first:end] = run_phase
        amplitude[first:end] = 10 ** (gain / 20)[cycle]
        whole = int(run_phase[-1])
        moments = (first + np.interp(edges[: whole + 1], steady, np.arange(steady.size))) / rate
        parts.append((moments[:-1], np.diff(moments), lengths[:whole] - 1, gain[:whole], np.full(whole, number)))
    return Cycles(*map(np.concatenate, zip(*parts, strict=True))), phase, amplitude


def sound_source(
    phase: Array, amplitude: Array, rd: Array, breath: Array, noise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Glottal flow derivative with aspiration noise, ``[samples]``.

    The pulses are differences of the flow between samples, not samples of its derivative: that averages over the
    sample, which keeps most of the energy above half the sampling rate from folding back.

    Args:
        phase: cycles since the run began, negative where unvoiced, ``[samples]``.
        amplitude: of the cycle, linear, ``[samples]``.
        rd: Rd, clipped to 0.3-2.7, ``[samples]``.
        breath: linear RMS of the aspiration relative to the pulses, ``[samples]``.
        noise: of unit RMS, ``[samples]``.
    """
    bank = build_bank()
    voiced = phase >= 0
    row = (np.clip(rd, RD_LOW, RD_HIGH) - RD_LOW) * ((ROWS - 1.001) / (RD_HIGH - RD_LOW))
    upper = row.astype(np.int32)
    weight = (row - upper).astype(np.float32)
    column = (phase - np.floor(phase)) * PHASES
    left = np.minimum(column.astype(np.int32), PHASES - 1)
    part = (column - left).astype(np.float32)
    index = upper * (PHASES + 1) + left

    def look_up(table: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = table.ravel()
        first = flat[index] * (1 - part) + flat[index + 1] * part
        second = flat[index + PHASES + 1] * (1 - part) + flat[index + PHASES + 2] * part
        return np.asarray(first * (1 - weight) + second * weight, np.float32)

    flow = look_up(bank.flow) * amplitude * voiced
    step = np.diff(phase, prepend=phase[0])
    inside = voiced & (step > 0) & (step < 0.5)
    pulses = np.where(inside, np.diff(flow, prepend=0.0) / np.where(inside, step, 1.0), 0.0)
    gate = np.where(voiced, look_up(bank.gate), 1.0)
    return (pulses + breath * gate * noise).astype(np.float32)
