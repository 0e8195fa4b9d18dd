"""Silence off both ends; what remains keeps its place on the file's time axis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ser.audio.prepare import BadAudio, Prepared
from ser.errors import InputError

#: The level in dBFS given to digital silence.
LOWEST = -200.0


@dataclass(frozen=True)
class EnergyTrim:
    """Keep from the first to the last frame whose level exceeds a threshold.

    Each stretch of ``hop`` has the level (root mean square without the clip's mean, a full-scale square wave is 0 dBFS)
    of a frame centred on it, so the cut is at most one hop from where the level changes.

    Args:
        threshold: in dB.
        reference: what 0 dB is: the clip's loudest frame (``peak``), or ``full_scale``, as the recording has it.
        frame: length of a frame, in s.
        hop: from one frame to the next, in s.
        margin: kept before and after, in s.
        pause: ``None`` keeps pauses. Otherwise silences shorter than this many s do not count as silence, at the ends
            neither, and what follows a longer one is left out (the first non-silent stretch, as pydub finds it).
    """

    threshold: float = -40.0
    reference: str = "peak"
    frame: float = 0.025
    hop: float = 0.010
    margin: float = 0.05
    pause: float | None = None

    def __post_init__(self) -> None:
        if self.reference not in ("peak", "full_scale"):
            raise InputError(f"audio.trim.reference={self.reference}", expected="peak or full_scale")
        if self.threshold >= 0:
            raise InputError(f"audio.trim.threshold={self.threshold}", expected="dB below 0, such as -40")
        check_frames(self.frame, self.hop, self.margin)

    def apply(self, clip: Prepared) -> Prepared:
        """The clip without its silent ends."""
        levels = measure_levels(clip.waveform, clip.rate, self.frame, self.hop)
        zero = levels.max() if self.reference == "peak" else 0.0
        active = levels > zero + self.threshold
        if self.pause is not None and active.any():
            active = keep_first(active, round(self.pause / self.hop))
        if not active.any():
            raise BadAudio(f"silence only (no frame above {self.threshold} dBFS)")
        return cut(clip, active, self.hop, self.margin)


@dataclass(frozen=True)
class VoiceTrim:
    """Keep from the first to the last speech, by level over the clip's own noise and by zero crossings.

    The threshold lies ``above_noise`` over the level that a tenth of the frames stay under, but at least
    ``below_speech`` under the level that a twentieth exceed: a clip cut close to the speech, or one with more noise
    than that, loses little or nothing. Bursts shorter than 0.1 s (clicks) are no speech. The ends then grow by up to
    0.25 s over frames with many zero crossings, which are weak fricatives. A clip of one steady level has no ends to
    find and stays whole.

    Source: level and zero crossings as the ends of an utterance are due to Rabiner & Sambur (1975), An algorithm for
    determining the endpoints of isolated utterances, Bell System Technical Journal 54(2).

    Args:
        above_noise: in dB.
        below_speech: in dB.
        frame: length of a frame, in s.
        hop: from one frame to the next, in s.
        margin: kept before and after, in s.
    """

    above_noise: float = 8.0
    below_speech: float = 20.0
    frame: float = 0.025
    hop: float = 0.010
    margin: float = 0.05

    #: Shortest burst, longest gap within one, and how far fricatives may reach, in s.
    BURST, GAP, REACH = 0.1, 0.1, 0.25
    #: Crossings per s that only fricatives have (Rabiner & Sambur: 25 in 10 ms), and dB they must be over the noise.
    CROSSINGS, HISS = 2500.0, 3.0
    #: dB between noise and speech below which they cannot be told apart.
    CONTRAST = 10.0
    #: Frames under both of these, in dBFS and in dB below the loudest one, are digital silence (zeros, or the last bit
    #: of 16), which says nothing of the recording's noise.
    DIGITAL, FAR = -95.0, 60.0

    def __post_init__(self) -> None:
        for name in ("above_noise", "below_speech"):
            if getattr(self, name) <= 0:
                raise InputError(f"audio.trim.{name}={getattr(self, name)}", expected="dB above 0")
        check_frames(self.frame, self.hop, self.margin)

    def apply(self, clip: Prepared) -> Prepared:
        """The clip from its first speech to its last."""
        levels = measure_levels(clip.waveform, clip.rate, self.frame, self.hop)
        digital = min(self.DIGITAL, float(levels.max()) - self.FAR)
        noise, speech = np.percentile(levels[levels > digital], [10, 95])
        if speech - noise < self.CONTRAST:
            if levels.min() > digital:
                return clip
            noise = digital
        threshold = min(noise + self.above_noise, speech - self.below_speech)
        active = drop_short(fill_short(levels > threshold, round(self.GAP / self.hop)), round(self.BURST / self.hop))
        if not active.any():
            raise BadAudio("no speech found (bursts shorter than 0.1 s only)")
        hiss = (count_crossings(clip.waveform, clip.rate, self.frame, self.hop) > self.CROSSINGS) & (
            levels > noise + self.HISS
        )
        return cut(clip, extend(active, hiss, round(self.REACH / self.hop)), self.hop, self.margin)


def check_frames(frame: float, hop: float, margin: float) -> None:
    """Raise InputError unless the frames leave nothing out and the margin is a length."""
    if not 0 < hop <= frame:
        raise InputError(f"audio.trim.hop={hop} audio.trim.frame={frame}", expected="0 < hop <= frame, in s")
    if margin < 0:
        raise InputError(f"audio.trim.margin={margin}", expected="s, at least 0")


def measure_levels(waveform: np.ndarray, rate: int, frame: float, hop: float) -> np.ndarray:
    """Level in dBFS of each hop of a waveform [T]: of the frame centred on it, as far as the waveform reaches."""
    centred = waveform.astype(np.float64) - waveform.mean(dtype=np.float64)
    power = average(centred**2, rate, frame, hop)
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST / 10)))


def count_crossings(waveform: np.ndarray, rate: int, frame: float, hop: float) -> np.ndarray:
    """Zero crossings per s in each hop of a waveform [T], over the frame centred on it."""
    negative = waveform < waveform.mean(dtype=np.float64)
    return average(np.diff(negative, append=negative[-1:]).astype(np.float64), rate, frame, hop) * rate


def average(values: np.ndarray, rate: int, frame: float, hop: float) -> np.ndarray:
    """Mean of ``values`` [T] in frames centred on consecutive hops; the last hop may be incomplete."""
    step = max(1, round(hop * rate))
    middle = (np.arange(-(-len(values) // step)) + 0.5) * step
    half = max(step, round(frame * rate)) / 2
    first = np.clip(np.round(middle - half), 0, len(values)).astype(int)
    stop = np.clip(np.round(middle + half), 0, len(values)).astype(int)
    total = np.concatenate([[0.0], np.cumsum(values)])
    return (total[stop] - total[first]) / np.maximum(stop - first, 1)


def cut(clip: Prepared, active: np.ndarray, hop: float, margin: float) -> Prepared:
    """The clip from its first active hop to its last, and a margin of s on both sides."""
    step = max(1, round(hop * clip.rate))
    (places,) = np.nonzero(active)
    spare = round(margin * clip.rate)
    first = max(0, int(places[0]) * step - spare)
    stop = min(len(clip.waveform), (int(places[-1]) + 1) * step + spare)
    return clip.crop(first, stop)


def find_runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First index and end of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def drop_short(flags: np.ndarray, length: int) -> np.ndarray:
    """Flags without the runs of fewer than ``length``."""
    kept = flags.copy()
    for first, stop in find_runs(flags):
        if stop - first < length:
            kept[first:stop] = False
    return kept


def fill_short(flags: np.ndarray, length: int) -> np.ndarray:
    """Flags with the gaps of fewer than ``length`` between runs filled; the ends are no gaps."""
    filled = flags.copy()
    runs = find_runs(flags)
    for (_, stop), (first, _) in pairwise(runs):
        if first - stop < length:
            filled[stop:first] = True
    return filled


def keep_first(flags: np.ndarray, length: int) -> np.ndarray:
    """The first run alone, once gaps of fewer than ``length``, at the ends too, count as active."""
    first, stop = find_runs(~drop_short(~flags, length))[0]
    kept = np.zeros_like(flags)
    kept[first:stop] = True
    return kept


def extend(active: np.ndarray, also: np.ndarray, most: int) -> np.ndarray:
    """Active flags with both ends moved outwards over consecutive flags of ``also``, at most ``most`` of them."""
    (places,) = np.nonzero(active)
    first, last = int(places[0]), int(places[-1])
    for _ in range(min(most, first)):
        if not also[first - 1]:
            break
        first -= 1
    for _ in range(min(most, len(active) - 1 - last)):
        if not also[last + 1]:
            break
        last += 1
    wider = active.copy()
    wider[first : last + 1] = True
    return wider
