"""Tracks A1 and A2 as plans: one cue tells two classes apart, another one misleads.

In A1 the cue colours the whole utterance: its dose is normal with the same SD in both classes, and the distance of the
means is d' SDs (Green & Swets 1966). In A2 it is there or not, on some syllables. Either has a decoy: another cue of
the same size in SDs, there half of the time whatever the class; in A2 on other syllables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from ser.dataset.planted.channel import draw_channel
from ser.dataset.planted.clip import (
    Clip,
    Script,
    Span,
    compose_numbered,
    deal,
    find_part,
    introduce_speaker,
    make_clip,
    name_clip,
)
from ser.dataset.planted.cues import CUES
from ser.dataset.planted.folder import Place
from ser.dataset.planted.lens_plan import list_places
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import Sentence

#: SD of each cue in one speaker's neutral speech, in units of its dose; 4 of them are a clear expression.
NATURAL = {
    "f0_level": 1.5,
    "f0_range": 0.35,
    "loudness": 2.0,
    "loud_var": 0.4,
    "rate": 0.15,
    "pause": 0.05,
    "jitter": 0.75,
    "shimmer": 0.75,
    "tilt": 0.2,
    "breath": 6.0,
    "f1": 0.06,
    "f1_bw": 0.5,
}
#: What more of a cue expresses (signs of Juslin & Laukka 2003, where they have one); less of it is neutral.
EXPRESSES = {
    "f0_level": "happiness",
    "f0_range": "happiness",
    "loudness": "anger",
    "loud_var": "anger",
    "rate": "anger",
    "pause": "sadness",
    "jitter": "fear",
    "shimmer": "fear",
    "tilt": "sadness",
    "breath": "sadness",
    "f1": "happiness",
    "f1_bw": "sadness",
}
NEUTRAL = "neutral"
#: SDs of the cues that are neither cue nor decoy, in natural SDs: small beside what is planted.
REST = 0.5
#: In track A2 the noise is relative to this RMS, a neutral utterance's: relative to each utterance's own, a local dose
#: of loudness would be heard in the noise of the whole clip. In track A1 it is relative to the utterance's own: a clip
#: brought to a level of its own then keeps nothing of a dose of loudness.
REFERENCE = 10 ** (-28 / 20)
HEADROOM = 6.0  # dB that leave room for the loudest dose
TEXTS = 40
#: Kinds of clips: with or without the cue, with or without the decoy.
KINDS = 4
CUES_BY_NAME = {cue.name: cue for cue in CUES}


@dataclass(frozen=True)
class SinglePlan:
    """What A1 and A2 have in common.

    Args:
        speakers: how many.
        utterances: of each speaker of the training, validation and test part; multiples of four.
        seed: of everything random.
        cue: what tells the classes apart.
        decoy: what does not.
        strength: size of both in natural SDs; in A1 that is d'.
    """

    speakers: int
    utterances: tuple[int, int, int]
    seed: int
    cue: str
    decoy: str
    strength: float

    #: RMS that the noise is relative to; ``None``: that of the utterance.
    reference: ClassVar[float | None] = None

    def identify(self) -> Mapping[str, object]:
        """All that changes the audio or the table."""
        return {"track": type(self).__name__, **asdict(self)}

    def list_places(self) -> list[Place]:
        """Every speaker with every utterance of his part."""
        return list_places(self.speakers, self.utterances)

    def make(self, speaker: int, utterance: int) -> Clip:
        """One clip; the clips with and without the cue share all random draws, two by two."""
        kind, number = deal(self.seed, speaker, utterance, KINDS, TEXTS)
        present, misleads = divmod(kind, 2)
        draw = 2 * (utterance // KINDS) + misleads
        key = (self.seed, speaker, draw)
        sentence = compose_numbered(self.seed, number)
        doses, spans, own = self.plant(sentence, key, bool(present), bool(misleads))
        voice = introduce_speaker(self.seed, speaker)
        channel = draw_channel(key)
        channel = replace(channel, gain_db=channel.gain_db - HEADROOM)
        script = Script(voice, sentence, key, channel, doses, spans, self.reference)
        emotion = EXPRESSES[self.cue] if present else NEUTRAL
        shared = {
            "draw": draw,
            "matched_pair_id": f"{voice.name}_{draw:03d}",
            "planted": self.cue,
            "present": bool(present),
            "decoy": self.decoy,
            "decoy_present": bool(misleads),
            "noise_reference": self.reference,
        }
        clip = make_clip(name_clip(speaker, utterance), emotion, script, {**shared, **own})
        return Clip(clip.wave, {**clip.row, **find_times(clip, spans)}, clip.utterance)

    def plant(
        self, sentence: Sentence, key: tuple[int, ...], present: bool, misleads: bool
    ) -> tuple[dict[str, float], tuple[Span, ...], dict[str, object]]:
        """Doses over the utterance, doses on syllables, and columns of the manifest."""
        raise NotImplementedError

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the part of each speaker, the seed and the strength."""
        parts = [find_part(int(speaker.removeprefix("s"))) for speaker in frame["speaker"]]
        return frame.assign(split=parts, seed=self.seed, strength=self.strength)


@dataclass(frozen=True)
class GlobalPlan(SinglePlan):
    """Track A1."""

    def plant(
        self,
        sentence: Sentence,  # noqa: ARG002
        key: tuple[int, ...],
        present: bool,
        misleads: bool,
    ) -> tuple[dict[str, float], tuple[Span, ...], dict[str, object]]:
        """Normal doses of cue and decoy, d' SDs apart."""
        rng = open_stream(Stream.LENS, key)
        doses = vary_rest(rng, (self.cue, self.decoy))
        for cue, there in ((self.cue, present), (self.decoy, misleads)):
            doses[cue] = fit_dose(cue, float(np.clip(rng.standard_normal(), -3, 3)) + self.strength * there)
        return doses, (), {"d_prime": self.strength}

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the answers of the ideal observer, who hears the dose and parts the classes halfway."""
        heard = frame[f"cue_{self.cue}"] > self.strength * NATURAL[self.cue] / 2
        return super().complete(frame).assign(ideal=np.where(heard, EXPRESSES[self.cue], NEUTRAL))


@dataclass(frozen=True)
class LocalPlan(SinglePlan):
    """Track A2; ``span`` counts the syllables of the cue, and those of the decoy."""

    span: int

    reference: ClassVar[float | None] = REFERENCE

    def plant(
        self, sentence: Sentence, key: tuple[int, ...], present: bool, misleads: bool
    ) -> tuple[dict[str, float], tuple[Span, ...], dict[str, object]]:
        """Fixed doses on two spans of syllables, each within a word, that do not touch."""
        doses = vary_rest(open_stream(Stream.LENS, key), (self.cue, self.decoy))
        places = list_spans(sentence, self.span)
        starts = places[int(open_stream(Stream.SPAN, key).integers(len(places)))]
        size = [fit_dose(cue, self.strength) for cue in (self.cue, self.decoy)]
        wanted = zip((self.cue, self.decoy), size, starts, (present, misleads), strict=True)
        spans = tuple(Span(cue, dose, at, at + self.span) for cue, dose, at, there in wanted if there)
        own: dict[str, object] = {
            "planted_dose": size[0] * present,
            "decoy_dose": size[1] * misleads,
            "span_first": starts[0],
            "decoy_first": starts[1],
            "span_syllables": self.span,
        }
        return doses, spans, own

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the answers of the ideal observer, who hears the cue wherever it is."""
        return super().complete(frame).assign(ideal=frame["emotion"])


def vary_rest(rng: np.random.Generator, planted: Collection[str]) -> dict[str, float]:
    """Doses of all cues but the planted ones, as they vary in anyone's speech."""
    draws = dict(zip(NATURAL, np.clip(rng.standard_normal(len(NATURAL)), -3, 3), strict=True))
    return {cue: fit_dose(cue, REST * draw) for cue, draw in draws.items() if cue not in planted}


def fit_dose(cue: str, size: float) -> float:
    """The dose of so many natural SDs, within the range of the cue."""
    return float(np.clip(size * NATURAL[cue], CUES_BY_NAME[cue].low, CUES_BY_NAME[cue].high))


def list_spans(sentence: Sentence, count: int) -> list[tuple[int, int]]:
    """First syllables of two spans of so many syllables, each within a word and at least a syllable apart."""
    starts = [at for first, end in sentence.words for at in range(first, end - count + 1)]
    return [(one, other) for one in starts for other in starts if abs(one - other) > count]


def find_times(clip: Clip, spans: tuple[Span, ...]) -> dict[str, float]:
    """Start and end of cue and decoy in s, missing where they are not in the clip or all over it."""
    times = {f"{name}_{end}": float("nan") for name in ("span", "decoy") for end in ("start", "end")}
    line = clip.utterance.timeline
    for span in spans:
        name = "span" if span.cue == clip.row["planted"] else "decoy"
        times |= {f"{name}_start": float(line.start[span.first]), f"{name}_end": float(line.end[span.end - 1])}
    return times
