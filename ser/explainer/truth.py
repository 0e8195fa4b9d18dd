"""What planted cues cause in a model, and how explanations stand beside that.

A generated clip can be spoken again without one of its cues, all else alike. How far the margin falls is what the cue
causes; over all sets of the lens's cues that is each cue's exact Shapley value in the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from scipy import stats

from ser.audio.prepare import Preparation
from ser.dataset.planted.lens import LENS_CUES
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.truth import check_gate, list_players, measure_effects, measure_shapley
from ser.explainer.base import margin
from ser.explainer.clip import Clip
from ser.explainer.evaluation.planted import correlate_effects, score_cues
from ser.explainer.subject import Subject

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
COLUMNS = ("clip", "player", "kind", "value")


def is_planted(rows: pd.DataFrame) -> bool:
    """Whether clips are generated ones whose labels act through known cues."""
    return "generator_version" in rows and ("planted" in rows or f"z_{LENS_CUES[0]}" in rows)


def fetch_truth(subject: Subject, clips: Sequence[Clip], preparation: Preparation, path: Path) -> pd.DataFrame:
    """What cues cause in a model: read from a file, or measured and written there."""
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            measure_truth(subject, clips, preparation).to_parquet(path, index=False)
        return pd.read_parquet(path)


def measure_truth(subject: Subject, clips: Sequence[Clip], preparation: Preparation) -> pd.DataFrame:
    """Effect of the planted cue and of its decoy, or Shapley values of the lens's cues, on the explained margins.

    Args:
        subject: the model.
        clips: of one planted corpus.
        preparation: how the model's clips are prepared.

    Returns:
        :data:`COLUMNS`; ``kind`` is ``effect`` or ``shapley``.
    """
    rows = pd.DataFrame([clip.row for clip in clips])
    players = list_players(rows)
    lens = "planted" not in rows
    measure = measure_shapley if lens else measure_effects
    found = measure(rows, players, lambda waves: score_waves(subject, preparation, waves))
    classes = [int(clip.classes) for clip in clips]
    table = [
        (clip.clip, player, "shapley" if lens else "effect", float(found[place, number, own]))
        for place, (clip, own) in enumerate(zip(clips, classes, strict=True))
        for number, player in enumerate(players)
    ]
    return pd.DataFrame(table, columns=list(COLUMNS))


def score_waves(subject: Subject, preparation: Preparation, waves: Sequence[np.ndarray]) -> np.ndarray:
    """Margins of all classes [N, K] for waveforms as generated."""
    found = []
    for wave in waves:
        heard = preparation.process(np.asarray(wave, dtype=np.float32)[:, None], RATE, subject.rate)
        found.append(find_margins(subject, heard.waveform))
    return np.stack(found)


def find_margins(subject: Subject, waveform: np.ndarray) -> np.ndarray:
    """Margins of all classes [K] for a prepared waveform [T]."""
    logits = subject.score(subject.encode(torch.from_numpy(waveform)[None]))
    every = torch.arange(logits.shape[1], device=logits.device)
    return margin(logits.expand(logits.shape[1], -1), every).cpu().numpy()


# ---- explanations beside it


def score_effects(scores: pd.DataFrame, truth: pd.DataFrame, clips: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """``causal_rho`` of each method: does relevance in the span grow with what the cue causes?

    Args:
        scores: with the metric ``excess`` of clips with a span.
        truth: of :func:`measure_truth`.
        clips: explained.
    """
    planted = {clip.clip: clip.row.get("planted") for clip in clips}
    own = truth[truth["player"] == truth["clip"].map(planted)].set_index("clip")["value"]
    found = {}
    for method, rows in scores[scores["metric"] == "excess"].groupby("method"):
        effects = rows["clip"].map(own).to_numpy(float)
        found[str(method)] = {"causal_rho": correlate_effects(rows["value"].to_numpy(float), effects)}
    return found


def score_concepts(cues: pd.DataFrame, truth: pd.DataFrame, quantile: float = 0.5) -> dict[str, float]:
    """How cues named by an explanation stand beside those that act.

    ``cue_rank``: Spearman's correlation within a clip of the sizes of contrasts with the sizes of Shapley values,
    ``cue_rank_chance`` the same with the contrasts permuted. ``used_auroc``: do contrasts of cues that act exceed
    those of cues that only vary?

    Args:
        cues: of the cue linker.
        truth: of :func:`measure_truth` on a lens.
        quantile: of the region.
    """
    rows = cues[cues["quantile"] == quantile].assign(size=lambda own: own["neutral"].abs())
    sizes = rows.pivot_table(index="clip", columns="cue", values="size")
    values = truth[truth["kind"] == "shapley"].pivot_table(index="clip", columns="player", values="value").abs()
    known = [cue for cue in LENS_CUES if MEASURES[cue] in sizes and cue in values]
    both = sizes.index.intersection(values.index)
    if len(known) < 2 or not len(both):
        return {}
    reported = sizes.loc[both, [MEASURES[cue] for cue in known]].to_numpy()
    rank = score_cues(reported, values.loc[both, known].to_numpy())["cue_rank"]
    return {"cue_rank": rank.value, "cue_rank_chance": rank.chance, "used_auroc": find_used(sizes)}


def find_used(sizes: pd.DataFrame) -> float:
    """Area under the curve of mean contrasts [cue] of cues that act against those that only vary; chance is .5."""
    means = {cue: sizes[measure].mean() for cue, measure in MEASURES.items() if measure in sizes}
    used = [value for cue, value in means.items() if cue in LENS_CUES and np.isfinite(value)]
    rest = [value for cue, value in means.items() if cue not in LENS_CUES and np.isfinite(value)]
    if not used or not rest:
        return float("nan")
    return float(stats.mannwhitneyu(used, rest).statistic / (len(used) * len(rest)))


def judge_gate(tested: pd.DataFrame) -> Mapping[str, float]:
    """Accuracy of a run beside the ideal observer's on its test part; below .9 of it, the planted truth is not its."""
    if "ideal" not in tested:
        return {}
    gate = check_gate(tested["true"], tested["predicted"], tested["ideal"])
    return {"gate/accuracy": gate.accuracy, "gate/ideal": gate.ideal, "gate/passed": float(gate.passed)}
