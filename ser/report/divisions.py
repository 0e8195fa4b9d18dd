"""Who was where in a run: what its ``split.csv`` says, as numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

COLUMNS = ("clip", "fold", "part", "speaker", "emotion")
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Division:
    """The folds of a run.

    Attributes:
        rows: one a clip, fold and part (:data:`COLUMNS`). Large splits are written without training rows; every clip
            that a fold neither tests nor validates on trains there.
    """

    rows: pd.DataFrame

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.rows["fold"].nunique())

    @property
    def implied(self) -> bool:
        """Whether training rows are left to be inferred."""
        return "train" not in set(self.rows["part"])

    @cached_property
    def clips(self) -> pd.DataFrame:
        """Every clip once."""
        return self.rows.drop_duplicates("clip")

    @cached_property
    def sizes(self) -> pd.DataFrame:
        """Clips and speakers of each part of each fold: ``fold, part, clips, speakers``."""
        groups = self.rows.groupby(["fold", "part"], sort=False)
        found = groups.agg(clips=("clip", "nunique"), speakers=("speaker", "nunique")).reset_index()
        if not self.implied:
            return found
        alone = self.rows.groupby("fold")["clip"].nunique()
        gone = self._held["whole"].groupby(self._held["fold"]).sum()
        speakers = self.clips["speaker"].nunique() - gone
        trained = pd.DataFrame({"clips": len(self.clips) - alone, "speakers": speakers}).reset_index()
        return pd.concat([found, trained.assign(part="train")], ignore_index=True)

    def count_shared(self, column: str) -> tuple[int, int]:
        """How many speakers, or clips, are in more than one part of a fold, and in how many folds that is so."""
        sides = self.rows.drop_duplicates(["fold", "part", column]).groupby(["fold", column]).size()
        shared = sides[sides > 1].index
        if self.implied and column == "speaker":
            divided = self._held[~self._held["whole"]]
            shared = shared.union(pd.MultiIndex.from_frame(divided[["fold", "speaker"]]))
        return int(shared.get_level_values(column).nunique()), int(shared.get_level_values("fold").nunique())

    def count_crossing(self, groups: Sequence[Sequence[str]]) -> int:
        """How many groups of clips have members in the test part of a fold and in another of its parts."""
        names = {clip: place for place, group in enumerate(groups) for clip in group}
        own = self.rows[self.rows["clip"].isin(names)]
        crossing: set[int] = set()
        for _, fold in own.groupby("fold"):
            tested = {names[clip] for clip in fold.loc[fold["part"] == "test", "clip"]}
            others = set(fold.loc[fold["part"] != "test", "clip"])
            if self.implied:
                others |= set(names) & set(self.clips["clip"]) - set(fold["clip"])
            crossing |= tested & {names[clip] for clip in others}
        return len(crossing)

    @cached_property
    def _held(self) -> pd.DataFrame:
        """Speakers with clips listed in a fold, and whether all their clips are: ``fold, speaker, whole``."""
        own = self.rows.groupby(["fold", "speaker"])["clip"].nunique().reset_index()
        return own.assign(whole=own["clip"] == own["speaker"].map(self.clips["speaker"].value_counts()))

    def count_cells(self) -> pd.DataFrame:
        """Clips by speaker (rows) and emotion (columns); empty where clips have no emotion."""
        return pd.crosstab(self.clips["speaker"], self.clips["emotion"])


def read_division(path: Path, known: dict[str, Division], problems: list[str]) -> Division | None:
    """The division in a file; ``None`` where it is not there, or cannot be read, which ``problems`` then says.

    Args:
        path: of ``split.csv``.
        known: divisions by the hash of their files: the runs of a sweep mostly share one.
        problems: is added to.
    """
    if not path.is_file():
        return None
    content = path.read_bytes()
    name = hashlib.blake2b(content, digest_size=16).hexdigest()
    if name not in known:
        try:
            rows = pd.read_csv(path, dtype=str, keep_default_na=False)
            known[name] = Division(rows[list(COLUMNS)])
        except (ValueError, KeyError) as error:
            problems.append(f"{path.name} cannot be read: {error}")
            return None
    return known[name]
