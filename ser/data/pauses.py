"""How much of a clip's speech is silence: an energy meter, kept in the feature store like any extractor."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

#: Frame and step in s, dB below the loud frames that count as silence, shortest pause in s.
FRAME, STEP, BELOW, SHORTEST = 0.025, 0.010, 30.0, 0.15


class PauseMeter:
    """Share of pauses, and when speech begins and ends.

    A frame of 25 ms every 10 ms is silent if its energy lies 30 dB or more below the clip's 95th percentile of frame
    energies. Silence before the first and after the last other frame belongs to the editing, not to the speaker, and
    does not count. Silent stretches of 150 ms or more in between are pauses; shorter ones are closures of stops.
    """

    frames: ClassVar[bool] = False
    rate = 16000
    names = ("pause_share", "begin", "end")

    def identify(self) -> dict[str, object]:
        """Name, version and parameters."""
        parameters = {"frame": FRAME, "step": STEP, "below": BELOW, "shortest": SHORTEST, "rate": self.rate}
        return {"extractor": "ser.data.pauses", "version": 1, **parameters}

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Share of pauses in [0, 1], begin and end of speech in s [3] of a waveform [T] at :attr:`rate`."""
        frame, step = round(FRAME * self.rate), round(STEP * self.rate)
        if len(waveform) < frame:
            return np.array([0.0, 0.0, len(waveform) / self.rate], dtype=np.float32)
        sums = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
        starts = np.arange(0, len(waveform) - frame + 1, step)
        energy = 10 * np.log10(np.maximum((sums[starts + frame] - sums[starts]) / frame, 1e-12))
        speech = np.flatnonzero(energy > np.percentile(energy, 95) - BELOW)
        gaps = np.diff(speech) - 1
        silent = gaps[gaps * STEP >= SHORTEST - 1e-9].sum()
        share = silent / (speech[-1] - speech[0] + 1)
        begin, end = starts[speech[0]] / self.rate, (starts[speech[-1]] + frame) / self.rate
        return np.array([share, begin, end], dtype=np.float32)
