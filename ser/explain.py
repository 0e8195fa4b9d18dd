"""The stage ``ser explain``: why a finished run decides as it does, and how far its explanations can be believed.

Each clip is explained by the model that was tested on it. What comes out is a run of its own below the explained one,
or below its sweep: attributions, their scores, the cues they rest on.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.chosen import Choices
from ser.cue.counterfactual import Counterfactual
from ser.errors import InputError
from ser.explainer.dimensions import DimensionExplainer
from ser.explainer.marks import check_marks
from ser.explainer.pages import CLIPS, METRICS, PAGE, write_page
from ser.explainer.perform import dispatch, hash_clips, method_of, read_scores
from ser.explainer.pick import ClipChoice
from ser.explainer.subject import make_untrained
from ser.explainer.whole import RunExplainer
from ser.finished import FinishedRun
from ser.head.fused_trunk import FusedTrunk
from ser.head.trunk import Trunk
from ser.results import owns, read_json, write_json
from ser.tracking import note
from ser.tracking.key import flatten, hash_run
from ser.tracking.tracker import Tracker
from ser.train import get_state, hold

log = logging.getLogger(__name__)

#: Groups of the configuration that say what is explained, how, and how that is judged.
GROUPS = ("explainer", "explain", "explain_eval", "cue_link", "meter")
#: Files of an explanation.
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
    check_modalities(config, explainer, finished.choices.trunk)
    chosen = choose_clips(config, finished)
    check_marks(explainer, chosen)
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
        ids = tracker.experiment_id, run.run_id, finished.origin.run_id
        text = note.describe_explanation(*ids, PAGE if (folder / PAGE).is_file() else "", parent)
        run.end("finished", {note.TAG: text})
    return Outcome("finished", run.run_id, key, metrics)


def check_choices(config: DictConfig, choices: Choices) -> None:
    """Refuse an explainer that cannot explain what ``ser train`` is about to train.

    Raises:
        InputError: with the reason.
    """
    explainer = instantiate(config.explainer)
    check_modalities(config, explainer, choices.trunk)
    if isinstance(explainer, RunExplainer):
        explainer.check_trunk(choices.trunk, choices.head)
    elif isinstance(explainer, Counterfactual):
        make_untrained(choices.trunk, choices.head)
    elif isinstance(explainer, DimensionExplainer):
        explainer.check_choices(choices.trunk, choices.head)
    else:
        explainer.check(make_untrained(choices.trunk, choices.head))


def check_modalities(config: DictConfig, explainer: Any, trunk: Trunk) -> None:
    """Refuse an explainer of sound where words are read as well, unless it says that it ``explains_fused`` models.

    Raises:
        InputError: with those that do.
    """
    if isinstance(trunk, FusedTrunk) and not getattr(explainer, "explains_fused", False):
        raise InputError(
            f"explainer={method_of(config)}: it explains sound, and the model reads transcripts as well",
            expected="explainer=modality or overlap for a run with backbone=fusion",
            remedy="choose one of them, or explain a run with fusion.modalities=audio",
        )


def explain_outcome(config: DictConfig, folder: Path, key: str) -> Outcome:
    """Explain the run that ``ser train`` has just made, or found, into a folder beside its results."""
    return explain_run(config, FinishedRun.open(key, config), folder / FOLDER, {}, "")


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


def name_page(method: str, finished: FinishedRun) -> str:
    """Title of a page."""
    made = finished.config.choices
    return f"{method}: {made.get('backbone', '')} on {made.get('dataset', '')}, run {finished.origin.key}"


def copy_folder(tags: Mapping[str, str], key: str, folder: Path) -> bool:
    """Bring the results of an explanation that finished before into a folder; False where they are gone."""
    source = Path(tags.get("ser.run_dir", ""))
    if not owns(source, key):
        return False
    if source.resolve() != folder.resolve():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
    return True
