"""Each modality's worth in a clip shared out among words of the text and stretches of the sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser.explainer.modality.game import Game
from ser.explainer.modality.material import Material, read_times
from ser.explainer.modality.owen import draw_masks, find_owen
from ser.explainer.modality.parts import cut_evenly, cut_text, cut_words, is_cut, mix_text, mix_wave
from ser.explainer.modality.table import Array, Rows

Masks = NDArray[np.bool_]
COLUMNS = ("clip", "dataset", "speaker", "fold", "emotion", "modality", "part", "words", "start", "end", "value")


@dataclass(frozen=True)
class Division:
    """How clips are divided and how much is asked of each.

    Attributes:
        seconds: length of a stretch of sound where times of words are unknown.
        most: parts of a modality at most.
        masks: sets of parts that a model is asked about, all of them where they are no more.
        draws: other clips that stand for parts that are taken away.
        seed: of the masks.
    """

    seconds: float
    most: int
    masks: int
    draws: int
    seed: int


@dataclass(frozen=True, eq=False)
class Cut:
    """Parts of one clip.

    Attributes:
        texts: words, or stretches of words.
        edges: of stretches of sound, as shares of its length.
        aligned: whether each stretch of sound has the words of the part of the text with its number.
    """

    texts: list[str]
    edges: Array
    aligned: bool


def share_out(material: Material, game: Game, clip: int, division: Division) -> pd.DataFrame:
    """Owen values of the parts of a clip, a row a part (:data:`COLUMNS`); times are on the axis of the file."""
    cut = cut_clip(material, clip, division)
    row = material.rows.iloc[clip]
    emotion = material.model.emotions[material.classes[clip]]
    base = {"fold": material.fold, "emotion": emotion, **{name: row[name] for name in ("clip", "dataset", "speaker")}}
    edges = material.offsets[clip] + cut.edges * len(material.waves[clip]) / material.rate
    tables = []
    for modality, count, ask in (("text", len(cut.texts), ask_texts), ("audio", len(edges) - 1, ask_sounds)):
        keep = draw_masks(count, division.masks, division.seed)
        worth = ask(material, clip, cut, keep, division.draws)
        timed = modality == "audio" or cut.aligned
        tables.append(
            pd.DataFrame(
                {
                    **base,
                    "modality": modality,
                    "part": np.arange(count),
                    "words": cut.texts if modality == "text" or cut.aligned else None,
                    "start": edges[:-1] if timed else np.nan,
                    "end": edges[1:] if timed else np.nan,
                    "value": find_owen(keep, *worth, float(game.shapley[modality][clip])),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def cut_clip(material: Material, clip: int, division: Division) -> Cut:
    """Parts of a clip: by its words where their times are known, else its sound in stretches of equal length."""
    wave, text = material.waves[clip], material.texts[clip]
    seconds, texts = len(wave) / material.rate, cut_text(text, division.most)
    times = read_times(material.rows.iloc[clip])
    if times and len(times) == len(text.split()):
        places = [(start - material.offsets[clip], end - material.offsets[clip]) for start, end in times]
        edges = cut_words(places, seconds, division.most)
        if is_cut(edges):
            return Cut(texts, edges, True)
    return Cut(texts, cut_evenly(seconds, division.seconds, division.most), False)


def ask_texts(material: Material, clip: int, cut: Cut, keep: Masks, draws: int) -> tuple[Array, Array]:
    """Worth [masks] of words that stay, without the clip's sound and with it."""
    others = material.text_draws[clip, :draws]
    mixed = [mix_text(cut.texts, material.texts[other], mask) for mask in keep for other in others]
    encoded, read = material.model.encode_texts(mixed), np.arange(len(mixed))

    def ask(heard: Rows) -> Array:
        classes = np.full(len(read), material.classes[clip])
        return material.ask(material.audio, heard, encoded, read, classes).reshape(len(keep), -1).mean(1)

    return ask(np.tile(material.audio_draws[clip, :draws], len(keep))), ask(np.full(len(read), clip))


def ask_sounds(material: Material, clip: int, cut: Cut, keep: Masks, draws: int) -> tuple[Array, Array]:
    """Worth [masks] of stretches of sound that stay, without the clip's words and with them."""
    own, others, rate = material.waves[clip], material.audio_draws[clip, :draws], material.rate
    mixed = [mix_wave(own, material.waves[other], cut.edges, mask, rate) for mask in keep for other in others]
    encoded, heard = material.model.encode_audio(mixed), np.arange(len(mixed))

    def ask(read: Rows) -> Array:
        classes = np.full(len(heard), material.classes[clip])
        return material.ask(encoded, heard, material.text, read, classes).reshape(len(keep), -1).mean(1)

    return ask(np.tile(material.text_draws[clip, :draws], len(keep))), ask(np.full(len(heard), clip))
