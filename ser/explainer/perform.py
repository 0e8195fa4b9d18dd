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
from ser.errors import InputError
from ser.explainer.attribution import Attribution, save_attributions
from ser.explainer.base import Explainer
from ser.explainer.concepts import Named, judge_named
from ser.explainer.cues import link_cues, write_cues
from ser.explainer.dimensions import DimensionExplainer, explain_dimensions, rank_dimensions
from ser.explainer.evaluation.metrics import RANDOM
from ser.explainer.examine import Examination, Method, examine, explain_by_chance
from ser.explainer.hear import hear_clips
from ser.explainer.pages import MAPS, RECORDS
from ser.explainer.responses import respond, write_responses
from ser.explainer.subject import make_subject
from ser.explainer.summary import join_scores, read_metrics, write_summary
from ser.explainer.truth import estimate_effects, fetch_truth, is_planted, judge_gate
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
    labels = open_label_run(config, chosen)
    done = [
        examine_fold(config, finished, method, str(fold), rows, labels)
        for fold, rows in chosen.groupby("fold", sort=False)
    ]
    found = [one for each in done for one in each.attributions]
    linked = link_clips(config, finished, done, found)
    named = name_cues(config, finished, done, method.name, linked)
    scores = join_scores([*(table for each in done for table in (each.scores, each.reference)), *named.scores])
    save_attributions(found, folder / MAPS)
    diagnostic = bool(getattr(explainer, "diagnostic", False))  # says how information flows, not what counts
    records = [one.describe() | {"diagnostic": diagnostic, "scores": list_scores(scores, one)} for one in found]
    write_json(folder / RECORDS, records)
    metrics: dict[str, float | None] = {
        "explain/clips": float(len(found)),
        "explain/valid": sum(one.valid for one in found) / len(found),
        "explain/seconds_per_clip": sum(one.cost.seconds for one in found) / len(found),
    }
    plausible = write_cues(linked, folder) if linked is not None else {}
    whole = judge_whole(done, scores, named, {method.name: plausible}, config.explain_eval.get("bootstrap", 0))
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
    config: DictConfig,
    finished: FinishedRun,
    method: Method,
    fold: str,
    rows: pd.DataFrame,
    labels: FinishedRun | None,
) -> Examination:
    """Explain the clips of a fold by its model, and score that."""
    subject = make_subject(finished.load_model(fold))
    method.explainer.check(subject)
    target = find_target(config)
    if method.chooses and len(validated := finished.validated):
        method.choose(subject, hear_clips(finished, subject, validated[validated["fold"] == fold], "predicted"))
    clips = hear_clips(finished, subject, rows, target)
    settings = OmegaConf.to_container(config.explain_eval, resolve=True)
    assert isinstance(settings, dict)
    settings.pop("label_run", None)  # what is known of the model does not depend on another one
    name = hash_run({"explain_eval": settings, "class": target}, finished.origin.key, hash_clips(rows), {"fold": fold})
    shuffled = make_subject(labels.load_model(fold)) if labels is not None else None
    reference = Path(config.paths.cache) / "explanations" / f"{name}.npz"
    found = examine(subject, clips, method, instantiate(config.explain_eval) or None, reference, shuffled)
    if not (config.explain_eval and is_planted(rows)):
        return found
    path = reference.with_suffix(".planted.parquet")
    truth = fetch_truth(subject, clips, finished.corpus.preparation, path)
    return replace(found, truth=truth, nulls=explain_by_chance(subject, clips, config.explain.max_batch))


def open_label_run(config: DictConfig, chosen: pd.DataFrame) -> FinishedRun | None:
    """The run on permuted labels that ``explain_eval.label_run`` names, if any.

    Raises:
        InputError: it learnt true labels, or may have learnt some of the clips.
    """
    run = config.explain_eval.get("label_run")
    if not run:
        return None
    shown = f"explain_eval.label_run={run}"
    labels = FinishedRun.open(str(run), config)
    if labels.config.data.get("shuffle_labels") is None:
        raise InputError(
            f"{shown}: it was trained on true labels",
            remedy="train it by the explained run's command with data.shuffle_labels=1 trainer.early_stopping=null",
        )
    places = ["dataset", "clip", "fold"]
    tested = pd.MultiIndex.from_frame(labels.tested[places].astype(str))
    missing = chosen[~pd.MultiIndex.from_frame(chosen[places].astype(str)).isin(tested)]
    if len(missing):
        fold, clip = missing["fold"].iloc[0], missing["clip"].iloc[0]
        raise InputError(
            f"{shown}: its fold {fold} did not test {clip}, and may have learnt it",
            expected="a run that tests the same clips in the same folds",
            remedy="train it with the corpus and the split of the explained run",
        )
    return labels


def link_clips(
    config: DictConfig, finished: FinishedRun, done: Sequence[Examination], found: Sequence[Attribution]
) -> Linked | None:
    """Cues at the places that explanations of all folds point at, unless ``cue_link=none``."""
    linker = instantiate(config.cue_link)
    if not linker:
        return None
    return link_cues(linker, finished.corpus, done[0].rate, [clip for each in done for clip in each.clips], found)


def name_cues(
    config: DictConfig, finished: FinishedRun, done: Sequence[Examination], method: str, linked: Linked | None
) -> Named:
    """On planted clips, the cues that the explanations name beside those that act; the same for maps of noise."""
    truth, clips = join_truth(done), [clip for each in done for clip in each.clips]
    if linked is None or not len(linked.cues) or not len(truth):
        return Named()
    draws = config.explain_eval.bootstrap
    named = judge_named(linked.cues, truth, clips, method, draws)
    nulls = [one for each in done for one in each.nulls]
    if not named.scores or method == RANDOM:
        return named
    chance = link_clips(config, finished, done, nulls)
    assert chance is not None
    return named.join(judge_named(chance.cues, truth, clips, RANDOM, draws))


def judge_whole(
    done: Sequence[Examination],
    scores: pd.DataFrame,
    named: Named,
    plausible: Mapping[str, Mapping[str, float]],
    draws: int,
) -> dict[str, dict[str, Any]]:
    """What methods are scored by as a whole: a number, or a number with the ends of its interval."""
    whole: dict[str, dict[str, Any]] = {method: dict(own) for method, own in plausible.items()}
    truth = join_truth(done)
    clips = [clip for each in done for clip in each.clips]
    effects = estimate_effects(scores, truth, clips, draws) if len(truth) else {}
    for estimates in (effects, named.whole):
        for method, own in estimates.items():
            whole.setdefault(method, {}).update(own)
    return whole


def join_truth(done: Sequence[Examination]) -> pd.DataFrame:
    """What cues cause in the models of all folds; empty for real speech."""
    return pd.concat([each.truth for each in done], ignore_index=True)


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
