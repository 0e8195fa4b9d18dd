"""One vocabulary for emotions and sexes, whatever a table calls them."""

from __future__ import annotations

EMOTION_SYNONYMS = {
    "angry": "anger",
    "ang": "anger",
    "bored": "boredom",
    "disgusted": "disgust",
    "dis": "disgust",
    "excited": "excitement",
    "exc": "excitement",
    "afraid": "fear",
    "anxiety": "fear",
    "fea": "fear",
    "fearful": "fear",
    "frustrated": "frustration",
    "fru": "frustration",
    "hap": "happiness",
    "happy": "happiness",
    "joy": "happiness",
    "neu": "neutral",
    "neutrality": "neutral",
    "pleasant surprise": "surprise",
    "ps": "surprise",
    "sad": "sadness",
    "sur": "surprise",
    "surprised": "surprise",
}
GENDER_SYNONYMS = {"f": "female", "w": "female", "woman": "female", "m": "male", "man": "male"}
PART_SYNONYMS = {"dev": "validation", "valid": "validation", "val": "validation", "development": "validation"}


def harmonise(value: object, synonyms: dict[str, str]) -> str | None:
    """The harmonised name of a code: lower case, synonyms replaced; ``None`` for a missing value."""
    if value is None or value != value or not str(value).strip():  # NaN differs from itself
        return None
    name = str(value).strip().lower()
    return synonyms.get(name, name)
