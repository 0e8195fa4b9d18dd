"""The manifest: one validated row a clip, the same columns for every corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import pandas as pd

from ser.errors import InputError

#: Harmonised emotion names; a corpus may add others, these are the ones that must be spelt alike.
EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "contempt",
    "disgust",
    "excitement",
    "fear",
    "frustration",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)
REQUIRED = ("clip", "path", "speaker")
#: Missing where nobody named the emotion, only rated or transcribed the clip.
LABELS = ("emotion", "label")
OPTIONAL = ("start", "end", "gender", "age", "sentence", "text", "language", "session", "split")
GENDERS = ("female", "male", "other")
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Manifest:
    """Clips of one corpus, sorted by clip id, validated on construction.

    Args:
        name: what predictions and reports call the corpus.
        frame: one row a clip. Required columns: ``clip`` (unique id), ``path``, ``speaker``. Known optional ones are
            added as missing: ``emotion`` (harmonised name; :meth:`require_emotions`), ``label`` (the corpus's own code,
            filled where the emotion is), ``start``, ``end`` (s), ``gender`` (female, male, other), ``age`` (years),
            ``sentence`` (text id), ``text`` (transcript), ``language`` (BCP-47), ``session``, ``split`` (the
            publisher's: train, validation, test). Others are kept; ``rated_<emotion>`` are votes of raters
            (:mod:`ser.dataset.raters`).
        notes: what a reader of the results must know of this copy (partial copies, clips left out).

    Raises:
        InputError: an empty frame, a missing column, a repeated clip, a missing or impossible value (the first rows
            at fault are named).
    """

    name: str
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frame = self.frame.copy()
        if frame.empty:
            raise InputError(
                f"dataset {self.name}: the manifest is empty",
                expected="at least one clip",
                remedy="check dataset.root, dataset.emotions and any row filter",
            )
        self._check_columns(frame)
        for column in (*LABELS, *OPTIONAL):
            if column not in frame:
                frame[column] = None
        for column in REQUIRED:
            self._refuse(frame, find_blanks(frame[column]), column, "is missing")
            frame[column] = frame[column].astype(str)
        for column in LABELS:
            frame[column] = frame[column].astype(str).mask(find_blanks(frame[column]), None)
        self._refuse(frame, frame["label"].isna() & frame["emotion"].notna(), "label", "is missing")
        for column in ("start", "end", "age"):
            frame[column] = self._to_numbers(frame, column)
        self._check_values(frame)
        object.__setattr__(self, "frame", frame.sort_values("clip", ignore_index=True))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def emotions(self) -> list[str]:
        """The emotions present, sorted."""
        return sorted(self.frame["emotion"].dropna().unique())

    @property
    def speakers(self) -> list[str]:
        """The speakers present, sorted."""
        return sorted(self.frame["speaker"].unique())

    def require_emotions(self) -> None:
        """Refuse clips without an emotion, where emotions are what is asked for.

        Raises:
            InputError: names the clips, or the columns there are if no clip has one.
        """
        missing = self.frame["emotion"].isna()
        if missing.all():
            filled = [str(column) for column in self.frame if self.frame[column].notna().any()]
            raise InputError(
                f"dataset {self.name}: no clip has an emotion",
                expected="the emotion of every clip; found " + ", ".join(filled),
                remedy="map your table's column with dataset.columns.emotion=<your column>, or predict columns with "
                "numbers: dataset.target=[arousal,valence]",
            )
        self._refuse(self.frame, missing, "emotion", "is missing")

    def with_emotions(self, emotions: Sequence[str] | None) -> Manifest:
        """Keep the clips of some emotions only (``None``: all).

        Raises:
            InputError: an emotion that no clip has, with the ones there are.
        """
        if not emotions:
            return self
        for emotion in emotions:
            if emotion not in self.emotions:
                near = get_close_matches(emotion, self.emotions, n=1)
                raise InputError(
                    f"dataset.emotions: {emotion!r} does not occur in {self.name}",
                    expected="some of " + (", ".join(self.emotions) or "none: no clip has an emotion"),
                    remedy=f"did you mean {near[0]!r}?" if near else "choose among these",
                )
        return Manifest(self.name, self.frame[self.frame["emotion"].isin(list(emotions))], self.notes)

    def drop(self, clips: Iterable[str], note: str) -> Manifest:
        """The manifest without some clips; the note says why they are gone."""
        return Manifest(self.name, self.frame[~self.frame["clip"].isin(list(clips))], (*self.notes, note))

    def counts(self) -> pd.DataFrame:
        """Clips by speaker (rows) and emotion (columns)."""
        return pd.crosstab(self.frame["speaker"], self.frame["emotion"])

    def _check_columns(self, frame: pd.DataFrame) -> None:
        needed = [*REQUIRED, "label"] if "emotion" in frame else REQUIRED
        missing = [column for column in needed if column not in frame]
        if missing:
            raise InputError(
                f"dataset {self.name}: no column {', '.join(missing)}",
                expected=", ".join(needed) + "; found " + ", ".join(map(str, frame.columns)),
                remedy="map your table's columns with dataset.columns.<name>=<your column>",
            )

    def _check_values(self, frame: pd.DataFrame) -> None:
        self._refuse(frame, frame["clip"].duplicated(keep=False), "clip", "is not unique")
        self._refuse(frame, frame["start"] < 0, "start", "is negative")
        self._refuse(frame, frame["end"] <= frame["start"].fillna(0), "end", "does not lie after start")
        self._refuse(frame, (frame["age"] < 0) | (frame["age"] > 130), "age", "is not between 0 and 130 years")
        for column, allowed in (("gender", GENDERS), ("split", PARTS)):
            known = frame[column].isna() | frame[column].isin(allowed)
            self._refuse(frame, ~known, column, f"is not one of {', '.join(allowed)}")

    def _to_numbers(self, frame: pd.DataFrame, column: str) -> pd.Series:
        numbers = pd.to_numeric(frame[column], errors="coerce").astype(float)
        self._refuse(frame, numbers.isna() & frame[column].notna(), column, "is not a number")
        return numbers

    def _refuse(self, frame: pd.DataFrame, wrong: pd.Series, column: str, what: str) -> None:
        if not wrong.any():
            return
        rows = frame[wrong].head(5)
        shown = ", ".join(f"{clip} ({value!r})" for clip, value in zip(rows["clip"], rows[column], strict=True))
        more = " …" if wrong.sum() > len(rows) else ""
        raise InputError(
            f"dataset {self.name}: {column} {what} in {wrong.sum()} of {len(frame)} rows: {shown}{more}",
            remedy="mend the table or the corpus copy; dataset.values of dataset=csv maps codes to values",
        )


def find_blanks(column: pd.Series) -> pd.Series:
    """Which values are missing, or nothing but blanks."""
    return column.isna() | (column.astype(str).str.strip() == "")
