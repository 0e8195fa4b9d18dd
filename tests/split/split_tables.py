"""Manifests for the tests of splits: random ones, EmoDB's table, and one shaped like Emozionalmente."""

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ser.dataset.manifest import Manifest

quick = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])

EMOTIONS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
EMODB_SPEAKERS = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
EMODB_MALE = {"03", "10", "11", "12", "15"}
EMODB_AGES = dict(zip(EMODB_SPEAKERS, [31, 34, 21, 32, 26, 30, 32, 35, 25, 31], strict=True))
EMODB_COUNTS = {
    "anger": [14, 12, 13, 10, 11, 12, 12, 16, 13, 14],
    "boredom": [5, 10, 4, 8, 8, 5, 10, 8, 9, 14],
    "neutral": [11, 10, 9, 4, 9, 4, 9, 7, 11, 5],
    "happiness": [7, 11, 4, 4, 8, 2, 10, 8, 6, 11],
    "fear": [4, 6, 1, 8, 10, 6, 7, 12, 8, 7],
    "sadness": [7, 9, 4, 3, 7, 4, 5, 10, 4, 9],
    "disgust": [1, 0, 8, 1, 2, 2, 8, 8, 5, 11],
}


def build_manifest(counts, sentences=5, name="table", **columns):
    """One clip for each count of ``{speaker: {emotion: n}}``; sentences in turn; columns map speakers to values."""
    rows, number = [], 0
    for speaker, emotions in counts.items():
        for emotion, count in emotions.items():
            for take in range(count):
                extra = {column: values.get(speaker) for column, values in columns.items()}
                clip = f"{speaker}-{emotion}-{take:03d}"
                rows.append(
                    {
                        "clip": clip,
                        "path": f"{clip}.wav",
                        "emotion": emotion,
                        "label": emotion[0],
                        "speaker": speaker,
                        "sentence": f"s{number % sentences}",
                        **extra,
                    }
                )
                number += 1
    return Manifest(name, pd.DataFrame(rows))


def build_emodb():
    counts = {
        speaker: {emotion: numbers[index] for emotion, numbers in EMODB_COUNTS.items()}
        for index, speaker in enumerate(EMODB_SPEAKERS)
    }
    gender = {speaker: "male" if speaker in EMODB_MALE else "female" for speaker in EMODB_SPEAKERS}
    return build_manifest(counts, 10, "emodb", gender=gender, age=EMODB_AGES)


def build_crowd(seed=0):
    """431 actors of whom most miss emotions, as in Emozionalmente: published-systems.md, 5.3."""
    rng = np.random.default_rng(seed)
    present = {7: 123, 6: 62, 5: 53, 4: 52, 3: 45, 2: 47, 1: 49}
    counts = {}
    for number, actors in present.items():
        for _ in range(actors):
            chosen = rng.choice(EMOTIONS, number, replace=False)
            counts[f"a{len(counts):03d}"] = {e: int(1 + rng.geometric(0.4 if number < 7 else 0.25)) for e in chosen}
    gender = dict(zip(counts, rng.permutation(["male"] * 131 + ["female"] * 299 + ["other"]).tolist(), strict=True))
    age = dict(zip(counts, rng.integers(18, 80, len(counts)).tolist(), strict=True))
    return build_manifest(counts, 18, "crowd", gender=gender, age=age)


@st.composite
def manifests(draw, least=6, most=12):
    """Speakers x emotions with missing combinations. Every speaker has two emotions, so that training always has."""
    emotions = EMOTIONS[: draw(st.integers(3, 5))]
    counts = {}
    for speaker in range(draw(st.integers(least, most))):
        row = {emotion: draw(st.integers(0, 4)) for emotion in emotions}
        for emotion in draw(st.permutations(emotions))[:2]:
            row[emotion] = max(row[emotion], 1)
        counts[f"{speaker:02d}"] = row
    session = {speaker: f"Ses{int(speaker) // 2}" for speaker in counts}
    return build_manifest(counts, draw(st.integers(5, 9)), session=session)


def name_speakers(manifest, rows):
    return set(manifest.frame["speaker"].iloc[rows])


def list_folds(split):
    return [(f.index, f.name, f.train.tolist(), f.validation.tolist(), f.test.tolist()) for f in split.folds]
