"""The tables of a corpus: who speaks in which emotion, and what the files are like."""

from __future__ import annotations

import pandas as pd

#: File properties that are counted, with how a level is shown.
PROPERTIES = {"rate": "{:.0f} Hz", "channels": "{:.0f} ch", "container": "{}", "coding": "{}"}


def count_speakers(frame: pd.DataFrame) -> pd.DataFrame:
    """Clips by speaker (rows, with gender) and emotion (columns), with totals."""
    counts = pd.crosstab(frame["speaker"], frame["emotion"])
    gender = frame.groupby("speaker")["gender"].first().fillna("–")
    counts.insert(0, "gender", gender)
    counts["all"] = frame["speaker"].value_counts()
    return counts


def count_genders(frame: pd.DataFrame) -> pd.DataFrame:
    """Clips by gender (rows, with the number of speakers) and emotion (columns), with totals."""
    gender = frame["gender"].fillna("unknown")
    counts = pd.crosstab(gender, frame["emotion"])
    counts.insert(0, "speakers", frame["speaker"].groupby(gender).nunique())
    counts["all"] = gender.value_counts()
    return counts


def count_properties(clips: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Clips by what their headers state: rate, channels, file format, sample format; the most frequent first."""
    counts = {}
    for column, show in PROPERTIES.items():
        levels = clips.loc[clips[column].notna() & (clips[column] != ""), column]
        counts[column] = {show.format(level): int(count) for level, count in levels.value_counts().items()}
    return counts


def summarise_durations(clips: pd.DataFrame, by: str = "emotion") -> pd.DataFrame:
    """Durations in s of the usable clips by a column: number, shortest, median, mean, SD, longest, and their sum."""
    seconds = clips[clips["problem"] == ""].groupby(by)["seconds"]
    return seconds.agg(["count", "min", "median", "mean", "std", "max", "sum"])


def describe_speakers(frame: pd.DataFrame) -> str:
    """``10 speakers (5 female, 5 male)``."""
    genders = frame.drop_duplicates("speaker")["gender"].fillna("of unknown gender").value_counts().sort_index()
    number = frame["speaker"].nunique()
    return f"{number} speaker{'s' * (number != 1)} ({', '.join(f'{count} {name}' for name, count in genders.items())})"


def describe_seconds(seconds: float) -> str:
    """``16.2 min`` or ``3.4 h``."""
    return f"{seconds / 3600:.1f} h" if seconds >= 7200 else f"{seconds / 60:.1f} min"
