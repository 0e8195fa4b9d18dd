"""Truths about planted clips: what the data hold, what a model makes of it, and whether it hears enough to be asked.

*Data truth* is in the manifest: spans, and the weights of the lens. *Model truth* comes from speaking an utterance
again with a cue at its neutral value and everything else alike (the same random numbers, noise and channel): how much
a score of the model changes is what the cue causes in it; over all subsets of cues, that is their exact Shapley value.
The *gate* is what a model must reach before the data truth can be held against explanations of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from math import factorial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ser.dataset.planted.channel import Channel, measure_level, record
from ser.dataset.planted.clip import VERSION, Script, Span, introduce_speaker
from ser.dataset.planted.cues import CUE_NAMES, Array
from ser.dataset.planted.lens import LENS_CUES, attribute_cues
from ser.dataset.planted.lens_plan import CUTOFF_NEUTRAL, SHORTCUTS, SNR_NEUTRAL
from ser.dataset.planted.speaker import Speaker
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.word import read_sentence
from ser.errors import InputError
from ser.progress import show_progress

Wave = NDArray[np.float32]
#: Waveforms at 16 kHz to one score each, ``[N]``, or to several, ``[N, ...]``: margins of all classes, say.
Score = Callable[[Sequence[Wave]], ArrayLike]
#: Share of the ideal observer's accuracy that a model must reach.
GATE = 0.9
#: More players than this would mean more than 1,024 utterances for one clip.
MOST_PLAYERS = 10
#: Nobody in particular: the middle of what speakers are drawn from.
ANYONE = Speaker("anyone", "other", 45, 154.0, 1.075, 1.14, 0.005, 0.25, 1.0, (0.0, 0.0, 0.0))


# ---- speaking again


class Retelling:
    """One clip of a manifest, to be spoken again without some of its cues.

    Args:
        row: of a planted corpus.

    Raises:
        InputError: another version of the generator made the clip.
    """

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.script = read_script(row)
        if self.script.reference is None:
            # Noise and gain stay those of the clip as it is, whatever is taken away.
            level = measure_level(self.script.speak().wave, self.script.channel, RATE)
            self.script = replace(self.script, reference=level)

    def speak(self, without: Collection[str] = ()) -> Wave:
        """The waveform ``[samples]`` at 16 kHz with some players at their neutral value (:func:`resynthesise`)."""
        script = self.script
        for player in without:
            script = neutralise(script, player)
        return record(script.speak().wave, script.channel, RATE, script.key, script.reference)[0]


def resynthesise(row: Mapping[str, Any], without: Collection[str] = ()) -> Wave:
    """A clip spoken again, ``[samples]`` at 16 kHz, sample by sample the same wherever nothing was taken away.

    Args:
        row: of the manifest of a planted corpus.
        without: players at their neutral value: cues, wherever they are in the clip, or ``noise``, ``channel``,
            ``speaker`` for the shortcuts of track A4. Without ``rate`` or ``pause`` the clip has another length.

    Raises:
        InputError: no such player, or another version of the generator made the clip.
    """
    return Retelling(row).speak(without)


def recompose(row: Mapping[str, Any], without: Collection[str] = ()) -> Wave:
    """A clip as its corpus would have made it without some players, ``[samples]`` at 16 kHz.

    Other than in :func:`resynthesise`, noise follows the level of the voice if it does so in the corpus (all tracks but
    A2): what is left of a cue is then in the voice alone.

    Args:
        row, without: see there.

    Raises:
        InputError: see there.
    """
    script = read_script(row)
    for player in without:
        script = neutralise(script, player)
    return record(script.speak().wave, script.channel, RATE, script.key, script.reference)[0]


def read_script(row: Mapping[str, Any]) -> Script:
    """The script of a clip from its row in the manifest.

    Raises:
        InputError: another version of the generator made the clip.
    """
    if row.get("generator_version") != VERSION:
        raise InputError(
            f"clip {row.get('clip')}: generator version {row.get('generator_version')}",
            expected=f"{VERSION}, for only the same generator can speak a clip again",
            remedy="rows of dataset=planted or planted_a0 to planted_c, made by this version of ser",
        )
    seed, number = int(row["seed"]), int(str(row["speaker"]).removeprefix("s"))
    snr, gain, shelf = (float(row[name]) for name in ("snr_db", "gain_db", "shelf_db"))
    spans = []
    for cue, dose, first in (("planted", "planted_dose", "span_first"), ("decoy", "decoy_dose", "decoy_first")):
        if row.get(dose):
            at = int(row[first])
            spans.append(Span(str(row[cue]), float(row[dose]), at, at + int(row["span_syllables"])))
    return Script(
        voice=introduce_speaker(seed, number),
        sentence=read_sentence(seed, str(row["sentence"])),
        key=(seed, number, int(row["draw"])),
        channel=Channel(snr, gain, shelf, find_number(row, "cutoff_hz")),
        doses={cue: float(row[f"cue_{cue}"]) for cue in CUE_NAMES},
        spans=tuple(spans),
        reference=find_number(row, "noise_reference"),
    )


def find_number(row: Mapping[str, Any], name: str) -> float | None:
    """A value of a row, if it has it."""
    value = row.get(name)
    return None if value is None or np.isnan(value) else float(value)


def neutralise(script: Script, player: str) -> Script:
    """A script with one player at its neutral value.

    Raises:
        InputError: no such player.
    """
    if player in CUE_NAMES:
        kept = tuple(span for span in script.spans if span.cue != player)
        return replace(script, doses={**script.doses, player: 0.0}, spans=kept)
    if player == "noise":
        return replace(script, channel=replace(script.channel, snr_db=SNR_NEUTRAL))
    if player == "channel":
        return replace(script, channel=replace(script.channel, cutoff_hz=CUTOFF_NEUTRAL))
    if player == "speaker":
        return replace(script, voice=ANYONE)
    raise InputError(f"player {player!r} does not exist", expected=", ".join((*CUE_NAMES, *SHORTCUTS)))


# ---- what the data hold


def list_players(frame: pd.DataFrame) -> tuple[str, ...]:
    """What may act on a label in these rows: the lens cues, and a shortcut; or the cue and its decoy."""
    if f"z_{LENS_CUES[0]}" in frame:
        return (*LENS_CUES, *(frame["shortcut"].unique() if "shortcut" in frame else ()))
    if "planted" in frame:
        return tuple(dict.fromkeys([*frame["planted"], *frame.get("decoy", ())]))
    raise InputError("these clips have no planted label", expected="rows of tracks A1 to A4 or C")


def attribute_rows(frame: pd.DataFrame) -> Array:
    """True Shapley values of the lens's logits, ``[clips, emotions, cues]`` (``lens.attribute_cues``)."""
    z = frame[[f"z_{cue}" for cue in LENS_CUES]].to_numpy(dtype=float)
    strengths = frame["strength"].unique()
    if len(strengths) != 1:
        raise InputError(f"clips of {len(strengths)} lenses", expected="rows of one corpus of track A3 or A4")
    return attribute_cues(z, float(strengths[0]))


# ---- what a model makes of it


def measure_effects(frame: pd.DataFrame, players: Sequence[str], score: Score, batch: int = 64) -> Array:
    """What each player causes alone: the score of a clip minus its score without the player.

    Args:
        frame: rows of a planted corpus.
        players: cues or shortcuts.
        score: of the model; it gets at most ``batch`` waveforms at a time, of different lengths.
        batch: see there.

    Returns:
        ``[clips, players, ...]``, with the further axes of the score.
    """
    scores = score_variants(frame, [(), *((player,) for player in players)], score, batch)
    return scores[:, :1] - scores[:, 1:]


def measure_shapley(frame: pd.DataFrame, players: Sequence[str], score: Score, batch: int = 64) -> Array:
    """Exact Shapley values of the players for the score of each clip, over all subsets of players.

    The value of a set is the score of the clip with these players as they are and the others at their neutral value.

    Args:
        frame, players, score, batch: as in :func:`measure_effects`; 2^players utterances are spoken for each clip.

    Returns:
        ``[clips, players, ...]``.

    Raises:
        InputError: too many players.
    """
    if len(players) > MOST_PLAYERS:
        raise InputError(f"{len(players)} players: {2 ** len(players)} utterances a clip", expected="10 or fewer")
    absent = [
        tuple(p for bit, p in enumerate(players) if not members >> bit & 1) for members in range(2 ** len(players))
    ]
    scores = score_variants(frame, absent, score, batch)
    return np.moveaxis(find_shapley(np.moveaxis(scores, 1, 0)), 0, 1)


def find_shapley(values: ArrayLike) -> Array:
    """Shapley values of a game.

    Args:
        values: of every set of players, ``[2^players, ...]``; player k is in the sets whose number has bit k.

    Returns:
        ``[players, ...]``.
    """
    worth = np.asarray(values, dtype=float)
    count = len(worth).bit_length() - 1
    if len(worth) != 2**count:
        raise InputError(f"a game of {len(worth)} sets", expected="2^players of them")
    shares = np.zeros((count, *worth.shape[1:]))
    for player in range(count):
        others = [other for other in range(count) if other != player]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for chosen in combinations(others, size):
                members = sum(1 << other for other in chosen)
                shares[player] += weight * (worth[members | 1 << player] - worth[members])
    return shares


def score_variants(frame: pd.DataFrame, variants: Sequence[Collection[str]], score: Score, batch: int = 64) -> Array:
    """Scores of every clip without each of some sets of players, ``[clips, variants, ...]``."""
    if batch < 1:
        raise InputError(f"batch={batch}", expected="1 or more waveforms at a time")

    def speak() -> Iterator[Wave]:
        for row in frame.to_dict("records"):
            retelling = Retelling({str(name): value for name, value in row.items()})
            yield from (retelling.speak(without) for without in variants)

    parts = []
    with show_progress("speaking again", len(frame) * len(variants)) as advance:
        for waves in cut(speak(), batch):
            parts.append(np.asarray(score(waves), dtype=float))
            if len(parts[-1]) != len(waves):
                raise InputError(f"the score gave {len(parts[-1])} values for {len(waves)} waveforms")
            advance(len(waves))
    scores = np.concatenate(parts)
    return scores.reshape(len(frame), len(variants), *scores.shape[1:])


def cut(items: Iterable[Wave], size: int) -> Iterator[list[Wave]]:
    """Lists of at most so many items."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


# ---- whether it hears enough


@dataclass(frozen=True)
class Gate:
    """Accuracies of a model and of the ideal observer on the same clips, and the share that the model must reach."""

    accuracy: float
    ideal: float
    share: float = GATE

    @property
    def passed(self) -> bool:
        """Whether explanations of the model may be held against the data truth."""
        return self.accuracy >= self.share * self.ideal

    def describe(self) -> dict[str, object]:
        """For tables."""
        wanted = self.share * self.ideal
        return {"accuracy": self.accuracy, "ideal": self.ideal, "wanted": wanted, "passed": self.passed}


def check_gate(true: ArrayLike, predicted: ArrayLike, ideal: ArrayLike, share: float = GATE) -> Gate:
    """The gate of a model: accuracy against the ideal observer's, who knows the doses and nothing else.

    Args:
        true: emotions ``[clips]`` of the test part.
        predicted: the model's answers, in the same order.
        ideal: the ideal observer's, column ``ideal`` of the manifest.
        share: of the ideal accuracy that passes.

    Raises:
        InputError: different numbers of clips, or none.
    """
    answers = [np.asarray(column, dtype=str) for column in (true, predicted, ideal)]
    if len({len(column) for column in answers}) != 1 or not len(answers[0]):
        raise InputError("gate: " + ", ".join(str(len(column)) for column in answers) + " answers", expected="as many")
    return Gate(float(np.mean(answers[1] == answers[0])), float(np.mean(answers[2] == answers[0])), share)
