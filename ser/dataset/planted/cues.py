"""The twelve cues that can be planted: units, neutral values and ranges of their doses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cue:
    """One cue: what a dose of 1 changes, and how far doses may go.

    Args:
        name: the key of the dose.
        unit: what one unit of dose does, from the neutral value on (dose 0).
        low, high: the smallest and largest dose that still sounds like a voice.
        local: whether a dose may differ from syllable to syllable.
    """

    name: str
    unit: str
    low: float
    high: float
    local: bool = True


#: Anchors in the literature: Schroeder (2001) Tab. 1; Juslin & Laukka (2003); Murray & Arnott (1993).
CUES = (
    Cue("f0_level", "semitones on the speaker's F0", -12.0, 12.0),
    Cue("f0_range", "log2 factor on F0 excursions about their mean", -1.5, 1.5),
    Cue("loudness", "dB on -26 dBFS (RMS over the vowels)", -12.0, 12.0),
    Cue("loud_var", "log2 factor on the SD of syllable gains, 1.5 dB", -1.0, 2.0, local=False),
    Cue("rate", "log2 factor on 4.5 syllables/s", -0.6, 0.6),
    Cue("pause", "added share of silence in the utterance, 0.06", -0.06, 0.3, local=False),
    Cue("jitter", "log2 factor on the speaker's local jitter, about 0.5 %", -1.0, 3.0),
    Cue("shimmer", "log2 factor on the speaker's local shimmer, about 0.25 dB", -1.0, 3.0),
    Cue("tilt", "Rd added to the speaker's, about 1.1 (+ is laxer)", -0.6, 1.0),
    Cue("breath", "dB on aspiration noise, -28 dB below the glottal pulses", -10.0, 24.0),
    Cue("f1", "log2 factor on the first formant", -0.25, 0.25),
    Cue("f1_bw", "log2 factor on the bandwidth of the first formant, 80 Hz", -1.0, 2.0),
)
CUE_NAMES = tuple(cue.name for cue in CUES)


def spread_doses(doses: Mapping[str, ArrayLike], syllables: int) -> dict[str, Array]:
    """Check doses and give every cue one value a syllable, ``[syllables]``; a cue left out gets 0.

    Raises:
        InputError: an unknown cue, a dose out of its range or not finite, a local dose where none is possible, or not
            one value for each syllable.
    """
    for name in doses:
        if name not in CUE_NAMES:
            near = get_close_matches(name, CUE_NAMES, n=1)
            raise InputError(
                f"planted cue {name!r} does not exist",
                expected="some of " + ", ".join(CUE_NAMES),
                remedy=f"did you mean {near[0]!r}?" if near else "choose among these",
            )
    return {cue.name: _spread_dose(cue, doses.get(cue.name, 0.0), syllables) for cue in CUES}


def _spread_dose(cue: Cue, dose: ArrayLike, syllables: int) -> Array:
    values = np.asarray(dose, dtype=float)
    if values.ndim and (not cue.local or values.shape != (syllables,)):
        raise InputError(
            f"planted cue {cue.name}: doses of shape {values.shape} for {syllables} syllables",
            expected="one number" + (f", or one for each of the {syllables} syllables" if cue.local else ""),
        )
    if not np.all((values >= cue.low - 1e-9) & (values <= cue.high + 1e-9)):
        raise InputError(
            f"planted cue {cue.name}: dose {values.tolist()} is out of range",
            expected=f"{cue.low} to {cue.high} ({cue.unit})",
        )
    return np.broadcast_to(values, (syllables,)).copy()
