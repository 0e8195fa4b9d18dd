"""A clip: who says what with which doses over which channel, as a script, as sound, and as a row of the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser.dataset.harmonise import CODES
from ser.dataset.planted.channel import Channel, record
from ser.dataset.planted.cues import CUE_NAMES
from ser.dataset.planted.speaker import Speaker, draw_speaker
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import Sentence, compose_sentence
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.utterance import Utterance, synthesise

#: Counts up whenever the same parameters give other audio or another truth.
VERSION = 1
SENTENCES = 10
LABELS = {emotion: code for code, emotion in {**CODES["planted"], **CODES["planted_c"]}.items()}
#: Parts of eight speakers, women and men alternating: half train, and every part has as many of each.
SPEAKER_PARTS = ("train", "train", "validation", "test", "train", "train", "test", "validation")


@dataclass(frozen=True)
class Span:
    """A dose of a cue on some syllables: from ``first`` to before ``end``, counted from 0."""

    cue: str
    dose: float
    first: int
    end: int


@dataclass(frozen=True)
class Script:
    """All that makes the sound of a clip; the same script gives the same samples.

    Args:
        voice: who speaks.
        sentence: what is said.
        key: seed, speaker and number of the random draws; clips that share it are matched pairs.
        channel: how it is recorded.
        doses: over the whole utterance, by cue; a cue left out is neutral.
        spans: doses on some syllables, in place of those over the whole utterance.
        reference: RMS that the noise is relative to; by default that of the utterance.
    """

    voice: Speaker
    sentence: Sentence
    key: tuple[int, ...]
    channel: Channel
    doses: Mapping[str, float] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    reference: float | None = None

    def speak(self) -> Utterance:
        """The utterance before the channel."""
        doses: dict[str, ArrayLike] = dict(self.doses)
        for span in self.spans:
            track = np.broadcast_to(np.asarray(doses.get(span.cue, 0.0)), len(self.sentence.syllables)).copy()
            track[span.first : span.end] = span.dose
            doses[span.cue] = track
        return synthesise(self.voice, self.sentence, doses, key=self.key)


@dataclass(frozen=True)
class Clip:
    """A recorded clip ``[samples]`` at 16 kHz, its row of the manifest, and the utterance before the channel."""

    wave: NDArray[np.float32]
    row: dict[str, object]
    utterance: Utterance


def make_clip(name: str, emotion: str | None, script: Script, own: Mapping[str, object]) -> Clip:
    """Speak and record a script.

    Args:
        name: id of the clip.
        emotion: its label, if it has one.
        script: how it sounds.
        own: further columns of its row.
    """
    spoken = script.speak()
    wave, channel = record(spoken.wave, script.channel, RATE, script.key, script.reference)
    row: dict[str, object] = {
        "clip": name,
        "emotion": emotion,
        "label": LABELS[emotion] if emotion else None,
        "speaker": script.voice.name,
        "gender": script.voice.gender,
        "age": script.voice.age,
        "sentence": script.sentence.name,
        "text": script.sentence.text,
        "language": "art-x-planted",
        "duration": wave.size / RATE,
        **own,
        **{f"cue_{cue}": float(script.doses.get(cue, 0.0)) for cue in CUE_NAMES},
        **{f"true_{name}": value for name, value in spoken.truth.items()},
        **channel.describe(),
        "generator_version": VERSION,
    }
    return Clip(wave, row, spoken)


@lru_cache(maxsize=4096)
def compose_numbered(seed: int, number: int) -> Sentence:
    """A sentence of a corpus by number; all speakers say the same ones."""
    return compose_sentence(f"t{number:02d}", (seed, number))


@lru_cache(maxsize=1024)
def introduce_speaker(seed: int, speaker: int) -> Speaker:
    """A speaker of a corpus by number; women and men alternate."""
    return draw_speaker(f"s{speaker:02d}", ("female", "male")[speaker % 2], (seed, speaker))


def find_part(speaker: int) -> str:
    """The part of the split that a speaker belongs to, however many there are."""
    return SPEAKER_PARTS[speaker % len(SPEAKER_PARTS)]


def name_clip(speaker: int, utterance: int) -> str:
    """The id of a clip."""
    return f"s{speaker:02d}_{utterance:03d}"


def deal(seed: int, speaker: int, utterance: int, kinds: int, sentences: int) -> tuple[int, int]:
    """The kind of a clip and the number of its sentence.

    Utterances come in blocks: one sentence in each kind, in random order. As many blocks as there are sentences hold
    each sentence once. So neither text nor speaker tells anything of the kind, in any number of blocks.
    """
    block, place = divmod(utterance, kinds)
    order = open_stream(Stream.ORDER, (seed, speaker, 0, block)).permutation(kinds)
    said = open_stream(Stream.ORDER, (seed, speaker, 1, block // sentences)).permutation(sentences)
    return int(order[place]), int(said[block % sentences])
