"""What is published about a corpus: counts to check a copy against, licence, citation, and how to get it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlparse

import pandas as pd


@dataclass(frozen=True)
class Download:
    """A file of a corpus, as a class of ``ser.dataset`` lists it in its attribute ``downloads``.

    Attributes:
        url: where it lies.
        sha256: its checksum; empty where nobody published one: what was found is then printed and kept.
        archive: it is unpacked into the corpus's folder.
        md5: for publishers that state only this (Zenodo).
    """

    url: str
    sha256: str = ""
    archive: bool = True
    md5: str = ""

    @property
    def name(self) -> str:
        """Of the file, without anything that could lead out of its folder."""
        name = re.sub(r"[^\w.\- ]", "_", unquote(Path(urlparse(self.url).path).name))
        return name.lstrip(".") or "download"

    @property
    def checksum(self) -> str | None:
        """As pooch writes it."""
        if self.sha256:
            return f"sha256:{self.sha256.lower()}"
        return f"md5:{self.md5.lower()}" if self.md5 else None


@dataclass(frozen=True)
class CorpusInfo:
    """A corpus as its publisher describes it.

    Attributes:
        title: full name.
        language: BCP-47 code of the speech.
        emotions: clips by harmonised emotion in the complete corpus.
        speakers: clips by speaker in the complete corpus; empty where only their number is published.
        speaker_count: number of speakers, where ``speakers`` is empty.
        licence: as the publisher states it.
        citation: the paper to cite.
        access: how to get the corpus, step by step.
        url: where.
        human_uar: UAR (or recognition rate) of listeners, where published.
    """

    title: str
    language: str
    emotions: Mapping[str, int]
    licence: str
    citation: str
    access: str
    url: str
    speakers: Mapping[str, int] = field(default_factory=dict)
    speaker_count: int = 0
    human_uar: float | None = None

    @property
    def clips(self) -> int:
        """Clips in the complete corpus."""
        return sum(self.emotions.values())

    def count_speakers(self) -> int:
        """Speakers in the complete corpus."""
        return len(self.speakers) or self.speaker_count

    def compare(self, name: str, frame: pd.DataFrame) -> list[str]:
        """What a copy lacks, or has more than was published; empty for the complete corpus.

        Args:
            name: what messages call the corpus.
            frame: the copy, with columns ``emotion`` and ``speaker``.
        """
        parts = {"emotions": (frame["emotion"], self.emotions)}
        if self.speakers:
            parts["speakers"] = (frame["speaker"], self.speakers)
        differences = {what: list_differences(column, published) for what, (column, published) in parts.items()}
        found = frame["speaker"].nunique()
        if not self.speakers and found != self.speaker_count:
            differences["speakers"] = [f"{found} of {self.speaker_count}"]
        if not any(differences.values()):
            return []
        details = "; ".join(f"{what}: {', '.join(items) or 'as published'}" for what, items in differences.items())
        return [f"{name}: this copy has {len(frame)} of the published {self.clips} clips ({details})"]


def list_differences(column: pd.Series, published: Mapping[str, int]) -> list[str]:
    """Levels whose count is not the published one, e.g. ``fear 5 of 69``."""
    found = {str(level): int(count) for level, count in column.value_counts().items()}
    levels = [*published, *sorted(set(found) - set(published))]
    return [f"{e} {found.get(e, 0)} of {published.get(e, 0)}" for e in levels if found.get(e, 0) != published.get(e, 0)]
