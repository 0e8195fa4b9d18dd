"""Clips of the planted corpus: which they are, and each from nothing but its seed and its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ser.dataset.harmonise import CODES
from ser.dataset.planted.channel import draw_channel, record
from ser.dataset.planted.lens import LENS_EMOTIONS, draw_cues
from ser.dataset.planted.speaker import Speaker, draw_speaker
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import Sentence, compose_sentence
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.utterance import Utterance, synthesise

#: Counts up whenever the same parameters give other audio or another truth.
VERSION = 1
SENTENCES = 10
LABELS = {emotion: code for code, emotion in CODES["planted"].items()}


@dataclass(frozen=True)
class Plan:
    """What makes a corpus: the same plan gives the same clips, and a larger one starts with the same ones."""

    speakers: int
    utterances_per_speaker: int
    seed: int
    strength: float


@dataclass(frozen=True)
class Clip:
    """A recorded clip ``[samples]`` at 16 kHz, its row of the manifest, and the utterance before the channel."""

    wave: NDArray[np.float32]
    row: dict[str, object]
    utterance: Utterance


@lru_cache(maxsize=8)
def compose_sentences(seed: int) -> tuple[Sentence, ...]:
    """The sentences that all speakers of a corpus say in every emotion."""
    return tuple(compose_sentence(f"t{number:02d}", (seed, number)) for number in range(SENTENCES))


def introduce_speaker(seed: int, speaker: int) -> Speaker:
    """A speaker of a corpus by number; women and men alternate."""
    return draw_speaker(f"s{speaker:02d}", ("female", "male")[speaker % 2], (seed, speaker))


def assign(seed: int, speaker: int, utterance: int) -> tuple[str, int]:
    """The emotion and the number of the sentence of a clip.

    Utterances come in blocks of six: one sentence in each emotion, in random order. Ten blocks hold each sentence once.
    So neither text nor speaker tells anything of the emotion, in any number of blocks.
    """
    block, place = divmod(utterance, len(LENS_EMOTIONS))
    order = open_stream(Stream.ORDER, (seed, speaker, 0, block)).permutation(len(LENS_EMOTIONS))
    sentences = open_stream(Stream.ORDER, (seed, speaker, 1, block // SENTENCES)).permutation(SENTENCES)
    return LENS_EMOTIONS[int(order[place])], int(sentences[block % SENTENCES])


def make_clip(plan: Plan, speaker: int, utterance: int) -> Clip:
    """One clip by the numbers of its speaker and utterance."""
    key = (plan.seed, speaker, utterance)
    voice = introduce_speaker(plan.seed, speaker)
    emotion, number = assign(plan.seed, speaker, utterance)
    sentence = compose_sentences(plan.seed)[number]
    z, doses = draw_cues(emotion, key, plan.strength)
    spoken = synthesise(voice, sentence, doses, key=key)
    wave, channel = record(spoken.wave, draw_channel(key), RATE, key)
    row: dict[str, object] = {
        "clip": f"{voice.name}_{utterance:03d}",
        "emotion": emotion,
        "label": LABELS[emotion],
        "speaker": voice.name,
        "gender": voice.gender,
        "age": voice.age,
        "sentence": sentence.name,
        "text": sentence.text,
        "language": "art-x-planted",
        "duration": wave.size / RATE,
        **{f"z_{cue}": value for cue, value in z.items()},
        **{f"cue_{cue}": float(values[0]) for cue, values in spoken.doses.items()},
        **{f"true_{name}": value for name, value in spoken.truth.items()},
        **channel.describe(),
        "generator_version": VERSION,
    }
    return Clip(wave, row, spoken)
