"""What contrasts say, in plain words, beside what the table expects."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser.cue.cues import CUES
from ser.cue.expect import ExpertTable

ALPHA = 0.05
CUE_OF = {cue.name: cue for cue in CUES}
#: How a list of cues ends, by what the table says of them.
ENDINGS = {
    "expected": "expected",
    "opposite": "not supported by the table, which expects the opposite",
    "open": "the table expects nothing of it",
    "missing": "",
}


def describe(
    name: str, emotion: str, rows: pd.DataFrame, whose: str, table: ExpertTable, variants: Mapping[str, str]
) -> str:
    """A sentence or two on one clip or one emotion.

    Args:
        name: what it is about, the first word.
        emotion: whose rows of the table are compared.
        rows: one a cue: ``cue``, ``neutral`` and ``q_neutral`` (SDs from neutral speech), ``shift`` and ``q_shift``
            (SDs from elsewhere in the clips).
        whose: "this speaker's neutral", or what else is the reference.
        table: expectations.
        variants: of the emotions.
    """
    found = select(rows, "neutral")
    verdicts = [judge_direction(emotion, cue, size, table, variants.get(emotion)) for cue, size in list_sizes(found)]
    parts = []
    for verdict, ending in ENDINGS.items():
        phrases = [
            name_change(cue, size)
            for (cue, size), own in zip(list_sizes(found), verdicts, strict=True)
            if own == verdict
        ]
        if phrases:
            parts.append(f"{join(phrases)} than {whose}" + (f"; {ending}" if ending else ""))
    text = f"{name}: " + (". ".join(part[0].upper() + part[1:] if at else part for at, part in enumerate(parts)))
    if not parts:
        text = f"{name}: no cue differs from {whose}"
    there = [name_change(cue, size) for cue, size in list_sizes(select(rows, "shift"))]
    if there:
        text += f". What the map marks, beside the rest of the clip: {join(there)}"
    return text + "."


def select(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The significant cues of a kind with ``cue`` and ``size``, strongest first.

    Of several measures of one cue of the table only the strongest is told.
    """
    own = rows[rows[f"q_{kind}"] < ALPHA]
    own = own.assign(size=own[kind], strength=own[kind].abs(), stands_for=[CUE_OF[cue].expected for cue in own["cue"]])
    return own.sort_values("strength", ascending=False).drop_duplicates("stands_for")[["cue", "size"]]


def list_sizes(found: pd.DataFrame) -> list[tuple[str, float]]:
    """Cues and their sizes."""
    return [(str(cue), float(size)) for cue, size in zip(found["cue"], found["size"], strict=True)]


def judge_direction(emotion: str, cue: str, size: float, table: ExpertTable, variant: str | None) -> str:
    """``expected``, ``opposite``, ``open`` where the table has no direction, ``missing`` where it lacks the emotion."""
    if not any(row.emotion == emotion for row in table.rows):
        return "missing"
    cell = table.find(emotion, CUE_OF[cue].expected, variant)
    if cell is None or not cell.sign:
        return "open"
    return "expected" if cell.sign * CUE_OF[cue].sign * size > 0 else "opposite"


def name_change(cue: str, size: float) -> str:
    """E.g. ``louder (+1.8 SD)``."""
    words = CUE_OF[cue].title if size > 0 else CUE_OF[cue].fall
    return f"{words} ({size:+.1f} SD)".replace("-", "−") if size < 0 else f"{words} ({size:+.1f} SD)"


def join(words: list[str]) -> str:
    """A list in words."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
