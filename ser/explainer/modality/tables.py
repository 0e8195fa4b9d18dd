"""Tables of modalities: what is known of each clip, contributions by emotion, and scores of the whole model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ser.explainer.modality.game import MODALITIES, Game
from ser.explainer.modality.intervals import Estimate, find_mean, find_ratio
from ser.explainer.modality.material import Material, name_speakers
from ser.explainer.modality.scores import find_hits

#: All clips together, among emotions.
ALL = "all"
#: Of a clip: what is shared out, and two ways of doing so: Shapley values, and what modalities add alone and together.
TOTAL = "total"
PARTS = ("text", "audio", "text_alone", "audio_alone", "together")
#: Whether a clip is recognised, as it is and otherwise.
HITS = ("both", "text", "audio", "additive")
ENDS = ("", "_low", "_high")
KEPT = ("clip", "dataset", "speaker", "fold", "true", "predicted")


def describe_clips(material: Material, game: Game) -> pd.DataFrame:
    """A row a clip: worth of each set of modalities (``worth_…``), contributions, and hits (``hit_…``)."""
    worth = {name: getattr(game, name) for name in ("none", "text", "audio", "both")}
    hits = find_hits(material.logits, material.truth)
    return material.rows[list(KEPT)].assign(
        person=name_speakers(material.rows),
        emotion=np.array(material.model.emotions)[material.classes],
        **{f"worth_{name}": values for name, values in worth.items()},
        total=game.total,
        **game.shapley,
        **{f"{name}_alone": values for name, values in game.alone.items()},
        together=game.together,
        **{f"hit_{name}": hits[name] for name in HITS},
        **{f"wide_{name}": material.wide[name] for name in MODALITIES},
    )


def tabulate_shares(clips: pd.DataFrame, draws: int) -> pd.DataFrame:
    """A row an emotion and part: mean contribution in units of the margin, and its share of the total, with intervals.

    Shares are ratios of sums over clips. There is none where the total may be nothing: its interval has both signs.
    """
    rows = []
    for emotion, own in list_emotions(clips):
        base = {"emotion": emotion, "clips": len(own), "speakers": own["person"].nunique()}
        total = find_mean(own["total"], own["person"], draws)
        rows.append({**base, "part": TOTAL, **total.describe()})
        for part in PARTS:
            found = {**base, "part": part, **find_mean(own[part], own["person"], draws).describe()}
            if total.value and not total.low <= 0 <= total.high:
                found |= find_ratio(own[part], own["total"], own["person"], draws).describe("share")
            rows.append(found)
    return pd.DataFrame(rows)


def tabulate_scores(clips: pd.DataFrame, draws: int) -> pd.DataFrame:
    """A row an emotion and score: accuracy, what it loses when a modality is permuted or interactions are taken out."""
    rows = []
    for emotion, own in list_emotions(clips, by="true"):
        people, whole = own["person"], own["hit_both"]
        scores: dict[str, Estimate] = {"accuracy": find_mean(whole, people, draws)}
        for name in MODALITIES:
            scores[f"permuted_{name}"] = find_mean(own[f"hit_{name}"], people, draws)
            scores[f"perceptual_{name}"] = find_mean(whole - own[f"hit_{name}"], people, draws)
        scores["emap"] = find_mean(own["hit_additive"], people, draws)
        scores["emap_gap"] = find_mean(whole - own["hit_additive"], people, draws)
        rows += [
            {"emotion": emotion, "clips": len(own), "score": name, **found.describe()} for name, found in scores.items()
        ]
    return pd.DataFrame(rows)


def list_emotions(clips: pd.DataFrame, by: str = "emotion") -> Iterator[tuple[str, pd.DataFrame]]:
    """All clips, then those of each emotion."""
    yield ALL, clips
    yield from ((str(emotion), own) for emotion, own in clips.groupby(by))


def find_gap(clips: pd.DataFrame, parts: pd.DataFrame) -> float:
    """How far values of a clip or of its parts are from summing to what they are values of, at most.

    In units of the mean size of the total; rounding alone may make it more than 0.
    """
    keys = ["dataset", "clip", "fold"]
    gap = (clips["text"] + clips["audio"] - (clips["worth_both"] - clips["worth_none"])).abs().max()
    for name in MODALITIES:
        sums = parts[parts["modality"] == name].groupby(keys)["value"].sum()
        if len(sums):
            gap = max(gap, (sums - clips.set_index(keys)[name].loc[sums.index]).abs().max())
    return float(gap / (clips["total"].abs().mean() or 1.0))


def list_metrics(shares: pd.DataFrame, scores: pd.DataFrame) -> dict[str, float]:
    """What a run logs: of all clips, with ends of intervals."""
    found: dict[str, float] = {}
    for row in shares[shares["emotion"] == ALL].to_dict("records"):
        name, column = (
            ("modality/total", "value") if row["part"] == TOTAL else (f"modality/share/{row['part']}", "share")
        )
        found |= Estimate(*(row.get(f"{column}{end}", float("nan")) for end in ENDS)).name(name)
    for row in scores[scores["emotion"] == ALL].to_dict("records"):
        found |= Estimate(*(row[f"value{end}"] for end in ENDS)).name(f"modality/{row['score']}")
    return found
