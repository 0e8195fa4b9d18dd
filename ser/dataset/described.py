"""What ``dataset.json`` of a run says of each of its corpora; reports and model cards read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from ser.dataset.info import CorpusInfo

UNKNOWN_LICENCE = "not known to ser: ask whoever made it"
UNKNOWN_CITATION = "not known to ser"


@dataclass(frozen=True)
class Described:
    """A corpus as a run read it, and as its publisher describes it; empty where nobody said.

    Attributes:
        name: what results call it.
        clips, speakers, hours: of the clips that were used.
        emotions, gender: clips by emotion, speakers by gender.
        title, language, licence, citation, url: as published.
    """

    name: str
    clips: int = 0
    speakers: int = 0
    emotions: Mapping[str, int] = field(default_factory=dict)
    gender: Mapping[str, int] = field(default_factory=dict)
    hours: float = float("nan")
    title: str = ""
    language: str = ""
    licence: str = ""
    citation: str = ""
    url: str = ""


def describe_clips(name: str, frame: pd.DataFrame, rate: int, info: CorpusInfo | None) -> dict[str, Any]:
    """A corpus of a run, for ``dataset.json``.

    Args:
        name: what results call it.
        frame: its clips, with ``speaker``, ``emotion``, ``gender`` and ``samples``.
        rate: of the samples, in Hz.
        info: what is published of it.
    """
    published = {key: getattr(info, key) for key in ("title", "language", "licence", "citation", "url")} if info else {}
    return asdict(
        Described(
            name,
            len(frame),
            int(frame["speaker"].nunique()),
            count(frame["emotion"]),
            count(frame.drop_duplicates("speaker")["gender"].fillna("unknown")),
            round(float(frame["samples"].sum()) / rate / 3600, 4),
            **published,
        )
    )


def find_same_sound(frame: pd.DataFrame) -> list[list[str]]:
    """Clips, by name, that have the same waveform as another one; a group each."""
    known = frame.drop_duplicates("clip")
    doubled = known[known.duplicated("digest", keep=False)]
    return sorted(sorted(clips) for _, clips in doubled.groupby("digest")["clip"])


def read_described(record: Mapping[str, Any]) -> list[Described]:
    """The corpora of ``dataset.json``; of one without a list of them, all of them together."""
    known = Described.__dataclass_fields__
    if record.get("corpora"):
        return [Described(**{key: value for key, value in each.items() if key in known}) for each in record["corpora"]]
    if not record.get("name"):
        return []
    return [Described(**{key: value for key, value in record.items() if key in known and value is not None})]


def count(column: pd.Series) -> dict[str, int]:
    """Rows of each level, by name."""
    return {str(level): int(number) for level, number in column.value_counts().sort_index().items()}
