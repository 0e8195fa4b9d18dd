"""What planted cues cause in a model, and whether relevance goes with it.

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

from ser.audio.prepare import Preparation
from ser.dataset.planted.lens import LENS_CUES
from ser.dataset.planted.tract import RATE
from ser.dataset.planted.truth import check_gate, list_players, measure_effects, measure_shapley, recompose
from ser.explainer.base import margin
from ser.explainer.clip import Clip
from ser.explainer.evaluation.metrics import BEST
from ser.explainer.evaluation.planted import bootstrap, correlate_effects
from ser.explainer.subject import Subject

#: Relative change of a model's input under which it cannot tell a clip from one without a cue.
UNHEARD = 1e-3
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

    Also how much of the model's input each of them changes at all.

    Args:
        subject: the model.
        clips: of one planted corpus.
        preparation: how the model's clips are prepared.

    Returns:
        :data:`COLUMNS`; ``kind`` is ``effect`` or ``shapley``, and ``change`` (:func:`measure_change`).
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
    table += [
        (clip.clip, player, "change", measure_change(subject, preparation, clip, player))
        for clip in clips
        for player in players
    ]
    return pd.DataFrame(table, columns=list(COLUMNS))


def measure_change(subject: Subject, preparation: Preparation, clip: Clip, player: str) -> float:
    """How far the model's input moves, relative to its own spread, when a clip is made without a player.

    The clip is made as its corpus makes clips: where the noise follows the voice there, it does here. NaN where the
    clip does not have the player, 1 where its length changes.
    """
    waves = [recompose(clip.row, without) for without in ((), (player,))]
    if np.array_equal(waves[0], waves[1]):
        return float("nan")
    heard = [preparation.process(wave[:, None], RATE, subject.rate).waveform for wave in waves]
    before, after = (subject.encode(torch.from_numpy(wave)[None]) for wave in heard)
    if before.shape != after.shape:
        return 1.0
    return float((after - before).norm() / (before - before.mean()).norm().clamp(min=1e-12))


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


def estimate_effects(
    scores: pd.DataFrame, truth: pd.DataFrame, clips: Sequence[Clip], draws: int
) -> dict[str, dict[str, list[float]]]:
    """``causal_rho`` of each method, nulls included: does relevance in the span grow with what the cue causes?

    Args:
        scores: with the metric ``excess`` of clips with a span.
        truth: of :func:`measure_truth`.
        clips: explained.
        draws: resamples of speakers for the interval.

    Returns:
        Method → metric → value and the ends of its interval. The oracle, a map of the span, knows of no effects.
    """
    planted = {clip.clip: clip.row.get("planted") for clip in clips}
    effects = truth[truth["kind"] == "effect"]
    own = effects[effects["player"] == effects["clip"].map(planted)].set_index("clip")["value"]
    rows = scores[(scores["metric"] == "excess") & (scores["method"] != BEST) & scores["clip"].isin(own.index)]
    return {
        str(method): {"causal_rho": correlate(part, part["clip"].map(own).to_numpy(float), draws)}
        for method, part in rows.groupby("method")
    }


def correlate(rows: pd.DataFrame, effects: np.ndarray, draws: int) -> list[float]:
    """Correlation of the values of clips with effects, and its interval over speakers."""
    values = rows["value"].to_numpy(float)
    speakers = rows["dataset"].astype(str) + "/" + rows["speaker"].astype(str)
    low, high = bootstrap(lambda chosen: correlate_effects(values[chosen], effects[chosen]), speakers, draws)
    return [correlate_effects(values, effects), low, high]


def list_unheard(truth: pd.DataFrame) -> list[str]:
    """Players that the model provably cannot use: without them its input is the same in every clip that has them."""
    changes = truth[truth["kind"] == "change"].groupby("player", sort=False)["value"].max()
    return [str(player) for player, most in changes.items() if most < UNHEARD]


def judge_gate(tested: pd.DataFrame) -> Mapping[str, float]:
    """Accuracy of a run beside the ideal observer's on its test part; below .9 of it, the planted truth is not its."""
    if "ideal" not in tested:
        return {}
    gate = check_gate(tested["true"], tested["predicted"], tested["ideal"])
    return {"gate/accuracy": gate.accuracy, "gate/ideal": gate.ideal, "gate/passed": float(gate.passed)}
