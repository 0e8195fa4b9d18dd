"""Praat's pitch, harmonicity, cycles and first formant, through parselmouth, if it is installed.

Praat and parselmouth are under the GPL 3, so ``ser`` neither needs nor installs them, and imports them only here, on
first use. Praat has no loudness in our sense, and the shape of the spectrum is measured as by our own meter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser.cue.meters.formants import DIVIDE, RATE_HIGH, RATE_LOW
from ser.cue.meters.frames import RATE, find_stretches, resample
from ser.cue.meters.own import REFERENCE
from ser.cue.meters.perturbation import gather_cycles, measure_perturbation
from ser.cue.meters.segments import find_segments, mark_speech
from ser.cue.meters.spectrum import describe_spectrum
from ser.cue.reliability import read_reliability
from ser.cue.tracks import STEP, Array, Tracks, count_frames, place_frames
from ser.errors import InputError

PERIODS = 4.5  # in a window of the harmonicity, Praat's standard
SILENCE = 0.1  # of the same


@dataclass(frozen=True)
class PraatMeter:
    """Measures with Praat where it can.

    Args:
        floor, ceiling: Hz, the range of F0.
        reliability: of each cue; by default what ladders of planted doses showed.
    """

    floor: float = 60.0
    ceiling: float = 650.0
    reliability: Mapping[str, float | None] = field(default_factory=lambda: read_reliability("praat"))

    def measure(self, waveform: np.ndarray, rate: int) -> Tracks:
        """Tracks of a mono waveform ``[T]`` at a rate in Hz.

        Raises:
            InputError: parselmouth is not installed.
        """
        parselmouth = load_parselmouth()
        signal = resample(waveform, rate)
        times = place_frames(count_frames(signal.size, RATE))
        # Windows must fit into the sound: silence around it lets Praat measure up to its ends.
        edge = 0.1
        sound = parselmouth.Sound(np.pad(signal.astype(np.float64), round(edge * RATE)), RATE)
        pitch = sound.to_pitch_ac(time_step=STEP, pitch_floor=self.floor, pitch_ceiling=self.ceiling)
        f0 = pick(pitch.xs() - edge, pitch.selected_array["frequency"], times, 0.0)
        voiced = ~np.isnan(f0)
        harmonicity = sound.to_harmonicity_ac(STEP, self.floor, SILENCE, PERIODS)
        hnr = pick(harmonicity.xs() - edge, harmonicity.values[0], times, -200.0)
        marks = parselmouth.praat.call([sound, pitch], "To PointProcess (cc)")
        points = np.atleast_1d(parselmouth.praat.call(marks, "To Matrix").values[0]) - edge
        runs = find_stretches(voiced) * STEP
        inside = [points[(points >= first) & (points <= end)] * RATE for first, end in runs]
        cycles = gather_cycles(signal, RATE, [run[(run >= 0) & (run < signal.size)] for run in inside])
        jitter, shimmer = measure_perturbation(cycles, len(times))
        f1, bandwidth = find_formant(sound, f0, times + edge)
        values = describe_spectrum(signal, voiced)
        values |= {"f0": 12 * np.log2(f0 / REFERENCE), "hnr": np.where(voiced, hnr, np.nan)}
        values |= {"jitter": np.where(voiced, jitter, np.nan), "shimmer": np.where(voiced, shimmer, np.nan)}
        values |= {"f1": f1, "f1_bandwidth": bandwidth}
        speech = mark_speech(values["level"], voiced)
        segments = find_segments(values["level"], values["sonority"], voiced, speech)
        return Tracks(times, voiced, speech, values, segments, cycles)


def load_parselmouth() -> Any:
    """The module; InputError where it is not installed."""
    try:
        import parselmouth
    except ImportError as error:
        raise InputError(
            "meter=praat: praat-parselmouth is not installed",
            expected="Praat's own code, under the GPL 3, which ser does not bring along",
            remedy="pip install praat-parselmouth, or take meter=numpy",
        ) from error
    return parselmouth


def pick(moments: Array, values: Array, times: Array, missing: float) -> Array:
    """The value of the nearest of Praat's frames at each time ``[F]``; NaN for its sign of a missing one."""
    if not len(moments):
        return np.full(len(times), np.nan)
    nearest = np.abs(moments[None] - times[:, None]).argmin(axis=1)
    return np.where(values[nearest] == missing, np.nan, values[nearest])


def find_formant(sound: Any, f0: Array, times: Array) -> tuple[Array, Array]:
    """F1 and its bandwidth in Hz at times of the sound ``[F]``, NaN where unvoiced."""
    voiced = np.flatnonzero(~np.isnan(f0))
    found = np.full((2, len(f0)), np.nan)
    if voiced.size:
        highest = (RATE_HIGH if np.median(f0[voiced]) > DIVIDE else RATE_LOW) / 2
        formants = sound.to_formant_burg(time_step=STEP, max_number_of_formants=5, maximum_formant=highest)
        for at in voiced:
            found[0, at] = formants.get_value_at_time(1, times[at])
            found[1, at] = formants.get_bandwidth_at_time(1, times[at])
    return found[0], found[1]
