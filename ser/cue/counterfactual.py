"""Counterfactual prosody: what a model's score does when one cue of a clip is changed and nothing else.

Explanations say what a model may have listened to; this changes it and listens to the model. Generated clips are spoken
again by the generator, recordings by a vocoder (:mod:`ser.cue.world`); the same clip without the change is the
baseline, so that what the vocoder does to every version cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser.cue.aggregate import Resamples
from ser.cue.calibrate import rank_correlation
from ser.cue.tracks import Array
from ser.dataset.planted.channel import record
from ser.dataset.planted.clip import Script
from ser.dataset.planted.cues import CUES
from ser.dataset.planted.tract import RATE
from ser.errors import InputError
from ser.progress import show_progress
from ser.statistics.adjust import adjust_p

#: Of waveforms, one number for each ``[N]``, or one for each class ``[N, K]``.
Score = Callable[[Sequence[NDArray[np.float32]]], np.ndarray]
DRAWS = 2000


class Speakable(Protocol):
    """A clip that can be said again."""

    @property
    def clip(self) -> str:
        """Its id."""

    @property
    def speaker(self) -> str:
        """Who says it."""

    @property
    def emotion(self) -> str:
        """The emotion whose score is asked for, where a score is one number."""

    def allow(self, cue: str, doses: Sequence[float]) -> list[float]:
        """Those doses of a cue that the clip can be said with."""

    def say(self, cue: str, dose: float) -> NDArray[np.float32]:
        """The waveform with a cue changed by a dose; 0 changes nothing and is the baseline."""


@dataclass(frozen=True, eq=False)
class GeneratedVoice:
    """A clip of the built-in generator, over its own channel; a dose comes on top of its own.

    Args:
        clip, emotion: as in the manifest.
        script: how it sounds (:class:`ser.dataset.planted.truth.Retelling` finds it from a row of the manifest).
    """

    clip: str
    emotion: str
    script: Script

    @property
    def speaker(self) -> str:
        """Who says it."""
        return self.script.voice.name

    def allow(self, cue: str, doses: Sequence[float]) -> list[float]:
        """Those doses that leave the clip's in the range of the generator."""
        limits = {one.name: (one.low, one.high) for one in CUES}
        if cue not in limits:
            raise InputError(f"planted cue {cue!r} does not exist", expected=", ".join(limits))
        own = [float(self.script.doses.get(cue, 0.0)), *(span.dose for span in self.script.spans if span.cue == cue)]
        low, high = limits[cue]
        return [dose for dose in doses if low <= min(own) + dose and max(own) + dose <= high]

    def say(self, cue: str, dose: float) -> NDArray[np.float32]:
        """Spoken with the dose added to the clip's own."""
        script = replace(
            self.script,
            doses={**self.script.doses, cue: float(self.script.doses.get(cue, 0.0)) + dose},
            spans=tuple(
                replace(span, dose=span.dose + dose) if span.cue == cue else span for span in self.script.spans
            ),
        )
        return record(script.speak().wave, script.channel, RATE, script.key, script.reference)[0]


@dataclass(frozen=True)
class Counterfactual:
    """Which cues are changed, and by how much.

    Args:
        doses: of each cue, in its unit; 0 is added where it is missing.

    Raises:
        InputError: no cue, or a cue without a dose other than 0.
    """

    doses: Mapping[str, Sequence[float]]

    def __post_init__(self) -> None:
        if not self.doses or not all(any(values) for values in self.doses.values()):
            raise InputError(
                "explainer.doses: a cue without a dose", expected="cue: [doses other than 0], for some cues"
            )

    def explain(self, clips: Sequence[Speakable], score: Score, emotions: Sequence[str] = ()) -> pd.DataFrame:
        """Slopes of the score on each cue, as :func:`summarise` yields them."""
        return summarise(measure_responses(clips, score, self.doses, emotions))


def measure_responses(
    clips: Sequence[Speakable], score: Score, doses: Mapping[str, Sequence[float]], emotions: Sequence[str] = ()
) -> pd.DataFrame:
    """The score of every clip at every dose of every cue.

    Args:
        clips: to be said again.
        score: of waveforms: a number each (then it is the score of the clip's own emotion), or one for each class.
        doses: of each cue; the baseline, dose 0, is always among them.
        emotions: names of the classes, where a score has several.

    Returns:
        ``clip``, ``speaker``, ``emotion`` (of the clip), ``target`` (the class scored), ``cue``, ``dose``, ``score``
        and ``change`` (from the baseline).

    Raises:
        InputError: scores of the wrong shape.
    """
    parts = []
    with show_progress("counterfactuals", len(clips)) as advance:
        for clip in clips:
            ladder = [
                (cue, float(dose))
                for cue, values in doses.items()
                for dose in sorted({0.0, *clip.allow(cue, [float(value) for value in values])})
            ]
            found = np.asarray(score([clip.say(cue, dose) for cue, dose in ladder]), dtype=float)
            if found.ndim == 1:
                found, targets = found[:, None], [clip.emotion]
            else:
                targets = list(emotions)
            if found.shape != (len(ladder), len(targets)):
                raise InputError(
                    f"scores of shape {found.shape} for {len(ladder)} waveforms",
                    expected="[N], or [N, K] with the names of K emotions",
                )
            parts.append(_tabulate(clip, ladder, targets, found))
            advance(1)
    return pd.concat(parts, ignore_index=True)


def summarise(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Dose and response of every target and cue.

    Args:
        frame: as of :func:`measure_responses`.
        seed: of the resampled speakers.

    Returns:
        One row a target x cue: ``slope`` (change of the score by a unit of dose, least squares through the baseline,
        mean over clips) with its interval over speakers (``low``, ``high``), ``p`` and ``q`` (BH over all rows),
        ``rho`` (mean rank correlation of dose and score within clips), ``span`` (score at the highest minus at the
        lowest dose), ``clips``, ``speakers``. Clips that allow no dose of a cue do not count.
    """
    rows = []
    for (target, cue), own in frame.groupby(["target", "cue"]):
        own = own[own.groupby("clip")["dose"].transform("nunique") > 1]
        if own.empty:
            continue
        each = [_fit(ladder) for _, ladder in own.groupby("clip", sort=False)]
        speakers = own.drop_duplicates("clip")["speaker"].tolist()
        slopes, correlations, spans = np.array(each).T
        means = Resamples.draw(speakers, DRAWS, seed).average(slopes[:, None], np.ones(len(slopes), bool))
        low, high = means.find_interval()
        rows.append(
            {
                "target": target,
                "cue": cue,
                "slope": means.mean[0],
                "low": low[0],
                "high": high[0],
                "p": means.find_p()[0],
                "rho": float(np.nanmean(correlations)) if np.isfinite(correlations).any() else np.nan,
                "span": float(spans.mean()),
                "clips": int(means.clips[0]),
                "speakers": int(means.speakers[0]),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(q=adjust_p(table["p"].to_numpy(dtype=float), "bh"))


def average_curve(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean change of the score at each dose, for plots.

    Columns: ``target``, ``cue``, ``dose``, ``change``, ``sd``, ``clips``.
    """
    groups = frame.groupby(["target", "cue", "dose"])["change"]
    return groups.agg(change="mean", sd="std", clips="size").reset_index()


def _tabulate(
    clip: Speakable, ladder: Sequence[tuple[str, float]], targets: Sequence[str], found: Array
) -> pd.DataFrame:
    cues = np.array([cue for cue, _ in ladder])
    doses = np.array([dose for _, dose in ladder])
    parts = []
    for place, target in enumerate(targets):
        own = pd.DataFrame({"target": target, "cue": cues, "dose": doses, "score": found[:, place]})
        baseline = own[own["dose"] == 0].set_index("cue")["score"]
        own["change"] = own["score"] - own["cue"].map(baseline)
        parts.append(own)
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "emotion", clip.emotion)
    table.insert(0, "speaker", clip.speaker)
    table.insert(0, "clip", clip.clip)
    return table


def _fit(ladder: pd.DataFrame) -> tuple[float, float, float]:
    """Slope through the baseline, rank correlation and span of one clip's ladder."""
    ordered = ladder.sort_values("dose")
    dose, change = ordered["dose"].to_numpy(dtype=float), ordered["change"].to_numpy(dtype=float)
    return float(dose @ change / (dose @ dose)), rank_correlation(dose, change), float(change[-1] - change[0])
