"""Our own meter: every cue in numpy and scipy, under no licence but that of ``ser``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ser.cue.meters.formants import track_first_formant
from ser.cue.meters.frames import RATE, resample
from ser.cue.meters.perturbation import mark_cycles, measure_perturbation
from ser.cue.meters.pitch import PitchSettings, track_pitch
from ser.cue.meters.segments import find_segments, mark_speech
from ser.cue.meters.spectrum import describe_spectrum
from ser.cue.reliability import read_reliability
from ser.cue.tracks import Tracks, place_frames

#: Hz, to which 0 semitones refer, as in GeMAPS.
REFERENCE = 27.5


@dataclass(frozen=True)
class NumpyMeter:
    """Measures all descriptors of :data:`ser.cue.tracks.DESCRIPTORS`.

    Args:
        floor, ceiling: Hz, the range of F0.
        reliability: of each cue; by default what ladders of planted doses showed.
    """

    floor: float = 60.0
    ceiling: float = 650.0
    reliability: Mapping[str, float | None] = field(default_factory=lambda: read_reliability("numpy"))

    def measure(self, waveform: np.ndarray, rate: int) -> Tracks:
        """Tracks of a mono waveform ``[T]`` at a rate in Hz."""
        signal = resample(waveform, rate)
        f0, hnr = track_pitch(signal, RATE, PitchSettings(floor=self.floor, ceiling=self.ceiling))
        voiced = ~np.isnan(f0)
        values = describe_spectrum(signal, voiced)
        speech = mark_speech(values["level"], voiced)
        cycles = mark_cycles(signal, RATE, f0, hnr)
        jitter, shimmer = measure_perturbation(cycles, len(f0))
        f1, bandwidth = track_first_formant(signal, RATE, f0)
        values |= {
            "f0": 12 * np.log2(f0 / REFERENCE),
            "hnr": hnr,
            "jitter": np.where(voiced, jitter, np.nan),
            "shimmer": np.where(voiced, shimmer, np.nan),
            "f1": f1,
            "f1_bandwidth": bandwidth,
        }
        segments = find_segments(values["level"], values["sonority"], voiced, speech)
        return Tracks(place_frames(len(f0)), voiced, speech, values, segments, cycles)
