"""openSMILE's low-level descriptors of eGeMAPSv02, put on our time axis, unvoiced zeros as missing values.

openSMILE gives no level, centroid, energy share or cycles: these, and with them silences and syllables, are our own.
Its licence is for research: audEERING's terms apply to what it computes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ser.cue.meters.frames import RATE, resample
from ser.cue.meters.segments import find_segments, mark_speech
from ser.cue.meters.spectrum import describe_spectrum
from ser.cue.reliability import read_reliability
from ser.cue.tracks import Array, Tracks, count_frames, place_frames

#: Descriptors of the voice: our name, openSMILE's, its unit in ours.
VOICE = {
    "f0": ("F0semitoneFrom27.5Hz_sma3nz", 1.0),
    "hnr": ("HNRdBACF_sma3nz", 1.0),
    "jitter": ("jitterLocal_sma3nz", 1.0),
    "shimmer": ("shimmerLocaldB_sma3nz", 1.0),
}
SPECTRUM = {
    "f1": ("F1frequency_sma3nz", 1.0),
    "f1_bandwidth": ("F1bandwidth_sma3nz", 1.0),
    "alpha_ratio": ("alphaRatio_sma3", 1.0),
    "hammarberg": ("hammarbergIndex_sma3", 1.0),
    "slope_low": ("slope0-500_sma3", 1000.0),
    "slope_mid": ("slope500-1500_sma3", 1000.0),
    "loudness": ("Loudness_sma3", 1.0),
}
#: Rows by which openSMILE's frames lie before ours, as found with a gliding tone and a swelling one: those of the
#: voice, 60 ms wide, are centred 35 ms after the time of their row, those of the spectrum, 20 ms wide, 10 ms after it.
LATE_VOICE, LATE_SPECTRUM = 3.0, 0.5


@dataclass(frozen=True)
class OpenSmileMeter:
    """Measures with openSMILE, once for the whole utterance.

    Args:
        reliability: of each cue; by default what ladders of planted doses showed.
    """

    reliability: Mapping[str, float | None] = field(default_factory=lambda: read_reliability("opensmile"))

    def measure(self, waveform: np.ndarray, rate: int) -> Tracks:
        """Tracks of a mono waveform ``[T]`` at a rate in Hz."""
        signal = resample(waveform, rate)
        count = count_frames(signal.size, RATE)
        # openSMILE answers nothing to what is shorter than its longest frame.
        rows = self._make_smile().process_signal(np.pad(signal, (0, max(0, RATE // 10 - signal.size))), RATE)
        columns = {str(name): rows[name].to_numpy(dtype=float) for name in rows.columns}
        f0 = columns[VOICE["f0"][0]]
        values: dict[str, Array] = {}
        for name, (column, unit) in VOICE.items():
            values[name] = shift(np.where(f0 > 0, columns[column] * unit, np.nan), LATE_VOICE, count)
        voiced = ~np.isnan(values["f0"])
        own = describe_spectrum(signal, voiced)
        for name, (column, unit) in SPECTRUM.items():
            track = shift(columns[column] * unit, LATE_SPECTRUM, count)
            values[name] = track if name == "loudness" else np.where(voiced, track, np.nan)
        for name in ("f1", "f1_bandwidth", "jitter", "shimmer"):
            values[name] = np.where(values[name] > 0, values[name], np.nan)
        values = own | values
        speech = mark_speech(values["level"], voiced)
        segments = find_segments(values["level"], values["sonority"], voiced, speech)
        return Tracks(place_frames(count), voiced, speech, values, segments)

    @cached_property
    def _local(self) -> threading.local:
        return threading.local()  # an openSMILE object serves one thread at a time

    def _make_smile(self) -> Any:
        if not hasattr(self._local, "smile"):
            import opensmile

            self._local.smile = opensmile.Smile(
                feature_set=opensmile.FeatureSet.eGeMAPSv02,
                feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
            )
        return self._local.smile


def shift(track: Array, late: float, count: int) -> Array:
    """A track ``[n]`` on frames that lie ``late`` rows later ``[F]``: row ``k - late``, NaN beyond its ends."""
    padded = np.concatenate([np.full(count + 4, np.nan), track, np.full(count + 4, np.nan)])
    place = np.arange(count) - late + count + 4
    low = np.floor(place).astype(int)
    before, after = padded[low], padded[low + 1]
    share = place - low
    mixed = (1 - share) * before + share * after
    # Between a defined value and a missing one the defined one stands.
    return np.where(np.isnan(mixed), np.where(share < 1e-9, before, np.where(np.isnan(before), after, before)), mixed)
