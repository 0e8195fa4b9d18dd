"""The stage ``ser train``: one configuration, one tracked run.

Read the corpus, check every file, split by speaker, fit and score each fold, write and log what came of it. A run is
known by its key: one that finished is not repeated, one that was killed goes on where it stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.chosen import Choices
from ser.corpus import Corpus, read_corpora
from ser.errors import InputError
from ser.extend import bring_checkpoints, check_same, read_config
from ser.fold import Recipe, run_fold
from ser.gather import describe_backbone, describe_texts, gather_clips, gather_copies
from ser.head.data import Head
from ser.judge import choose_judge
from ser.language.heard import LANGUAGE
from ser.language.start import choose_weights
from ser.predictions import complete_predictions
from ser.results import copy_results, finish_folder, list_notes, read_json, start_folder, write_json, write_results
from ser.split.across import split_across
from ser.split.base import Splitter, as_names
from ser.split.fold import Split, check_leaks, describe_balance, tabulate_split
from ser.split.training import repeat_rare, take_fraction
from ser.tracking.environment import describe_environment
from ser.tracking.key import flatten, hash_run, select_effective
from ser.tracking.note import TAG, describe_run
from ser.tracking.tracker import TrackedRun

if TYPE_CHECKING:
    from mlflow.entities import Run


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of a run: ``finished`` now, or ``skipped`` because it had finished before."""

    state: str
    run_id: str
    key: str
    metrics: dict[str, float | None]


def train(config: DictConfig, folder: Path | str, labels: Mapping[str, str] | None = None, parent: str = "") -> Outcome:
    """Run one configuration.

    Args:
        config: composed from ``conf/train.yaml`` (:func:`ser.config.compose`).
        folder: the run's directory.
        labels: what tells this run from its neighbours in a sweep (override → value); they become the run's name.
        parent: MLflow run of the sweep.

    Raises:
        InputError: choices that do not go together, data that cannot be used, a split that leaks, a tracking store
            that cannot be reached; all before long work starts.
    """
    folder = Path(folder).absolute()
    choices = Choices.build(config)
    if config.explainer:
        from ser.explain import check_choices  # which itself takes up finished runs, that is, imports this module

        check_choices(config, choices)
    outcome = train_and_score(config, choices, folder, labels, parent)
    if config.explainer:
        from ser.explain import explain_outcome

        explain_outcome(config, folder, outcome.key)
    return outcome


def train_and_score(
    config: DictConfig, choices: Choices, folder: Path, labels: Mapping[str, str] | None, parent: str
) -> Outcome:
    """Train and evaluate with choices that go together."""
    corpus = read_corpora(config, choices.preparation, choices.trunk.backbone.rate)
    check_columns(corpus, config.metrics.by)
    choices.trunk.check_clips(corpus.manifest.frame)
    split = divide(config, corpus, needs_validation(config, choices.head))
    if choices.training is not None:
        choices.training.check_clips(corpus.as_trained().iloc[split.train], corpus.manifest.emotions)
    for note in split.notes:
        log.warning(note)
    tested = corpus.manifest.frame.iloc[np.unique(np.concatenate([fold.test for fold in split.folds]))]
    backbone, start = choose_weights(choices.language, choices.trunk.backbone, tested)
    choices = replace(choices, trunk=replace(choices.trunk, backbone=backbone))
    effective = select_effective(resolve(config), choices.head.uses_trainer)
    rest = (corpus.fingerprint, hash_split(corpus, split), identify(choices))
    key = hash_run(effective, *rest)
    origin = config.get("run")
    if origin:
        check_same(origin, select_effective(read_config(origin), choices.head.uses_trainer), *rest)
    with hold(Path(config.paths.cache) / "locks" / f"{key}.lock"):
        known = choices.tracker.find(key) if config.resume else None
        if get_state(known) == "finished":
            assert known is not None
            log.info("this run finished before, as MLflow run %s", known.info.run_id)
            copy_results(choices.tracker, known, folder, key)
            return Outcome("skipped", known.info.run_id, key, read_json(folder / "metrics.json"))
        killed = known if get_state(known) == "running" else None
        start_folder(folder, key, killed.data.tags.get("ser.run_dir") if killed else None)
        if origin:
            bring_checkpoints(origin, folder)
        run = choices.tracker.start(
            name_run(config, labels),
            params={**config.choices, **flatten(effective), **({"language.source": start["source"]} if start else {})},
            tags=make_tags(key, corpus, folder, parent, labels) | ({"ser.extends": origin.run_id} if origin else {}),
            resume=killed,
        )
        try:
            if start:
                write_json(folder / LANGUAGE, start)
            scores = evaluate(config, choices, corpus, split, run, key, folder)
            finish_folder(folder, key, run.run_id)
            run.log_folder(folder)
            if choices.tracker.logs_model(parent):
                from ser.deployment.logged import log_model  # which opens finished runs, that is, imports this module

                log_model(run, folder)
        except Exception:
            run.end("failed")
            raise
        text = describe_run(choices.tracker.experiment_id, run.run_id, scores, parent, folder)
        run.end("finished", {TAG: text})
    return Outcome("finished", run.run_id, key, scores)


def evaluate(
    config: DictConfig, choices: Choices, corpus: Corpus, split: Split, run: TrackedRun, key: str, folder: Path
) -> dict[str, float | None]:
    """Fit and score all folds, write and log the results; returns the metrics."""
    began = time.perf_counter()
    tested = gather_clips(config, choices, corpus, corpus.manifest.frame)
    trained = tested if corpus.training is None else gather_clips(config, choices, corpus, corpus.training)
    recipe = Recipe(
        head=choices.head,
        trunk=choices.trunk,
        training=choices.training,
        emotions=corpus.manifest.emotions,
        columns=list(dict.fromkeys([*config.metrics.by, *corpus.manifest.frame.columns.intersection(["variant"])])),
        copies=gather_copies(config, choices, corpus, split),
        augmentation=choices.augmentation,
        select_training=lambda rows: repeat_rare(corpus.manifest.frame, rows, config.data.oversample, config.seed),
        shuffle=config.data.shuffle_labels,
    )
    folds = [run_fold(recipe, trained, tested, fold, folder, run.log_metrics) for fold in split.folds]
    evaluations = complete_evaluations(corpus, [fold.test for fold in folds], run.run_id, key)
    test = pd.concat(evaluations.values(), ignore_index=True)
    judge = choose_judge(corpus.dimensions, config.metrics.by)
    validation = [fold.validation for fold in folds if len(fold.validation)]
    tables = {
        "predictions.parquet": test,
        **judge.tabulate(test),
        "split.csv": tabulate_split(corpus.manifest.frame, split),
        "split_balance.csv": describe_balance(corpus.manifest.frame, split, list_strata(config, corpus)),
        "history.csv": pd.concat([fold.history for fold in folds], ignore_index=True),
    }
    scores = {**judge.score_folds([fold.test for fold in folds]), **judge.score_sets(evaluations, "test")}
    if validation:
        tables["validation.parquet"] = complete_predictions(validation, run.run_id, key, "val")
        scores |= judge.score_sets({"val": tables["validation.parquet"]}, "val")
    known, unknown = describe_texts(choices.trunk, corpus.manifest.frame, split)
    scores |= {**known, "audio/skipped": float(corpus.skipped), "audio/excluded": float(corpus.excluded)}
    scores |= {f"parameters/{name}": float(count) for name, count in folds[0].parameters.items()}
    scores |= {"seconds": time.perf_counter() - began}
    weights = describe_backbone(config, choices.trunk, corpus.preparation, corpus.manifest.frame)
    if weights:
        run.tag({"ser.weights": weights["hash"], "ser.weights_source": weights["source"]})
    records = {
        "dataset.json": corpus.describe(),
        "notes.json": list_notes([*corpus.manifest.notes, *split.notes, *unknown, *judge.note(evaluations)]),
        **({"backbone.json": weights} if weights else {}),
        "environment.json": {**describe_environment(), "data_fingerprint": corpus.fingerprint},
    }
    written = write_results(folder, resolve(config), tables, records, scores)
    run.log_metrics(written)
    score, low, high = (scores[f"test/{judge.headline}{end}"] for end in ("", "_ci_low", "_ci_high"))
    interval = "too few speakers for an interval" if np.isnan(low) else f"95% CI over speakers {low:.3f} to {high:.3f}"
    log.info("test %s %.3f (%s)", judge.headline.upper(), score, interval)
    return written


def divide(config: DictConfig, corpus: Corpus, validation: bool) -> Split:
    """The folds, with the share of the training clips that is asked for."""
    splitter: Splitter = instantiate(config.split)
    if corpus.train:
        split = split_across(splitter, corpus.manifest, corpus.train, corpus.test, validation, not corpus.dimensions)
    else:
        split = splitter.split(corpus.manifest, validation, not corpus.dimensions)
    if "source" in corpus.manifest.frame:
        check_leaks(corpus.manifest.frame, split.folds, ["source"])
    return take_fraction(corpus.manifest.frame, split, config.data.fraction, config.data.fraction_seed)


def complete_evaluations(
    corpus: Corpus, folds: Sequence[pd.DataFrame], run_id: str, key: str
) -> dict[str, pd.DataFrame]:
    """Test predictions of all folds by evaluation set: one, or one for each test corpus."""
    names = corpus.test if len(corpus.test) > 1 else [""]
    sets = {
        f"test/{name}" if name else "test": [fold[fold["dataset"] == name] if name else fold for fold in folds]
        for name in names
    }
    return {name: complete_predictions(parts, run_id, key, name) for name, parts in sets.items()}


def check_columns(corpus: Corpus, columns: Sequence[str]) -> None:
    """Raise InputError for a column in ``metrics.by`` that the manifest lacks."""
    known = list(corpus.manifest.frame.columns)
    for column in columns:
        if column not in known:
            raise InputError(f"metrics.by: {corpus.manifest.name} has no column {column!r}", expected=", ".join(known))


def needs_validation(config: DictConfig, head: Head) -> bool:
    """Whether anything chooses on validation data: only training that stops early or keeps its best epoch does."""
    return head.uses_trainer and config.trainer.early_stopping is not None


def list_strata(config: DictConfig, corpus: Corpus) -> list[str]:
    """Columns whose distribution over the parts is written beside the split."""
    return list(dict.fromkeys([*([] if corpus.dimensions else ["emotion"]), *as_names(config.split.stratify)]))


def resolve(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain containers, every interpolation resolved."""
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def identify(choices: Choices) -> dict[str, object]:
    """Versions, weights and recordings that are not in the configuration."""
    return choices.trunk.identify() | ({"varied": choices.augmentation.identify()} if choices.augmentation else {})


def hash_split(corpus: Corpus, split: Split) -> str:
    """Hash of who is where: a fold list's content counts, not the path it was read from."""
    table = tabulate_split(corpus.manifest.frame, split)
    return blake2b(table.to_csv(index=False).encode(), digest_size=8).hexdigest()


def name_run(config: DictConfig, labels: Mapping[str, str] | None) -> str:
    """What varied; for a single run, its main choices."""
    if labels:
        return " ".join(f"{name}={value}" for name, value in labels.items())
    main = [str(config.choices.get(group, "")) for group in ("dataset", "backbone", "head", "split")]
    return " ".join([*main, f"seed={config.seed}"])


def make_tags(key: str, corpus: Corpus, folder: Path, parent: str, labels: Mapping[str, str] | None) -> dict[str, str]:
    """MLflow tags that identify a run."""
    environment = describe_environment()
    tags = {
        "ser.key": key,
        "ser.version": str(environment["ser"]),
        "ser.git_revision": str(environment["git_revision"]),
        "ser.data_fingerprint": corpus.fingerprint,
        "ser.run_dir": str(folder),
    }
    if parent:
        tags["mlflow.parentRunId"] = parent
    if labels:
        tags["ser.varied"] = " ".join(f"{name}={value}" for name, value in labels.items())
    return tags


def get_state(run: Run | None) -> str:
    """The state a run reached, empty for none."""
    return "" if run is None else str(run.data.tags.get("ser.state", ""))


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep other processes from training the same configuration; the system lets go if this one dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        log.info("another process runs this very configuration; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
