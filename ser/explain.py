"""The stage ``ser explain``: why a finished run decides as it does, and how far its explanations can be believed.

Each clip is explained by the model that was tested on it. What comes out is a run of its own below the explained one,
or below its sweep: attributions, their scores, the cues they rest on.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.cue.heard import Linked
from ser.errors import InputError
from ser.explainer.attribution import Attribution, save_attributions
from ser.explainer.base import Explainer
from ser.explainer.cues import link_cues, write_cues
from ser.explainer.dimensions import DimensionExplainer, explain_dimensions, rank_dimensions
from ser.explainer.examine import Examination, Method, examine
from ser.explainer.hear import hear_clips
from ser.explainer.pages import CLIPS, MAPS, PAGE, RECORDS, write_page
from ser.explainer.pick import ClipChoice
from ser.explainer.subject import make_subject, make_untrained
from ser.explainer.summary import read_metrics, write_summary
from ser.explainer.truth import fetch_truth, is_planted, judge_gate, score_concepts, score_effects
from ser.explainer.whole import RunExplainer
from ser.finished import FinishedRun
from ser.results import owns, read_json, write_json
from ser.tracking.key import flatten, hash_run
from ser.tracking.tracker import Tracker
from ser.train import Choices, get_state, hold

log = logging.getLogger(__name__)

#: Groups of the configuration that say what is explained, how, and how that is judged.
GROUPS = ("explainer", "explain", "explain_eval", "cue_link", "meter")
#: Files of an explanation.
METRICS, SCORES, WHOLE = "metrics.json", "scores.parquet", "whole.json"
RUN, CONFIG = "run.json", "config.yaml"
#: Where a run has its own.
FOLDER = "explanation"


@dataclass(frozen=True)
class Outcome:
    """What became of an explanation: ``finished`` now, or ``skipped`` because it had finished before."""

    state: str
    run_id: str
    key: str
    metrics: dict[str, float | None]


def explain(
    config: DictConfig, folder: Path | str, labels: Mapping[str, str] | None = None, parent: str = ""
) -> Outcome:
    """Explain the run that a configuration (``conf/explain.yaml``) names, into a folder.

    Args:
        config: composed from ``conf/explain.yaml``.
        folder: the explanation's directory.
        labels: what tells it from its neighbours in a sweep (override → value); they become its name.
        parent: MLflow run of the sweep; by default the explained run.

    Raises:
        InputError: no such run, an explainer that cannot explain such a model, clips that were not tested.
    """
    if not config.run:
        raise InputError("run: which run is to be explained?", expected="run=<id, key or directory of a finished run>")
    return explain_run(config, FinishedRun.open(str(config.run), config), Path(folder), labels or {}, parent)


def explain_run(
    config: DictConfig, finished: FinishedRun, folder: Path, labels: Mapping[str, str], parent: str
) -> Outcome:
    """The same for a run that was opened already."""
    explainer, folder = instantiate(config.explainer), folder.absolute()
    if not explainer:
        raise InputError("explainer=none: nothing to do", remedy="`ser list explainer` shows what there is")
    chosen = choose_clips(config, finished)
    settings = OmegaConf.to_container(OmegaConf.masked_copy(config, list(GROUPS)), resolve=True)
    assert isinstance(settings, dict)
    key = hash_run({str(k): v for k, v in settings.items()}, finished.origin.key, hash_clips(chosen))
    tracker: Tracker = finished.choices.tracker
    with hold(Path(config.paths.cache) / "locks" / f"{key}.lock"):
        known = tracker.find(key) if config.resume else None
        if known is not None and get_state(known) == "finished" and copy_folder(known.data.tags, key, folder):
            log.info("this explanation finished before, as MLflow run %s", known.info.run_id)
            return Outcome("skipped", known.info.run_id, key, read_json(folder / METRICS))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / RUN, {"key": key, "state": "running"})
        run = tracker.start(
            name_explanation(config, finished, labels),
            params={**config.choices, **flatten({str(k): v for k, v in settings.items()}), "run": finished.origin.key},
            tags=make_tags(finished, key, folder, parent, labels),
            resume=known if get_state(known) == "running" else None,
        )
        try:
            chosen.to_parquet(folder / CLIPS, index=False)
            metrics = dispatch(config, finished, explainer, chosen, folder)
            write_json(folder / METRICS, metrics)
            if config.report:
                write_page(folder / PAGE, name_page(method_of(config), finished), [folder], read_scores(folder))
            OmegaConf.save(
                OmegaConf.create({**settings, "choices": dict(config.choices), "run": finished.origin.key}),
                folder / CONFIG,
            )
            write_json(folder / RUN, {"key": key, "run_id": run.run_id, "state": "finished"})
            run.log_metrics(metrics)
            run.log_folder(folder)
        except Exception:
            run.end("failed")
            raise
        run.end("finished")
    return Outcome("finished", run.run_id, key, metrics)


def dispatch(
    config: DictConfig, finished: FinishedRun, explainer: Any, chosen: pd.DataFrame, folder: Path
) -> dict[str, float | None]:
    """Explain what the explainer is about: the run as a whole, dimensions of its clips, or their time and frequency."""
    if isinstance(explainer, RunExplainer):
        return {**explainer.examine(finished, folder)}
    write = write_dimensions if isinstance(explainer, DimensionExplainer) else write_explanation
    return write(config, finished, explainer, chosen, folder)


def check_choices(config: DictConfig, choices: Choices) -> None:
    """Refuse an explainer that cannot explain what ``ser train`` is about to train.

    Raises:
        InputError: with the reason.
    """
    explainer = instantiate(config.explainer)
    if isinstance(explainer, RunExplainer):
        explainer.check_trunk(choices.trunk, choices.head)
    elif isinstance(explainer, DimensionExplainer):
        explainer.check_choices(choices.trunk, choices.head)
    else:
        explainer.check(make_untrained(choices.trunk, choices.head))


def explain_outcome(config: DictConfig, folder: Path, key: str) -> Outcome:
    """Explain the run that ``ser train`` has just made, or found, into a folder beside its results."""
    return explain_run(config, FinishedRun.open(key, config), folder / FOLDER, {}, "")


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
    scores = pd.concat([table for each in done for table in (each.scores, each.reference)], ignore_index=True)
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
        scores = pd.concat([table for each in done for table in (each.scores, each.reference)], ignore_index=True)
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


def choose_clips(config: DictConfig, finished: FinishedRun) -> pd.DataFrame:
    """Predictions to explain, with the clips' places in their files."""
    own = {name: value for name, value in config.explain.items() if name in ClipChoice.__dataclass_fields__}
    size = config.explain_eval.get("clips") or len(finished.tested)
    return ClipChoice(**own).pick(finished.tested, int(size))


def name_explanation(config: DictConfig, finished: FinishedRun, labels: Mapping[str, str]) -> str:
    """What varied; alone, the method and the run."""
    varied = " ".join(f"{name}={value}" for name, value in labels.items())
    return varied or f"{method_of(config)} of {finished.origin.key}"


def make_tags(finished: FinishedRun, key: str, folder: Path, parent: str, labels: Mapping[str, str]) -> dict[str, str]:
    """MLflow tags that identify an explanation and tie it to the run that it explains."""
    tags = {
        "ser.key": key,
        "ser.kind": "explanation",
        "ser.explains": finished.origin.run_id,
        "ser.run_dir": str(folder),
        "mlflow.parentRunId": parent or finished.origin.run_id,
    }
    if labels:
        tags["ser.varied"] = " ".join(f"{name}={value}" for name, value in labels.items())
    return tags


def hash_clips(rows: pd.DataFrame) -> str:
    """Identity of the clips that are explained."""
    names: Sequence[Any] = rows[["dataset", "clip"]].agg("/".join, axis=1).sort_values().tolist()
    return blake2b("\n".join(names).encode(), digest_size=8).hexdigest()


def method_of(config: DictConfig) -> str:
    """What the explainer is called."""
    return str(config.choices.explainer)


def name_page(method: str, finished: FinishedRun) -> str:
    """Title of a page."""
    made = finished.config.choices
    return f"{method}: {made.get('backbone', '')} on {made.get('dataset', '')}, run {finished.origin.key}"


def read_scores(folder: Path) -> pd.DataFrame:
    """Scores of an explanation; empty where it has none."""
    return pd.read_parquet(folder / SCORES) if (folder / SCORES).is_file() else pd.DataFrame()


def copy_folder(tags: Mapping[str, str], key: str, folder: Path) -> bool:
    """Bring the results of an explanation that finished before into a folder; False where they are gone."""
    source = Path(tags.get("ser.run_dir", ""))
    if not owns(source, key):
        return False
    if source.resolve() != folder.resolve():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
    return True
