"""Cues that an explanation names, beside those that act on the model: scores of planted clips.

What the cue linker finds in the salient region of a clip is the explanation's report: the larger a contrast with the
speaker's neutral, the more important it calls the cue; and it calls it evidence for the explained class where the
contrast goes the way in which it goes in the other clips that were explained for this class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ser.dataset.planted.lens import LENS_CUES
from ser.explainer.clip import Clip
from ser.explainer.evaluation.metrics import BEST, PERMUTED, PLANTED
from ser.explainer.evaluation.planted import (
    Array,
    Score,
    bootstrap,
    find_auroc,
    find_reliance,
    score_cues,
    score_shortcut,
)
from ser.explainer.evaluation.settings import make_row, tabulate
from ser.explainer.truth import list_unheard

#: The measure of the cue linker that stands for each planted cue.
MEASURES = {
    "f0_level": "f0_level",
    "f0_range": "f0_range",
    "loudness": "loudness",
    "loud_var": "loud_var",
    "rate": "rate",
    "pause": "pause_share",
    "jitter": "jitter",
    "shimmer": "shimmer",
    "tilt": "hammarberg",
    "breath": "hnr",
    "f1": "f1",
    "f1_bw": "f1_bandwidth",
}
#: The same for shortcuts. None stands for the speaker, with whose own neutral speech the linker compares.
SHORTCUT_MEASURES = {"noise": "hnr", "channel": "centroid"}
#: Share of the positive relevance that regions hold.
QUANTILE = 0.5


@dataclass(frozen=True, eq=False)
class Named:
    """What becomes of the cues that explanations name.

    Attributes:
        scores: tables of rows of clips, one a method.
        whole: method → metric → value of all clips and the ends of its interval.
    """

    scores: Sequence[pd.DataFrame] = ()
    whole: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)

    def join(self, other: Named) -> Named:
        """Both."""
        return Named([*self.scores, *other.scores], {**self.whole, **other.whole})


def judge_named(cues: pd.DataFrame, truth: pd.DataFrame, clips: Sequence[Clip], method: str, draws: int) -> Named:
    """Everything that truth allows to say of the cues that a method's explanations name; nothing where it is silent."""
    scores = score_concepts(cues, truth, clips, method)
    whole = estimate_used(cues, truth, clips, draws)
    return Named([scores] if len(scores) else [], {method: whole} if whole else {})


def score_concepts(cues: pd.DataFrame, truth: pd.DataFrame, clips: Sequence[Clip], method: str) -> pd.DataFrame:
    """Scores of the cues that an explanation names, a row a clip and metric.

    ``cue_rank``, ``cue_sign`` and ``cue_mae`` on clips of a lens; ``shortcut_hit`` where a shortcut carries the
    decision; ``reliance`` on cues that the model cannot hear. Each has ``_chance`` beside it, with the importances of
    the clip in random order.

    Args:
        cues: of the cue linker.
        truth: of :func:`ser.explainer.truth.measure_truth`.
        clips: explained.
        method: by which they were.
    """
    sizes = list_contrasts(cues)
    own = [clip for clip in clips if clip.clip in sizes.index]
    if not own:
        return tabulate([])
    sizes = sizes.loc[[clip.clip for clip in own]]
    rows = []
    for metric, score in list_scores(sizes, truth, own):
        columns = ((metric, method, score.scores), (f"{metric}{PERMUTED}", method, score.chances))
        ideal = np.where(np.isfinite(score.scores), float(PLANTED[metric.partition("/")[0]].ideal), np.nan)
        for name, who, values in (*columns, (metric, BEST, ideal)):
            rows += [make_row(clip, who, name, float(value)) for clip, value in zip(own, values, strict=True)]
    return tabulate(rows)


def list_contrasts(cues: pd.DataFrame) -> pd.DataFrame:
    """Contrasts with the speaker's neutral, a row a clip, a column a measure; empty for linkers that make none."""
    if "neutral" not in cues:
        return pd.DataFrame()
    rows = cues[cues["quantile"] == QUANTILE]
    return rows.pivot_table(index="clip", columns="cue", values="neutral")


def list_scores(sizes: pd.DataFrame, truth: pd.DataFrame, clips: Sequence[Clip]) -> Iterator[tuple[str, Score]]:
    """Metric and score of each clip, of what the truth allows."""
    values = truth[truth["kind"] == "shapley"].pivot_table(index="clip", columns="player", values="value")
    values = values.reindex(sizes.index)
    lens = [cue for cue in LENS_CUES if MEASURES[cue] in sizes and cue in values]
    signed = sign_contrasts(sizes, [int(clip.classes) for clip in clips])
    if len(lens) > 1:
        said = signed[[MEASURES[cue] for cue in lens]].to_numpy()
        yield from score_cues(said, values[lens].to_numpy()).items()
    for shortcut, measure in SHORTCUT_MEASURES.items():
        if lens and shortcut in values and measure in sizes:
            said = sizes[[*(MEASURES[cue] for cue in lens), measure]].to_numpy()
            yield "shortcut_hit", score_shortcut(said, values[[*lens, shortcut]].to_numpy(), len(lens))
    yield from score_reliance(sizes, list_unheard(truth))


def score_reliance(sizes: pd.DataFrame, unheard: Sequence[str]) -> Iterator[tuple[str, Score]]:
    """Share of all reported importance that goes to cues which the model cannot hear; each, and together."""
    known = {cue: measure for cue, measure in MEASURES.items() if measure in sizes}
    reported = sizes[list(known.values())].abs()
    # A cue that could not be measured was not reported.
    shares = {
        cue: np.where(reported[known[cue]].notna(), find_reliance(reported.fillna(0.0), list(known).index(cue)), np.nan)
        for cue in unheard
        if cue in known
    }
    for cue, values in shares.items():
        yield f"reliance/{cue}", Score(values, np.where(np.isfinite(values), 1 / len(known), np.nan))
    if shares:
        total: Array = np.sum(list(shares.values()), axis=0)
        yield "reliance", Score(total, np.where(np.isfinite(total), len(shares) / len(known), np.nan))


def sign_contrasts(sizes: pd.DataFrame, classes: Sequence[int]) -> pd.DataFrame:
    """Contrasts [clips, measures]: positive where they go the way of the mean over the class's other clips.

    Missing for the only clip of a class, about whose usual way nothing is known.
    """
    own = pd.Series(list(classes), index=sizes.index)
    groups = sizes.groupby(own)
    others = groups.transform("sum") - sizes.fillna(0.0)
    count = groups.transform("count") - sizes.notna()
    return sizes * np.sign(others.where(count > 0))


def estimate_used(
    cues: pd.DataFrame, truth: pd.DataFrame, clips: Sequence[Clip], draws: int
) -> Mapping[str, list[float]]:
    """``used_auroc`` of a lens, with its interval over speakers: do contrasts of cues that act exceed the others?"""
    sizes = list_contrasts(cues).abs()
    own = [clip for clip in clips if clip.clip in sizes.index]
    if not own or not (truth["kind"] == "shapley").any():
        return {}
    known = {cue: measure for cue, measure in MEASURES.items() if measure in sizes}
    table = sizes.loc[[clip.clip for clip in own], list(known.values())].to_numpy()
    acts = np.array([cue in LENS_CUES for cue in known])
    speakers = [f"{clip.dataset}/{clip.speaker}" for clip in own]
    low, high = bootstrap(lambda rows: find_used(table[rows], acts), speakers, draws)
    return {"used_auroc": [find_used(table, acts), low, high]}


def find_used(sizes: Array, acts: np.ndarray) -> float:
    """Area under the curve of mean contrasts of cues that act against those that only vary; chance is .5.

    Args:
        sizes: [clips, cues].
        acts: which cues do [cues].
    """
    known = np.isfinite(sizes)
    count = known.sum(axis=0)
    means = np.divide(np.where(known, sizes, 0.0).sum(axis=0), count, out=np.zeros(len(count)), where=count > 0)
    return find_auroc(means[count > 0], acts[count > 0])
