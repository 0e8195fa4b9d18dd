"""Trials: runs that show whether a set-up works, and are never taken for results.

``debug=fast`` and its like change the configuration, so that the run has a key of its own; they leave a tag and a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.tracking.tracker import TrackedRun, Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Trial:
    """What makes a run a trial.

    Attributes:
        mode: ``fast``, ``overfit`` or ``profile``.
        clips: at most so many of each speaker and emotion; ``None`` for all.
        speakers: at most so many; ``None`` for all.
    """

    mode: str
    clips: int | None = None
    speakers: int | None = None

    def __post_init__(self) -> None:
        for name in ("clips", "speakers"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"debug.{name}={getattr(self, name)}", expected="1 or more, or null for all")

    def cut(self, manifest: Manifest) -> Manifest:
        """The clips of a trial, with a note that it is one."""
        frame = manifest.frame[manifest.frame["speaker"].isin(self.choose_speakers(manifest.frame))]
        if self.clips is not None:
            frame = frame.groupby(["speaker", "emotion"], dropna=False).head(self.clips)
        note = f"debug={self.mode}: a trial on {len(frame)} of {len(manifest)} clips; its scores mean nothing"
        return Manifest(manifest.name, frame, (*manifest.notes, note))

    def choose_speakers(self, frame: pd.DataFrame) -> list[str]:
        """Speakers in turn from every part and session of the corpus, so that splits by these still work."""
        first = frame.drop_duplicates("speaker").sort_values("speaker")
        turn = first.groupby(["split", "session"], dropna=False).cumcount()
        return list(first["speaker"].iloc[turn.argsort(kind="stable")][: self.speakers])


class TrialTracker(Tracker):
    """A :class:`~ser.tracking.tracker.Tracker` whose runs are tagged as trials.

    Args:
        mode: of the trial; the tag is ``ser.debug``.
        others: see there.
    """

    def __init__(self, mode: str, **others: Any) -> None:
        super().__init__(**others)
        self.mode = mode

    def start(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, str], resume: Run | None = None
    ) -> TrackedRun:
        """See there."""
        return super().start(f"{name} (debug={self.mode})", params, {**tags, "ser.debug": self.mode}, resume)
