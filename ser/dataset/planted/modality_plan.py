"""Track C as a plan: a word of the transcript and a cue of the voice, and a rule by which they tell the emotion.

The word has two spellings, which are not heard; the cue is there or not. A rule makes a class of every pair of these
states. What each modality contributes to a class is a game of two players, whose worth is the chance of that class
once a modality that is left out is drawn anew. It follows from the rule exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser.dataset.planted.channel import draw_channel, record
from ser.dataset.planted.clip import Clip, Script, Span, deal, find_part, introduce_speaker, make_clip, name_clip
from ser.dataset.planted.folder import Place
from ser.dataset.planted.lens_plan import list_places
from ser.dataset.planted.single_plan import (
    EXPRESSES,
    HEADROOM,
    NEUTRAL,
    REFERENCE,
    TEXTS,
    find_times,
    fit_dose,
    vary_rest,
)
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import Sentence
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.truth import find_number, neutralise, read_script
from ser.dataset.planted.word import compose_bearing, find_place, respell

#: Spelling of the word and presence of the cue.
State = tuple[int, int]
#: Emotions of ``unique``: the word says whether it is pleasant, the voice whether it is aroused (Russell, 1980).
QUADRANTS: Mapping[State, str] = {(0, 0): "sadness", (1, 0): "calm", (0, 1): "anger", (1, 1): "happiness"}


@dataclass(frozen=True)
class Rule:
    """What the states of word and voice say together.

    Args:
        classes: number of the class of every pair of states.
        pairs: of clips that differ in the voice, at most; a block of clips has them all.
    """

    classes: Mapping[State, int]
    pairs: Sequence[tuple[State, State]] = (((0, 0), (0, 1)), ((1, 0), (1, 1)))

    @property
    def states(self) -> list[State]:
        """Of a block of clips."""
        return [state for pair in self.pairs for state in pair]

    def find_truth(self, state: State) -> tuple[float, float, float]:
        """What text adds alone, what audio adds alone, and what they add together, as shares of the whole.

        The worth of a set of modalities is the chance of the state's class where the others are drawn from all clips.
        The three are dividends (Harsanyi, 1963); they sum to 1, and half of the last is in either Shapley value.
        """
        words, voices = zip(*self.states, strict=True)
        own = self.classes[state]

        def ask(word: Sequence[int], voice: Sequence[int]) -> float:
            met = [self.classes[pair] == own for pair in product(word, voice)]
            return sum(met) / len(met)

        none, text, audio = ask(words, voices), ask(state[:1], voices), ask(words, state[1:])
        total = 1 - none
        return (text - none) / total, (audio - none) / total, (1 - text - audio + none) / total


#: In ``redundant`` either modality is enough for the emotion, and mostly both have it. Clips in which only one does are
#: there for what a model makes of a word and a voice that were not said together to be known.
RULES: Mapping[str, Rule] = {
    "text": Rule({(0, 0): 0, (0, 1): 0, (1, 0): 1, (1, 1): 1}),
    "speech": Rule({(0, 0): 0, (0, 1): 1, (1, 0): 0, (1, 1): 1}),
    "redundant": Rule(
        {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 1},
        (((0, 0), (1, 1)), ((0, 0), (1, 1)), ((0, 0), (1, 0)), ((0, 0), (0, 1))),
    ),
    "unique": Rule({state: number for number, state in enumerate(QUADRANTS)}),
    "xor": Rule({(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}),
}


@dataclass(frozen=True)
class ModalityPlan:
    """Track C.

    Args:
        speakers: how many.
        utterances: of each speaker of the training, validation and test part; multiples of a block.
        seed: of everything random.
        name: of the rule, in :data:`RULES`.
        cue: of the voice.
        strength: its size in natural SDs.
        local: the cue is on one word, which is never the one that tells; otherwise all over the utterance.
    """

    speakers: int
    utterances: tuple[int, int, int]
    seed: int
    name: str
    cue: str
    strength: float
    local: bool

    @property
    def rule(self) -> Rule:
        """By which word and voice tell the emotion."""
        return RULES[self.name]

    def identify(self) -> Mapping[str, object]:
        """All that changes the audio or the table."""
        return {"track": "C", **asdict(self)}

    def list_places(self) -> list[Place]:
        """Every speaker with every utterance of his part."""
        return list_places(self.speakers, self.utterances)

    def make(self, speaker: int, utterance: int) -> Clip:
        """One clip; two by two they share all random draws but word and voice."""
        states = self.rule.states
        kind, number = deal(self.seed, speaker, utterance, len(states), TEXTS)
        word, voice = states[kind]
        draw = len(states) // 2 * (utterance // len(states)) + kind // 2
        key = (self.seed, speaker, draw)
        sentence, place = compose_bearing(self.seed, number), find_place(self.seed, number)
        spoken = introduce_speaker(self.seed, speaker)
        doses, span = self.plant(sentence, place, key, bool(voice))
        spans = (span,) if span and voice else ()
        channel = draw_channel(key)
        channel = replace(channel, gain_db=channel.gain_db - HEADROOM)
        script = Script(spoken, sentence, key, channel, doses, spans, REFERENCE)
        own: dict[str, object] = {
            "text": respell(sentence.text, place, word),
            "rule": self.name,
            "word_index": place,
            "word_state": word,
            "draw": draw,
            "matched_pair_id": f"{spoken.name}_{draw:03d}",
            "planted": self.cue,
            "present": bool(voice),
            "noise_reference": REFERENCE,
        }
        if span:
            size = span.end - span.first
            own |= {"planted_dose": span.dose * voice, "span_first": span.first, "span_syllables": size}
        clip = make_clip(name_clip(speaker, utterance), self.name_class((word, voice)), script, own)
        times = {name: value for name, value in find_times(clip, spans).items() if name.startswith("span")}
        return Clip(clip.wave, {**clip.row, **times, "words": write_words(clip)}, clip.utterance)

    def plant(
        self, sentence: Sentence, place: int, key: tuple[int, ...], present: bool
    ) -> tuple[dict[str, float], Span | None]:
        """Doses over the utterance, and the word that has the cue if it is there and local."""
        doses = vary_rest(open_stream(Stream.LENS, key), (self.cue,))
        dose = fit_dose(self.cue, self.strength)
        if not self.local:
            return {**doses, self.cue: dose * present}, None
        places = [word for number, word in enumerate(sentence.words) if number != place]
        first, end = places[int(open_stream(Stream.SPAN, key).integers(len(places)))]
        return doses, Span(self.cue, dose, first, end)

    def name_class(self, state: State) -> str:
        """The emotion of a state."""
        if self.name == "unique":
            return QUADRANTS[state]
        return EXPRESSES[self.cue] if self.rule.classes[state] else NEUTRAL

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the part of each speaker, the seed, the strength, the truth, and the answers of an ideal observer."""
        states = zip(frame["word_state"], frame["present"].astype(int), strict=True)
        truths = pd.DataFrame(
            [self.rule.find_truth((int(word), int(voice))) for word, voice in states],
            columns=["planted_text", "planted_audio", "planted_both"],
            index=frame.index,
        )
        parts = [find_part(int(speaker.removeprefix("s"))) for speaker in frame["speaker"]]
        return frame.assign(split=parts, seed=self.seed, strength=self.strength, ideal=frame["emotion"]).join(truths)


def write_words(clip: Clip) -> str:
    """Words as written with their start and end in s on the time axis of the file, as JSON."""
    times = clip.utterance.timeline.words
    words = str(clip.row["text"]).split()
    return json.dumps(
        [[word, round(float(start), 4), round(float(end), 4)] for word, (start, end) in zip(words, times, strict=True)],
        ensure_ascii=False,
    )


def speak_states(row: Mapping[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A clip spoken again without and with the cue, all else alike, ``[samples]`` at 16 kHz each.

    Args:
        row: of the manifest.

    Raises:
        InputError: another version of the generator made the clip.
    """
    cue, script = str(row["planted"]), read_script(row)
    without, dose = neutralise(script, cue), fit_dose(cue, float(row["strength"]))
    if find_number(row, "span_first") is None:
        with_cue = replace(without, doses={**without.doses, cue: dose})
    else:
        first = int(row["span_first"])
        with_cue = replace(without, spans=(Span(cue, dose, first, first + int(row["span_syllables"])),))
    waves = [record(one.speak().wave, one.channel, RATE, one.key, one.reference)[0] for one in (without, with_cue)]
    return waves[0], waves[1]
