"""The published procedure, mended: the most salient windows beside those where a cue is strongest or weakest.

Beyond Saliency (arXiv 2511.11691): relevance below the map's mean is dropped, the five windows of 150 ms with the
largest sums are "salient", and their overlap with "expert" windows is scored: the five windows of 100 ms (every 30 ms)
where a cue is highest, for emotions of high arousal, or lowest, for those of low arousal; other emotions have none.
Mended here: map and cues share the time axis of the file; cues of the voice are taken where there is a voice, from
tracks of the whole utterance; intersection over union stands beside scores that count overlaps several times; and all
are compared with salient windows drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from ser.cue.aggregate import Resamples
from ser.cue.heard import Heard, Linked, Recording
from ser.cue.link import DRAWS, measure_all
from ser.cue.region import project_relevance
from ser.cue.tracks import STEP, Array, Flags, Meter, Tracks
from ser.errors import InputError
from ser.statistics.adjust import adjust_p

#: Cues of the published procedure: what it calls them, and the descriptor that is one.
EXPERT_CUES = {"loudness": "level", "shrillness": "centroid", "jitter": "jitter", "shimmer": "shimmer"}
HIGH = ("anger", "fear", "happiness")
LOW = ("sadness", "neutral")
EXPERT_WIDTH, EXPERT_HOP, EXPERT_K = 0.1, 0.03, 5
#: Frames with a value that an expert window needs.
FEWEST = 3
SCORES = ("similarity", "coverage", "count", "iou")


@dataclass(frozen=True)
class Windows:
    """How salient windows are chosen.

    Args:
        k: how many.
        width: of each, s.
        overlap: of neighbouring windows, a share of the width from 0 to below 1.
        threshold: ``mean`` drops relevance below the map's mean, ``none`` drops nothing but what is negative.
        rule: ``sum``, ``mean`` or ``max`` of the relevance in a window ranks it.

    Raises:
        InputError: a setting that makes no window.
    """

    k: int = 5
    width: float = 0.150
    overlap: float = 0.0
    threshold: str = "mean"
    rule: str = "sum"

    def __post_init__(self) -> None:
        for ok, what, expected in (
            (self.k >= 1, f"k={self.k}", "1 or more"),
            (self.width >= STEP, f"width={self.width}", f"{STEP} s or more"),
            (0 <= self.overlap < 1, f"overlap={self.overlap}", "from 0 to below 1"),
            (self.threshold in ("mean", "none"), f"threshold={self.threshold}", "mean or none"),
            (self.rule in ("sum", "mean", "max"), f"rule={self.rule}", "sum, mean or max"),
        ):
            if not ok:
                raise InputError(f"cue_link.windows.{what}", expected=expected)

    def cut(self, frames: Flags) -> np.ndarray:
        """Frames of all windows where a map was made ``[windows, frames of a width]``."""
        places = np.flatnonzero(frames)
        width = max(1, round(self.width / STEP))
        hop = max(1, round(width * (1 - self.overlap)))
        if len(places) < width:
            return np.empty((0, width), dtype=int)
        return np.asarray(sliding_window_view(places, width)[::hop])

    def rank(self, mass: Array, windows: np.ndarray) -> np.ndarray:
        """Numbers of the k most salient windows."""
        floor = mass[np.unique(windows)].mean() if self.threshold == "mean" else 0.0
        kept = np.where(mass >= floor, np.maximum(mass, 0.0), 0.0)[windows]
        scores = {"sum": kept.sum(axis=1), "mean": kept.mean(axis=1), "max": kept.max(axis=1)}[self.rule]
        return np.argsort(-scores, kind="stable")[: self.k]


@dataclass(frozen=True)
class WindowLink:
    """The published procedure as a cue linker.

    Args:
        meter: measures the cues.
        windows: how salient windows are chosen.
        draws: random choices of salient windows.
        seed: of these.
    """

    meter: Meter
    windows: Windows = field(default_factory=Windows)
    draws: int = 500
    seed: int = 0

    def link(self, clips: Sequence[Heard], references: Sequence[Recording]) -> Linked:  # noqa: ARG002
        """Score every clip whose emotion the procedure has expectations for; references are not needed."""
        rng = np.random.default_rng(self.seed)
        notes = [
            f"{emotion}: the published procedure expects nothing of it; {count} clips left out"
            for emotion, count in pd.Series([heard.emotion for heard in clips], dtype=str).value_counts().items()
            if emotion not in HIGH + LOW
        ]
        used = [heard for heard in clips if heard.emotion in HIGH + LOW]
        tracks = measure_all(self.meter, used)
        parts = []
        for heard in used:
            found = self._score_clip(heard, tracks[heard.clip], rng)
            if found is None:
                notes.append(f"{heard.clip}: shorter than {self.windows.k} windows, left out")
            else:
                parts.append(found)
        if not parts:
            return Linked(notes=tuple(notes))
        frame = pd.concat(parts, ignore_index=True)
        contrasts = average_advantages(frame, self.seed)
        return Linked(frame, contrasts, sentences=tell(contrasts), notes=tuple(notes))

    def _score_clip(self, heard: Heard, tracks: Tracks, rng: np.random.Generator) -> pd.DataFrame | None:
        mass, made = project_relevance(heard, len(tracks.times))
        windows = self.windows.cut(made)
        if len(windows) < self.windows.k:
            return None
        best = self.windows.rank(mass, windows)
        chosen = [rng.permutation(len(windows))[: self.windows.k] for _ in range(self.draws)]
        sets = [windows[best], *(windows[one] for one in chosen)]
        rows = []
        descriptors: Mapping[str, Array] = tracks.values  # noqa: PD011
        for cue, descriptor in EXPERT_CUES.items():
            track = np.asarray(descriptors[descriptor])
            expert = find_expert(track, made, heard.emotion in HIGH)
            if len(expert) < EXPERT_K:
                continue
            scores = np.array([score_windows(one, expert, len(track)) for one in sets])
            own, null = scores[0], scores[1:]
            inside = track[np.unique(windows[best])]
            rows.append(
                {"cue": cue, "expects": "high" if heard.emotion in HIGH else "low"}
                | dict(zip(SCORES, own, strict=True))
                | {f"{name}_random": value for name, value in zip(SCORES, null.mean(axis=0), strict=True)}
                | {"advantage": own[3] - null[:, 3].mean()}
                | {"p": (1 + (null[:, 3] >= own[3] - 1e-12).sum()) / (1 + self.draws)}
                | describe_track(inside, "salient")
                | describe_track(track[made], "clip")
            )
        starts = ";".join(f"{heard.offset + windows[at][0] * STEP:.2f}" for at in np.sort(best))
        if not rows:
            return None
        return pd.DataFrame(rows).assign(
            clip=heard.clip,
            speaker=heard.speaker,
            true=heard.emotion,
            predicted=heard.predicted,
            correct=heard.correct,
            windows=starts,
        )


def find_expert(track: Array, made: Flags, high: bool) -> np.ndarray:
    """Frames of the windows where a cue is highest, or lowest ``[windows, frames]``; undefined frames count nowhere."""
    width, hop = round(EXPERT_WIDTH / STEP), round(EXPERT_HOP / STEP)
    places = np.flatnonzero(made)
    if len(places) < width:
        return np.empty((0, width), dtype=int)
    windows = np.asarray(sliding_window_view(places, width)[::hop])
    values = track[windows]
    known = np.isfinite(values)
    windows, values, known = (array[known.sum(axis=1) >= FEWEST] for array in (windows, values, known))
    means = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return np.asarray(windows[np.argsort(-means if high else means, kind="stable")[:EXPERT_K]])


def score_windows(salient: np.ndarray, expert: np.ndarray, frames: int) -> tuple[float, float, float, float]:
    """Similarity and coverage in percent, count of overlapping pairs (as published), and intersection over union."""
    here, there = np.zeros((len(salient), frames)), np.zeros((len(expert), frames))
    here[np.arange(len(salient))[:, None], salient] = 1
    there[np.arange(len(expert))[:, None], expert] = 1
    shares = 100 * (here @ there.T) / salient.shape[1]
    touching = shares[shares > 0]
    union, both = (here.any(axis=0) | there.any(axis=0)).sum(), (here.any(axis=0) & there.any(axis=0)).sum()
    similarity = float(touching.mean()) if touching.size else 0.0
    return similarity, float(touching.sum() / len(salient)), float(touching.size), float(both / union)


def describe_track(values: Array, name: str) -> dict[str, float]:
    """Mean and SD of the defined values."""
    known = values[np.isfinite(values)]
    if not known.size:
        return {f"{name}_mean": np.nan, f"{name}_sd": np.nan}
    return {f"{name}_mean": float(known.mean()), f"{name}_sd": float(known.std())}


def average_advantages(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean advantage in IoU over random windows of each emotion and cue, with intervals over speakers."""
    rows = []
    for (emotion, cue), own in frame.groupby(["true", "cue"]):
        resamples = Resamples.draw(own["speaker"].tolist(), DRAWS, seed)
        values, correct = own["advantage"].to_numpy()[:, None], own["correct"].to_numpy(dtype=bool)
        found = {"all": np.ones(len(own), bool), "correct": correct, "wrong": ~correct}
        means = {subset: resamples.average(values, chosen) for subset, chosen in found.items()}
        means["difference"] = means["correct"].subtract(means["wrong"])
        for subset, one in means.items():
            low, high = one.find_interval()
            rows.append(
                {
                    "subset": subset,
                    "emotion": emotion,
                    "cue": cue,
                    "clips": int(one.clips[0]),
                    "speakers": int(one.speakers[0]),
                    "mean": one.mean[0],
                    "low": low[0],
                    "high": high[0],
                    "p": one.find_p()[0],
                }
            )
    table = pd.DataFrame(rows)
    return table.assign(q=table.groupby("subset")["p"].transform(lambda p: adjust_p(p.to_numpy(), "bh")))


def tell(contrasts: pd.DataFrame) -> pd.DataFrame:
    """One sentence an emotion: cues whose windows the map meets more, or less, than random ones do."""
    rows = []
    for emotion, own in contrasts[contrasts["subset"] == "all"].groupby("emotion"):
        place = "highest" if emotion in HIGH else "lowest"
        parts = [
            f"{'more' if mean > 0 else 'less'} where {cue} is {place} (IoU {mean:+.2f})"
            for cue, mean, q in zip(own["cue"], own["mean"], own["q"], strict=True)
            if q < 0.05
        ]
        told = ", ".join(parts) if parts else f"no more where a cue is {place}"
        rows.append(("emotion", emotion, f"{emotion}: salient windows lie {told} than random windows."))
    return pd.DataFrame(rows, columns=["scope", "name", "text"])
