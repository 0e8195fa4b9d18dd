"""What contrasts say, in plain words, beside what the table expects."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser.cue.cues import CUES
from ser.cue.expect import ExpertTable

ALPHA = 0.05
TITLES = {cue.name: (cue.title, cue.fall, cue.expected, cue.sign) for cue in CUES}


def describe(
    name: str, emotion: str, rows: pd.DataFrame, whose: str, table: ExpertTable, variants: Mapping[str, str]
) -> str:
    """A sentence or two on one clip or one emotion.

    Args:
        name: what the sentence is about, its first word.
        emotion: whose row of the table is compared.
        rows: one a cue, with ``cue``, ``neutral`` and ``q_neutral`` (against neutral speech), ``shift`` and ``q_shift``
            (against elsewhere in the clips), and ``reliability``.
        whose: "this speaker's" or "the speakers'" neutral.
        table: expectations.
        variants: of the emotions.
    """
    found = select(rows, "neutral")
    words = [_say(found[found["verdict"] == verdict], ending, whose) for verdict, ending in _endings(found).items()]
    text = f"{name}: " + ("; ".join(filter(None, words)) or f"no cue differs from {whose} neutral")
    there = select(rows, "shift")
    if not there.empty:
        text += ". The map dwells on what is " + _join(there) + " beside the rest of the clip"
    return text + "."


def select(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The significant cues of a kind, strongest first, one measure for each cue of the table."""
    known = rows[(rows[f"q_{kind}"] < ALPHA) & (rows["reliability"] > 0)]
    known = known.assign(
        size=known[kind], expected_cue=known["cue"].map(lambda cue: TITLES[cue][2]), strength=known[kind].abs()
    )
    return known.sort_values("strength", ascending=False).drop_duplicates("expected_cue")


def judge_direction(emotion: str, cue: str, size: float, table: ExpertTable, variant: str | None) -> str:
    """``expected``, ``opposite``, or ``open`` where the table has no direction."""
    _, _, expected, sign = TITLES[cue]
    cell = table.find(emotion, expected, variant)
    if cell is None or not cell.sign:
        return "open"
    return "expected" if cell.sign * sign * size > 0 else "opposite"
