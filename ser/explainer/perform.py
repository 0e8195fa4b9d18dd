"""What the stage ``ser explain`` does with an explainer of each kind, and the files that it writes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.cue.counterfactual import Counterfactual
from ser.cue.heard import Linked
from ser.explainer.attribution import Attribution, save_attributions
from ser.explainer.base import Explainer
from ser.explainer.cues import link_cues, write_cues
from ser.explainer.dimensions import DimensionExplainer, explain_dimensions, rank_dimensions
from ser.explainer.examine import Examination, Method, examine
from ser.explainer.hear import hear_clips
from ser.explainer.pages import MAPS, RECORDS
from ser.explainer.responses import respond, write_responses
from ser.explainer.subject import make_subject
from ser.explainer.summary import join_scores, read_metrics, write_summary
from ser.explainer.truth import fetch_truth, is_planted, judge_gate, score_concepts, score_effects
from ser.explainer.whole import RunExplainer
from ser.finished import FinishedRun
from ser.results import write_json
from ser.tracking.key import hash_run

SCORES, WHOLE = "scores.parquet", "whole.json"


def dispatch(
    config: DictConfig, finished: FinishedRun, explainer: Any, chosen: pd.DataFrame, folder: Path
) -> dict[str, float | None]:
    """Explain what the explainer is about: the run as a whole, dimensions of its clips, or their time and frequency."""
    if isinstance(explainer, RunExplainer):
        return {**explainer.examine(finished, folder)}
    if isinstance(explainer, Counterfactual):
        return {**change_cues(config, finished, explainer, chosen, folder)}
    write = write_dimensions if isinstance(explainer, DimensionExplainer) else write_explanation
    return write(config, finished, explainer, chosen, folder)


def write_explanation(
    config: DictConfig, finished: FinishedRun, explainer: Explainer, chosen: pd.DataFrame, folder: Path
) -> dict[str, float | None]:
    """Explain, score, link to cues, and write what was found; returns the metrics."""
    began = time.perf_counter()
    method = Method(method_of(config), explainer, config.explain.gate, config.explain.max_batch)
    done = [
        examine_fold(config, finished, method, str(fold), rows) for fold, rows in chosen.groupby("fold", sort=False)
    ]
    found = [one for each in done for one in each.attributions]
    scores = join_scores([table for each in done for table in (each.scores, each.reference)])
    save_attributions(found, folder / MAPS)
    diagnostic = bool(getattr(explainer, "diagnostic", False))  # says how information flows, not what counts
    records = [one.describe() | {"diagnostic": diagnostic, "scores": list_scores(scores, one)} for one in found]
    write_json(folder / RECORDS, records)
    metrics: dict[str, float | None] = {
        "explain/clips": float(len(found)),
        "explain/valid": sum(one.valid for one in found) / len(found),
        "explain/seconds_per_clip": sum(one.cost.seconds for one in found) / len(found),
    }
    linked = link_clips(config, finished, done)
    plausible = write_cues(linked, folder) if linked is not None else {}
    whole = judge_whole(done, linked, method.name, plausible)
    write_json(folder / WHOLE, whole)
    if len(scores):
        scores.to_parquet(folder / SCORES, index=False)
        table = write_summary(folder, scores, config.explain_eval.bootstrap, whole)
        metrics |= read_metrics(table, method.name)
    metrics |= {f"cues/{name}": value for name, value in plausible.items()}
    metrics |= judge_gate(finished.tested)
    metrics["seconds"] = time.perf_counter() - began
    return metrics


def write_dimensions(
    config: DictConfig, finished: FinishedRun, explainer: DimensionExplainer, chosen: pd.DataFrame, folder: Path
) -> dict[str, float | None]:
    """Explain over named dimensions, where there is no time; returns the metrics."""
    began, target = time.perf_counter(), find_target(config)
    tables = [
        explain_dimensions(finished, explainer, str(fold), rows, target)
        for fold, rows in chosen.groupby("fold", sort=False)
    ]
    values = pd.concat(tables, ignore_index=True)
    values.to_parquet(folder / "dimensions.parquet", index=False)
    rank_dimensions(values).to_csv(folder / "dimensions.csv", index=False)
    return {"explain/clips": float(len(chosen)), "seconds": time.perf_counter() - began}


def change_cues(
    config: DictConfig, finished: FinishedRun, explainer: Counterfactual, chosen: pd.DataFrame, folder: Path
) -> dict[str, float]:
    """Say clips again with one cue changed; returns the metrics."""
    parts = []
    for fold, rows in chosen.groupby("fold", sort=False):
        subject = make_subject(finished.load_model(str(fold)))
        clips = hear_clips(finished, subject, rows, find_target(config))
        parts.append(respond(subject, clips, explainer, finished.corpus.preparation))
    return write_responses(pd.concat(parts, ignore_index=True), folder)


def examine_fold(
    config: DictConfig, finished: FinishedRun, method: Method, fold: str, rows: pd.DataFrame
) -> Examination:
    """Explain the clips of a fold by its model, and score that."""
    subject = make_subject(finished.load_model(fold))
    method.explainer.check(subject)
    target = find_target(config)
    if method.chooses and len(validated := finished.validated):
        method.choose(subject, hear_clips(finished, subject, validated[validated["fold"] == fold], "predicted"))
    clips = hear_clips(finished, subject, rows, target)
    settings = OmegaConf.to_container(config.explain_eval, resolve=True)
    name = hash_run({"explain_eval": settings, "class": target}, finished.origin.key, hash_clips(rows), {"fold": fold})
    labels = FinishedRun.open(str(config.label_run), config) if config.get("label_run") else None
    shuffled = make_subject(labels.load_model(fold)) if labels is not None else None
    reference = Path(config.paths.cache) / "explanations" / f"{name}.npz"
    found = examine(subject, clips, method, instantiate(config.explain_eval) or None, reference, shuffled)
    if not (config.explain_eval and is_planted(rows)):
        return found
    path = reference.with_suffix(".truth.parquet")
    return replace(found, truth=fetch_truth(subject, clips, finished.corpus.preparation, path))


def link_clips(config: DictConfig, finished: FinishedRun, done: Sequence[Examination]) -> Linked | None:
    """Cues at the places that the explanations of all folds point at, unless ``cue_link=none``."""
    linker = instantiate(config.cue_link)
    if not linker:
        return None
    clips = [clip for each in done for clip in each.clips]
    found = [one for each in done for one in each.attributions]
    return link_cues(linker, finished.corpus, done[0].rate, clips, found)


def judge_whole(
    done: Sequence[Examination], linked: Linked | None, method: str, plausible: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """What methods are scored by as a whole: plausibility; on planted clips, against what their cues cause."""
    whole: dict[str, dict[str, float]] = {method: dict(plausible)}
    truth = pd.concat([each.truth for each in done], ignore_index=True)
    if len(truth):
        scores = join_scores([table for each in done for table in (each.scores, each.reference)])
        for name, own in score_effects(scores, truth, [clip for each in done for clip in each.clips]).items():
            whole.setdefault(name, {}).update(own)
        if linked is not None and len(linked.cues):
            whole[method] |= score_concepts(linked.cues, truth)
    return whole


def find_target(config: DictConfig) -> str:
    """Whose margin is explained; Hydra reads ``explain.class=true`` as a truth value."""
    value = config.explain["class"]
    return "true" if value is True else str(value)


def list_scores(scores: pd.DataFrame, one: Attribution) -> dict[str, float]:
    """Scores of one attribution."""
    rows = scores[(scores["clip"] == one.clip) & (scores["method"] == one.method)]
    return dict(zip(rows["metric"], rows["value"].astype(float), strict=True))


def method_of(config: DictConfig) -> str:
    """What the explainer is called."""
    return str(config.choices.explainer)


def read_scores(folder: Path) -> pd.DataFrame:
    """Scores of an explanation; empty where it has none."""
    return pd.read_parquet(folder / SCORES) if (folder / SCORES).is_file() else pd.DataFrame()


def hash_clips(rows: pd.DataFrame) -> str:
    """Identity of the clips that are explained."""
    names: Sequence[Any] = rows[["dataset", "clip"]].agg("/".join, axis=1).sort_values().tolist()
    return blake2b("\n".join(names).encode(), digest_size=8).hexdigest()
