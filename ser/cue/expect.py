"""What experts expect of each cue in each emotion: the table as data, with its sources, checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ser.cue.cues import CUES
from ser.cue.tracks import Array
from ser.dataset.harmonise import CODES, list_emotions
from ser.errors import InputError

SHIPPED = Path(__file__).parent / "experts"
DEFAULT = "expert_v1"
DIRECTIONS = (2, 1, 0, -1, -2, "mixed", "unknown")
STATUSES = ("read", "recalled", "hypothesis")
KEYS = ("emotion", "variant", "cue", "direction", "weight", "sources", "differ", "note")
#: Variant of each emotion that acted corpora show.
ACTED = {
    "anger": "hot",
    "happiness": "elation",
    "sadness": "quiet",
    "fear": "panic",
    "disgust": "any",
    "surprise": "any",
    "boredom": "any",
    "calm": "tender",
}


@dataclass(frozen=True)
class Expectation:
    """One cell of the table.

    Args:
        emotion, variant, cue: which cell.
        direction: +2 to -2 against the speaker's neutral, ``mixed`` or ``unknown``.
        weight: 0 to 1, by the agreement of sources.
        sources: those that say so, each with how it is known: read, recalled or hypothesis.
        differ: those that say something else.
        note: for readers.
    """

    emotion: str
    variant: str
    cue: str
    direction: int | str
    weight: float
    sources: Mapping[str, str]
    differ: Mapping[str, str]
    note: str = ""

    @property
    def sign(self) -> int:
        """1, 0 or -1; 0 for mixed and unknown."""
        return int(np.sign(self.direction)) if isinstance(self.direction, int) else 0


@dataclass(frozen=True)
class ExpertTable:
    """Expectations by emotion, variant and cue."""

    name: str
    sources: Mapping[str, str]
    cues: Mapping[str, str]
    rows: tuple[Expectation, ...]

    def find(self, emotion: str, cue: str, variant: str | None = None) -> Expectation | None:
        """The cell of a variant (by default the one that acted corpora show), or ``None``."""
        wanted = variant or ACTED.get(emotion, "any")
        fitting = (row for row in self.rows if (row.emotion, row.variant, row.cue) == (emotion, wanted, cue))
        return next(fitting, None)

    def weigh(
        self,
        emotions: Sequence[str],
        reliability: Mapping[str, float | None],
        variants: Mapping[str, str] | None = None,
    ) -> tuple[Array, Array]:
        """Signs and weights of measured cues ``[emotions, cues]``, in the order of :data:`ser.cue.cues.CUES`.

        The sign is that of the measure, the weight the table's times the meter's reliability, shared among the measures
        of one cue of the table; a measure that no ladder tested weighs nothing. Emotions that the table does not have
        weigh nothing.
        """
        trusted = np.array([float(reliability.get(cue.name) or 0.0) for cue in CUES])
        kinds = [cue.expected for cue in CUES]
        shares = np.array([sum(trusted[np.array(kinds) == kind]) for kind in kinds])
        trusted = np.divide(trusted**2, shares, out=np.zeros_like(trusted), where=shares > 0)
        signs, weights = np.zeros((len(emotions), len(CUES))), np.zeros((len(emotions), len(CUES)))
        for at, emotion in enumerate(emotions):
            for place, cue in enumerate(CUES):
                cell = self.find(emotion, cue.expected, (variants or {}).get(emotion))
                if cell is not None and cell.sign:
                    signs[at, place] = cell.sign * cue.sign
                    weights[at, place] = cell.weight * trusted[place]
        return signs, weights


@lru_cache(maxsize=8)
def read_table(name: str = DEFAULT) -> ExpertTable:
    """A table that comes with ``ser``, by its name, or one's own, by its path.

    Raises:
        InputError: no such file, or a row that names an emotion, a cue, a direction, a source or a weight that does not
            exist; the message names the file and the row.
    """
    path = SHIPPED / f"{name}.yaml" if (SHIPPED / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        raise InputError(
            f"expert table {name!r} does not exist",
            expected="a path, or one of " + ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml"))),
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in ("sources", "cues")):
        raise InputError(f"{path}: no expert table", expected="keys name, sources, cues and rows")
    rows = [_read_row(row, number, path, content) for number, row in enumerate(content.get("rows") or [], start=1)]
    _check_unique(rows, path)
    return ExpertTable(str(content.get("name", path.stem)), content["sources"], content["cues"], tuple(rows))


def weigh_sources(direction: int | str, sources: Mapping[str, str]) -> float:
    """The weight that the shipped table gives: by how many sources agree."""
    if not isinstance(direction, int):
        return 0.0
    studies = [status for status in sources.values() if status != "hypothesis"]
    return {0: 0.25, 1: 0.5, 2: 0.7}.get(len(studies), 1.0)


def _read_row(row: Any, number: int, path: Path, content: Mapping[str, Any]) -> Expectation:
    place = f"{path}: row {number}"
    if not isinstance(row, dict) or not set(row) <= set(KEYS):
        raise InputError(f"{place}: {row}", expected="a mapping with some of " + ", ".join(KEYS))
    emotions = {emotion for corpus in CODES for emotion in list_emotions(corpus)}
    _check(row.get("emotion"), sorted(emotions), f"{place}: emotion")
    _check(row.get("cue"), list(content["cues"]), f"{place}: cue")
    _check(row.get("direction"), DIRECTIONS, f"{place}: direction")
    weight = row.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise InputError(f"{place}: weight {weight!r}", expected="a number from 0 to 1")
    for key in ("sources", "differ"):
        for source, status in (row.get(key) or {}).items():
            _check(source, list(content["sources"]), f"{place}: source")
            _check(status, STATUSES, f"{place}: status of {source}")
    return Expectation(
        emotion=row["emotion"],
        variant=str(row.get("variant", "any")),
        cue=row["cue"],
        direction=row["direction"],
        weight=float(weight),
        sources=dict(row.get("sources") or {}),
        differ=dict(row.get("differ") or {}),
        note=str(row.get("note", "")),
    )


def _check(value: Any, known: Sequence[Any], what: str) -> None:
    if isinstance(value, bool) or value not in known:
        raise InputError(f"{what} {value!r}", expected=", ".join(map(str, known)))


def _check_unique(rows: Sequence[Expectation], path: Path) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for number, row in enumerate(rows, start=1):
        key = (row.emotion, row.variant, row.cue)
        if key in seen:
            raise InputError(f"{path}: row {number} is about the same cell as row {seen[key]}: {' '.join(key)}")
        seen[key] = number
