"""The tested clips of a fold as its fused model hears and reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.backbone.texts import read_texts
from ser.errors import InputError
from ser.explainer.marks import read_words
from ser.explainer.modality.draws import draw_others
from ser.explainer.modality.game import Game, play
from ser.explainer.modality.parts import Wave
from ser.explainer.modality.table import Array, Rows, tabulate, weigh
from ser.explainer.segments.units import Mark
from ser.finished import FinishedRun

if TYPE_CHECKING:
    from ser.fused import Encoded, FusedModel

#: Column of the manifest with times of words.
WORDS = "words"


@dataclass(frozen=True, eq=False)
class Material:
    """Clips of a fold [N] and what its model makes of them.

    Attributes:
        fold: by name.
        rows: predictions, with columns of the manifest, numbered from 0.
        model: of the fold.
        rate: at which it hears, in Hz.
        waves: prepared.
        offsets: when their first samples happen, in s on the time axis of the file [N].
        texts: transcripts, empty where they are masked.
        audio: the waveforms, encoded.
        text: the transcripts, encoded.
        logits: of the sound of each clip with the words of each [N, N, K].
        worth: what of a class counts, its ``margin`` or its ``probability``.
        classes: which are explained [N].
        audio_draws: rows of clips whose sound stands for an unknown one [N, M].
        text_draws: the same of words [N, M].
        wide: clips for which these had to be unlike them, by modality [N].
    """

    fold: str
    rows: pd.DataFrame
    model: FusedModel
    rate: int
    waves: list[Wave]
    offsets: Array
    texts: list[str]
    audio: Encoded
    text: Encoded
    logits: Array
    worth: str
    classes: Rows
    audio_draws: Rows
    text_draws: Rows
    wide: dict[str, np.ndarray]

    @property
    def truth(self) -> Rows:
        """True classes [N], -1 where the model does not know the emotion."""
        return number_classes(self.rows["true"], self.model.emotions)

    def play(self) -> Game:
        """The game of each clip."""
        return play(weigh(self.logits, self.worth), self.classes, self.audio_draws, self.text_draws)

    def ask(self, audio: Encoded, heard: Rows, text: Encoded, read: Rows, classes: Rows) -> Array:
        """Worth [P] of classes for pairs of rows of encoded sounds and of encoded texts."""
        logits = np.asarray(self.model.fuse(audio.take(heard), text.take(read)), dtype=np.float64)
        return np.asarray(weigh(logits, self.worth)[np.arange(len(classes)), classes])


@dataclass(frozen=True)
class Sampling:
    """Which clips are compared.

    Attributes:
        target: which emotion is explained, ``predicted`` or ``true``.
        worth: what of it counts, its ``margin`` or its ``probability``.
        most: clips of a fold, at most.
        draws: other clips that stand for one.
        band: largest ratio of lengths of clips that stand for each other.
        seed: of sample and draws.
    """

    target: str
    worth: str
    most: int
    draws: int
    band: float
    seed: int


def gather(finished: FinishedRun, fold: str, sampling: Sampling) -> Material:
    """The clips that a fold tested, or a sample of them.

    Raises:
        InputError: fewer than two clips, or an emotion that the model does not know.
    """
    rng = np.random.default_rng([sampling.seed, list(finished.folds).index(fold)])
    rows = finished.tested[finished.tested["fold"] == fold]
    if len(rows) > sampling.most:
        rows = rows.iloc[np.sort(rng.permutation(len(rows))[: sampling.most])]
    trained = finished.load_model(fold)
    waves, offsets = hear(finished, rows, trained.rate)
    reader = finished.trunk.text
    assert reader is not None  # a fused model reads
    texts = read_texts(rows, reader.backbone.missing)
    return compare(trained.fused, trained.rate, rows, waves, offsets, texts, sampling, rng)


def compare(
    model: FusedModel,
    rate: int,
    rows: pd.DataFrame,
    waves: list[Wave],
    offsets: Array,
    texts: list[str],
    sampling: Sampling,
    rng: np.random.Generator,
) -> Material:
    """Every sound with every text, as a model takes them; the arguments are as in :class:`Material`.

    Raises:
        InputError: fewer than two clips, or an emotion that the model does not know.
    """
    fold, rows = str(rows["fold"].iloc[0]), rows.reset_index(drop=True)
    if len(rows) < 2:
        raise InputError(f"fold {fold}: one tested clip, and no other one to stand for it", remedy="use another split")
    classes = number_classes(rows[sampling.target], model.emotions)
    if (classes < 0).any():
        raise InputError(
            f"explainer.target={sampling.target}: the model of fold {fold} does not know "
            f"{rows[sampling.target].iloc[int(np.argmin(classes))]}",
            expected="clips of " + ", ".join(model.emotions),
            remedy="explainer.target=predicted",
        )
    audio, text = model.encode_audio(waves), model.encode_texts(texts)
    sounds, words = np.array([len(wave) for wave in waves]), np.array([max(1, len(one.split())) for one in texts])
    heard = draw_others(sounds, number(name_speakers(rows)), sampling.draws, sampling.band, rng)
    read = draw_others(words, np.zeros(len(rows), dtype=np.int64), sampling.draws, sampling.band, rng)
    return Material(
        fold=fold,
        rows=rows,
        model=model,
        rate=rate,
        waves=waves,
        offsets=offsets,
        texts=texts,
        audio=audio,
        text=text,
        logits=tabulate(lambda one, other: model.fuse(audio.take(one), text.take(other)), len(rows)),
        worth=sampling.worth,
        classes=classes,
        audio_draws=heard.rows,
        text_draws=read.rows,
        wide={"audio": heard.wide, "text": read.wide},
    )


def hear(finished: FinishedRun, rows: pd.DataFrame, rate: int) -> tuple[list[Wave], Array]:
    """Prepared waveforms of rows, and when their first samples happen in their files."""
    waves, offsets = [], []
    for row in rows.to_dict("records"):
        place = (None if pd.isna(row.get(edge)) else float(row[edge]) for edge in ("start", "end"))
        heard = finished.corpus.preparation.prepare(row["path"], rate, *place)
        waves.append(heard.waveform)
        offsets.append(heard.offset)
    return waves, np.array(offsets)


def number_classes(emotions: pd.Series, known: Sequence[str]) -> Rows:
    """Number of each emotion among those known, -1 for others."""
    places = {emotion: place for place, emotion in enumerate(known)}
    return np.array([places.get(emotion, -1) for emotion in emotions], dtype=np.int64)


def name_speakers(rows: pd.DataFrame) -> pd.Series:
    """Speakers, those of several corpora apart."""
    return rows["dataset"].astype(str) + "/" + rows["speaker"].astype(str)


def number(names: pd.Series) -> Rows:
    """A number for each name."""
    return np.unique(names.to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)


def read_times(row: pd.Series) -> list[Mark]:
    """Start and end of each word in s on the time axis of the file; none where they are not known."""
    known = {str(name): value for name, value in row.items() if isinstance(value, list) or pd.notna(value)}
    return read_words(known, WORDS) if WORDS in known or "generator_version" in known else []
