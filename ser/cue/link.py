"""The cue linker: what the voice does where an explanation points, and whether that is what experts expect.

A map becomes the smallest set of frames that holds a share of its positive relevance. Cues are tracks of the whole
utterance, averaged over those frames where they are defined, never cut out and measured anew. Each is compared with the
same region in the speaker's neutral speech, with the rest of the clip, and with the region moved around the clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ser.cue.aggregate import add_expectations, average_contrasts
from ser.cue.contrast import Measured, contrast_clips, measure_clip
from ser.cue.cues import CUE_NAMES
from ser.cue.expect import DEFAULT, ExpertTable, read_table
from ser.cue.heard import Heard, Linked, Recording
from ser.cue.plausible import follow_errors, judge
from ser.cue.sentences import describe
from ser.cue.tracks import Meter, Tracks
from ser.errors import InputError
from ser.progress import show_progress

NEUTRAL = "neutral"
#: Neutral clips that a speaker needs; with fewer, all his clips stand for them.
FEWEST = 2
DRAWS = 2000


@dataclass(frozen=True)
class CueLink:
    """Settings of the cue linker.

    Args:
        meter: measures the cues.
        quantiles: shares of the positive relevance that the region holds; ``headline`` is one of them.
        headline: the share that sentences and plausibility are about.
        shifts: circular shifts of the null distribution.
        table: expert table, by name or path.
        variants: of emotions in the table; by default those that acted corpora show (hot anger, panic fear, …).
        seed: of shifts and resamples.

    Raises:
        InputError: a quantile that is no share, or a headline that is none of them.
    """

    meter: Meter
    quantiles: Sequence[float] = (0.2, 0.5, 0.8)
    headline: float = 0.5
    shifts: int = 500
    table: str = DEFAULT
    variants: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not all(0 < quantile <= 1 for quantile in self.quantiles) or self.headline not in self.quantiles:
            raise InputError(
                f"cue_link.quantiles={list(self.quantiles)}, cue_link.headline={self.headline}",
                expected="shares above 0 and up to 1, the headline among them",
            )

    def link(self, clips: Sequence[Heard], references: Sequence[Recording]) -> Linked:
        """Measure clips and references, and compare.

        Args:
            clips: explained.
            references: of the same speakers, neutral ones above all; a clip is never its own reference.
        """
        table = read_table(self.table)
        rng = np.random.default_rng(self.seed)
        chosen, notes = choose_references(clips, references)
        tracks = measure_all(self.meter, [*clips, *(one for own in chosen.values() for one in own)])
        used: list[Heard] = []
        measured: list[Measured] = []
        for heard in clips:
            own = [tracks[one.clip] for one in chosen[heard.speaker] if one.clip != heard.clip]
            found = measure_clip(heard, tracks[heard.clip], own, self.quantiles, self.shifts, rng)
            if found is None:
                notes.append(f"{heard.clip}: no positive relevance, left out")
            else:
                used.append(heard)
                measured.append(found)
        if not used:
            return Linked(notes=tuple(notes))
        return self._compare(used, measured, table, rng, notes)

    def _compare(
        self,
        clips: Sequence[Heard],
        measured: Sequence[Measured],
        table: ExpertTable,
        rng: np.random.Generator,
        notes: list[str],
    ) -> Linked:
        contrasts = contrast_clips(clips, measured, self.quantiles, rng)
        averaged = average_contrasts(clips, contrasts, self.quantiles, DRAWS, self.seed)
        emotions = sorted({heard.emotion for heard in clips} | {heard.predicted for heard in clips})
        signs, weights = table.weigh(emotions, self.meter.reliability, self.variants)
        averaged = add_expectations(
            averaged, dict(zip(emotions, signs, strict=True)), dict(zip(emotions, weights, strict=True))
        )
        known = [at for at, emotion in enumerate(emotions) if weights[at].sum() > 0]
        names = [emotions[at] for at in known]
        place = list(self.quantiles).index(self.headline)
        headline = averaged[averaged["quantile"] == self.headline]
        rules = (names, signs[known], weights[known], place, DRAWS, self.seed)
        judged = [judge(clips, headline, contrasts, *rules)] if known else []
        errors = follow_errors(clips, contrasts, *rules)
        if errors:
            judged.append(pd.DataFrame([{"kind": "errors", "subset": "wrong", "emotion": ""} | errors]))
        plausibility = pd.concat(judged) if judged else pd.DataFrame()
        sentences = self._tell(clips, contrasts.frame, headline, table)
        return Linked(contrasts.frame, averaged, plausibility.reset_index(drop=True), sentences, tuple(notes))

    def _tell(
        self, clips: Sequence[Heard], frame: pd.DataFrame, headline: pd.DataFrame, table: ExpertTable
    ) -> pd.DataFrame:
        """Sentences on every emotion (on its correctly recognised clips, where speakers enough have them) and clip."""
        trusted = [name for name in CUE_NAMES if (self.meter.reliability.get(name) or 0) > 0]
        rows = []
        for emotion in sorted({heard.emotion for heard in clips}):
            own = headline[(headline["emotion"] == emotion) & headline["cue"].isin(trusted)]
            subset = "correct" if own.loc[own["subset"] == "correct", "q"].notna().any() else "all"
            text = describe(emotion, emotion, widen(own, subset), "the same speakers' neutral", table, self.variants)
            rows.append(("emotion", emotion, text))
        per_clip = frame[(frame["quantile"] == self.headline) & frame["cue"].isin(trusted)]
        for heard, (_, own) in zip(clips, per_clip.groupby("clip", sort=False), strict=True):
            name = heard.emotion if heard.correct else f"{heard.emotion} heard as {heard.predicted}"
            text = describe(name, heard.emotion, own, "this speaker's neutral", table, self.variants)
            rows.append(("clip", heard.clip, text))
        return pd.DataFrame(rows, columns=["scope", "name", "text"])


def widen(rows: pd.DataFrame, subset: str) -> pd.DataFrame:
    """Contrasts of one emotion and subset with a column for each kind and its q."""
    own = rows[rows["subset"] == subset]
    means = own.pivot_table(index="cue", columns="kind", values="mean")
    adjusted = own.pivot_table(index="cue", columns="kind", values="q").add_prefix("q_")
    columns = ["neutral", "shift", "q_neutral", "q_shift"]
    return means.join(adjusted).reindex(columns=columns).reset_index()


def choose_references(
    clips: Sequence[Heard], references: Sequence[Recording]
) -> tuple[dict[str, list[Recording]], list[str]]:
    """For each speaker his neutral clips, or with fewer than :data:`FEWEST` all his clips, which a note then says."""
    chosen: dict[str, list[Recording]] = {}
    notes = []
    for speaker in sorted({heard.speaker for heard in clips}):
        own = [one for one in references if one.speaker == speaker]
        neutral = [one for one in own if one.emotion == NEUTRAL]
        chosen[speaker] = neutral if len(neutral) >= FEWEST else own
        if len(neutral) < FEWEST:
            notes.append(
                f"speaker {speaker}: {len(neutral)} neutral clips; compared with all {len(own)} clips instead"
                if own
                else f"speaker {speaker}: no clip to compare with; contrasts with neutral are missing"
            )
    return chosen, notes


def measure_all(meter: Meter, recordings: Sequence[Recording]) -> dict[str, Tracks]:
    """The tracks of every clip, each measured once."""
    distinct = {one.clip: one for one in recordings}
    tracks = {}
    with show_progress("cues", len(distinct)) as advance:
        for name, one in distinct.items():
            tracks[name] = meter.measure(one.waveform, one.rate)
            advance(1)
    return tracks
