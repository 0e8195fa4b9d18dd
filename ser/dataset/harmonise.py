"""One vocabulary for emotions, sexes and parts, whatever a corpus or a table calls them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser.errors import InputError

# fmt: off
#: Every corpus's own codes → emotion; ``None`` where a code names none. The code stays in the manifest's ``label``.
#: ``ser data list`` and docs/corpora.md show this table.
CODES: dict[str, dict[str, str | None]] = {
    "cremad": {
        "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    },
    "emodb": {
        "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "N": "neutral", "T": "sadness",
    },
    "emovo": {
        "rab": "anger", "dis": "disgust", "pau": "fear", "gio": "happiness", "neu": "neutral", "tri": "sadness",
        "sor": "surprise",
    },
    "emozionalmente": {
        "anger": "anger", "disgust": "disgust", "fear": "fear", "joy": "happiness", "neutrality": "neutral",
        "sadness": "sadness", "surprise": "surprise",
    },
    "iemocap": {  # oth: another emotion; xxx: no majority among the raters
        "ang": "anger", "dis": "disgust", "exc": "excitement", "fea": "fear", "fru": "frustration", "hap": "happiness",
        "neu": "neutral", "sad": "sadness", "sur": "surprise", "oth": None, "xxx": None,
    },
    "msp_improv": {  # O: another emotion; X: no agreement
        "A": "anger", "H": "happiness", "N": "neutral", "S": "sadness", "O": None, "X": None,
    },
    "msp_podcast": {  # O: another emotion; X: no agreement
        "A": "anger", "C": "contempt", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness",
        "U": "surprise", "O": None, "X": None,
    },
    "nemo": {
        "anger": "anger", "fear": "fear", "happiness": "happiness", "neutral": "neutral", "sadness": "sadness",
        "surprised": "surprise",
    },
    "planted": {
        "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    },
    "planted_a1": {  # NEU and what the cue expresses
        "ANG": "anger", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    },
    "planted_a2": {
        "ANG": "anger", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    },
    "planted_a4": {
        "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    },
    "planted_c": {  # NEU and what the cue expresses; four of them where word and voice tell half of it each
        "ANG": "anger", "CAL": "calm", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    },
    "ravdess": {
        "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear",
        "07": "disgust", "08": "surprise",
    },
    "savee": {
        "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness", "su": "surprise",
    },
    "tess": {  # ps: pleasant surprise
        "angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral",
        "sad": "sadness", "ps": "surprise",
    },
}
#: Usual words → emotion, in tables of one's own, in audformat and from single raters; other words stay as they are.
EMOTION_SYNONYMS = {
    "ang": "anger", "angry": "anger",
    "bored": "boredom",
    "dis": "disgust", "disgusted": "disgust",
    "exc": "excitement", "excited": "excitement",
    "afraid": "fear", "anxiety": "fear", "fea": "fear", "fearful": "fear",
    "fru": "frustration", "frustrated": "frustration",
    "hap": "happiness", "happy": "happiness", "joy": "happiness",
    "neu": "neutral", "neutral state": "neutral", "neutrality": "neutral",
    "sad": "sadness",
    "pleasant surprise": "surprise", "ps": "surprise", "sur": "surprise", "surprised": "surprise",
}
# fmt: on
GENDER_SYNONYMS = {"f": "female", "w": "female", "woman": "female", "m": "male", "man": "male"}
PART_SYNONYMS = {"dev": "validation", "valid": "validation", "val": "validation", "development": "validation"}


def harmonise(value: object, synonyms: Mapping[str, str]) -> str | None:
    """The harmonised name of a word: lower case, synonyms replaced; ``None`` for a missing value."""
    if value is None or value != value or not str(value).strip():  # NaN differs from itself
        return None
    name = str(value).strip().lower()
    return synonyms.get(name, name)


def find_emotion(corpus: str, code: str, source: object) -> str | None:
    """The emotion that a corpus's code names; ``None`` if it names none.

    Args:
        corpus: a key of :data:`CODES`.
        code: as the corpus writes it.
        source: the file it is read from, for the message.

    Raises:
        InputError: the corpus has no such code.
    """
    if code not in CODES[corpus]:
        raise InputError(
            f"{source}: {code!r} is not one of the codes of {corpus}",
            expected=", ".join(f"{known} ({emotion or 'no emotion'})" for known, emotion in CODES[corpus].items()),
            remedy="correct the label or take the file away; a corpus with codes of its own is read with dataset=csv "
            "and dataset.values.emotion={<code>: <emotion>}",
        )
    return CODES[corpus][code]


def list_emotions(corpus: str) -> list[str]:
    """The emotions that a corpus has codes for, sorted."""
    return sorted({emotion for emotion in CODES[corpus].values() if emotion})


def name_emotions(frame: pd.DataFrame, corpus: str, name: str) -> tuple[pd.DataFrame, list[str]]:
    """The clips whose ``label`` names an emotion, with their ``emotion``, and a note that counts the others by code.

    Args:
        frame: one row a clip, with its ``label`` (missing ones name no emotion) and ``path``.
        corpus: a key of :data:`CODES`.
        name: what results call the corpus.

    Raises:
        InputError: a label that is no code of the corpus.
    """
    labels = frame["label"]
    first = frame.loc[labels.notna()].drop_duplicates("label")
    emotions = {
        code: find_emotion(corpus, code, path) for code, path in zip(first["label"], first["path"], strict=True)
    }
    frame = frame.assign(emotion=labels.map(emotions))
    known = frame["emotion"].notna()
    others = labels[~known].fillna("none").value_counts().sort_index()
    if others.empty:
        return frame, []
    counts = ", ".join(f"{code} {count}" for code, count in others.items())
    note = f"{name}: {others.sum()} clips whose label names no emotion in use were left out ({counts})"
    return frame[known].reset_index(drop=True), [note]
