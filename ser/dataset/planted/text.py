"""A pseudo-language of consonant-vowel syllables: what is said carries no emotion, and its articulation is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ser.dataset.planted.streams import Stream, open_stream

SYLLABLES_LOW, SYLLABLES_HIGH = 6, 14
SYLLABLES_PER_WORD = 3


@dataclass(frozen=True)
class Vowel:
    """Formants F1 to F3 in Hz for a vocal tract of 17.5 cm."""

    letter: str
    formants: tuple[float, float, float]


@dataclass(frozen=True)
class Onset:
    """How a syllable begins.

    Args:
        letter: as written.
        kind: fricative, stop, nasal or none.
        f2, slope: locus equation of F2 at the release: ``f2 + slope * (vowel's F2 - f2)``, Hz (Lindblom 1963; Sussman
            et al. 1991).
        f3: Hz at the release.
        share: of the syllable before the vowel starts; stops add their voice onset time.
        level: dB of the noise relative to the vowel (RMS).
        peak, width: Hz of the noise's spectral peak.
        vot: s of aspiration after a burst, at the neutral rate.
        zero: Hz of the nasal zero.
    """

    letter: str
    kind: str
    f2: float = 0.0
    slope: float = 1.0
    f3: float = 0.0
    share: float = 0.0
    level: float = 0.0
    peak: float = 0.0
    width: float = 0.0
    vot: float = 0.0
    zero: float = 0.0


@dataclass(frozen=True)
class Syllable:
    """An onset and a vowel."""

    onset: Onset
    vowel: Vowel


@dataclass(frozen=True)
class Sentence:
    """An id and its syllables; a word ends after every third syllable."""

    name: str
    syllables: tuple[Syllable, ...]

    @property
    def words(self) -> list[tuple[int, int]]:
        """First and end syllable of each word."""
        count = len(self.syllables)
        return [(at, min(at + SYLLABLES_PER_WORD, count)) for at in range(0, count, SYLLABLES_PER_WORD)]

    @property
    def text(self) -> str:
        """The words as written."""
        return " ".join(
            "".join(syllable.onset.letter + syllable.vowel.letter for syllable in self.syllables[first:end])
            for first, end in self.words
        )


VOWELS = (
    Vowel("i", (300.0, 2250.0, 2950.0)),
    Vowel("e", (430.0, 1980.0, 2580.0)),
    Vowel("ä", (660.0, 1680.0, 2420.0)),
    Vowel("a", (740.0, 1180.0, 2500.0)),
    Vowel("o", (460.0, 840.0, 2450.0)),
    Vowel("u", (320.0, 760.0, 2300.0)),
)
ONSETS: dict[str, tuple[Onset, ...]] = {
    "fricative": (
        Onset("s", "fricative", 1720, 0.42, 2620, share=0.40, level=-15, peak=5600, width=1500),
        Onset("sh", "fricative", 1850, 0.50, 2450, share=0.40, level=-13, peak=3300, width=1100),
        Onset("f", "fricative", 950, 0.75, 2200, share=0.36, level=-24, peak=6500, width=5000),
    ),
    "stop": (
        Onset("p", "stop", 900, 0.78, 2150, share=0.26, level=-20, peak=900, width=1500, vot=0.020),
        Onset("t", "stop", 1780, 0.42, 2680, share=0.25, level=-15, peak=4400, width=2200, vot=0.030),
        Onset("k", "stop", 1800, 0.85, 2250, share=0.24, level=-15, peak=1900, width=700, vot=0.040),
    ),
    "nasal": (
        Onset("m", "nasal", 1000, 0.70, 2200, share=0.30, zero=1000),
        Onset("n", "nasal", 1720, 0.42, 2600, share=0.28, zero=1550),
    ),
    "none": (Onset("", "none"),),
}


def compose_sentence(name: str, key: Sequence[int]) -> Sentence:
    """Draw a sentence of 6 to 14 syllables; every kind of onset is as likely as another.

    No vowel follows itself without a consonant between: no one could hear two syllables there.
    """
    rng = open_stream(Stream.TEXT, key)
    kinds = list(ONSETS)
    syllables: list[Syllable] = []
    for _ in range(int(rng.integers(SYLLABLES_LOW, SYLLABLES_HIGH + 1))):
        among = ONSETS[kinds[int(rng.integers(len(kinds)))]]
        onset = among[int(rng.integers(len(among)))]
        vowel = int(rng.integers(len(VOWELS)))
        if syllables and onset.kind == "none" and syllables[-1].vowel == VOWELS[vowel]:
            vowel = (vowel + 1 + int(rng.integers(len(VOWELS) - 1))) % len(VOWELS)
        syllables.append(Syllable(onset, VOWELS[vowel]))
    return Sentence(name, tuple(syllables))
