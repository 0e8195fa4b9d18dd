"""The stage ``ser pretune``: a backbone learns to write down a language, and leaves a folder of weights.

Fine-tuning for character recognition with CTC on transcribed speech, as language pre-fine-tuning of emotion
recognisers does it (published checkpoints of a language are made so). A run is known by its key like one of ``ser
train``: one that finished is not repeated, one that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.cache import AudioCache
from ser.audio.prepare import Preparation
from ser.backbone.speech import Speech
from ser.errors import InputError
from ser.head.trunk import Trunk
from ser.language.ctc import MODEL
from ser.language.heard import LANGUAGE, Heard, describe_heard, read_heard, write_heard
from ser.language.start import check_backbone
from ser.language.transcripts import Transcripts, read_transcripts
from ser.results import CHECKPOINTS, copy_results, finish_folder, read_json, start_folder, write_json, write_results
from ser.runs import find_files
from ser.tracking.environment import describe_environment
from ser.tracking.key import flatten, hash_run, select_effective
from ser.tracking.note import TAG, show_command
from ser.tracking.tracker import TrackedRun, Tracker
from ser.train import get_state, hold, resolve

if TYPE_CHECKING:
    from mlflow.entities import Run

log = logging.getLogger(__name__)

#: A character error rate that silence reaches as well.
NOTHING_READ = 0.98


@dataclass(frozen=True)
class Outcome:
    """What became of a run: ``finished`` now, or ``skipped`` because it had finished before.

    Attributes:
        model: folder with the weights, as transformers keeps them.
    """

    state: str
    run_id: str
    key: str
    metrics: dict[str, float | None]
    model: Path


@dataclass(frozen=True)
class Plan:
    """All that is settled before anything is trained.

    Attributes:
        trunk: the backbone, and which of its weights are trained.
        training: :class:`ser.training.fit.Training`.
        transcripts: who says what.
        tracker: where runs live.
        effective: the part of the configuration that decides the result.
        key: the run's identity.
        heard: what the weights will have heard, that which the backbone starts from included.
    """

    trunk: Trunk
    training: Any
    transcripts: Transcripts
    tracker: Tracker
    effective: Mapping[str, Any]
    key: str
    heard: list[Heard]

    @classmethod
    def make(cls, config: DictConfig, backbone: Any = None) -> Plan:
        """Read the corpora and check everything; trains nothing.

        Args:
            config: composed from ``conf/pretune.yaml``.
            backbone: in place of the configuration's.

        Raises:
            InputError: choices that do not go together, data that cannot be used.
        """
        trunk = build_trunk(config, backbone)
        training = build_training(config)
        tracker = instantiate(config.tracking)
        tracker.connect()
        cache = AudioCache(Path(config.paths.cache) / "audio")
        preparation: Preparation = replace(instantiate(config.audio), cache=cache)
        rate = trunk.backbone.rate
        transcripts = read_transcripts(config, preparation, rate, training.early_stopping is not None)
        effective = select_effective(resolve(config), uses_trainer=True)
        # Its identity says all of it that matters here; which of its layers a head sees does not, nor how.
        effective = {name: value for name, value in effective.items() if name not in ("backbone", "pooling")}
        key = hash_run(effective, transcripts.fingerprint, extractor=trunk.backbone.identify())
        heard = [*read_heard(trunk.backbone.source), *describe_heard(key, transcripts.frame)]
        return cls(trunk, training, transcripts, tracker, effective, key, heard)


def pretune(
    config: DictConfig,
    folder: Path | str | None,
    labels: Mapping[str, str] | None = None,
    parent: str = "",
    backbone: Any = None,
) -> Outcome:
    """Run one configuration.

    Args:
        config: composed from ``conf/pretune.yaml`` (``ser.config.compose(overrides, "pretune")``).
        folder: the run's directory; ``None`` for ``<outputs>/language/<key>``.
        labels: what tells this run from its neighbours in a sweep (override → value); they become the run's name.
        parent: MLflow run of the sweep.
        backbone: in place of the configuration's.

    Raises:
        InputError: choices that do not go together, data that cannot be used, a tracking store that cannot be reached;
            all before long work starts.
    """
    plan = Plan.make(config, backbone)
    key, tracker = plan.key, plan.tracker
    folder = (Path(folder) if folder else Path(config.paths.outputs) / "language" / key).absolute()
    with hold(Path(config.paths.cache) / "locks" / f"{key}.lock"):
        known = tracker.find(key) if config.resume else None
        if known is not None and (model := find_model(known, tracker, Path(config.paths.cache))):
            log.info("this language was learned before, in MLflow run %s", known.info.run_id)
            if folder != model.parent:
                copy_results(tracker, known, folder, key)
            return Outcome("skipped", known.info.run_id, key, read_json(folder / "metrics.json"), model)
        for note in plan.transcripts.notes:
            log.warning(note)
        killed = known if get_state(known) == "running" else None
        start_folder(folder, key, killed.data.tags.get("ser.run_dir") if killed else None)
        shutil.rmtree(folder / MODEL, ignore_errors=True)
        run = tracker.start(
            name_run(config, labels),
            params={**config.choices, **flatten(plan.effective)},
            tags=make_tags(plan, folder, parent, labels),
            resume=killed,
        )
        try:
            scores = learn(config, plan, run, folder)
            finish_folder(folder, key, run.run_id)
            run.log_folder(folder)
        except Exception:
            run.end("failed")
            raise
        run.end("finished", {TAG: show_command()})
    return Outcome("finished", run.run_id, key, scores, folder / MODEL)


def learn(config: DictConfig, plan: Plan, run: TrackedRun, folder: Path) -> dict[str, float | None]:
    """Train, write weights and results; returns the metrics."""
    from ser.language.folder import save_recogniser  # both import torch, which finding a finished run does not need
    from ser.language.learn import Learner, score

    began = time.perf_counter()
    learner = Learner(plan.trunk, plan.training, plan.transcripts, folder / CHECKPOINTS, run.log_metrics)
    module = learner.fit()
    read = learner.tabulate(module.read)
    scores = {**learner.count(module), **score(read), "seconds": time.perf_counter() - began}
    found = note_scores(scores)
    for note in found:
        log.warning(note)
    save_recogniser(module.network, learner.vocabulary, folder / MODEL)
    columns = ["clip", "part", "dataset", "speaker", "text", "samples"]
    tables = {"split.csv": plan.transcripts.frame[columns], "history.csv": learner.read_history()}
    if len(read):
        tables["transcripts.csv"] = read
    records = {
        "dataset.json": describe(plan.transcripts),
        "notes.json": [*plan.transcripts.notes, *found],
        "environment.json": {**describe_environment(), "data_fingerprint": plan.transcripts.fingerprint},
    }
    written = write_results(folder, resolve(config), tables, records, scores)
    origin = json.loads(json.dumps(plan.trunk.backbone.identify(), default=str))
    record = {
        "key": plan.key,
        "run_id": run.run_id,
        "origin": origin,
        "source": plan.trunk.backbone.source,
        "languages": sorted({language for each in plan.heard for language in each.languages}),
        **{name: written.get(f"val/{name}") for name in ("cer", "wer")},
        "heard": write_heard(plan.heard),
    }
    write_json(folder / MODEL / LANGUAGE, record)
    run.log_metrics(written)
    shutil.rmtree(folder / CHECKPOINTS)  # optimizer states that nobody needs any more, three times the weights
    if "val/cer" in scores:
        log.info("validation CER %.3f, WER %.3f", scores["val/cer"], scores["val/wer"])
    return written


def build_trunk(config: DictConfig, backbone: Any = None) -> Trunk:
    """Backbone and fine-tuning.

    Raises:
        InputError: none is chosen, one without weights that could learn a language, one that is not to be trained.
    """
    if backbone is None and not config.get("backbone"):
        raise InputError(
            "backbone: which backbone is to learn the language?",
            expected=f"backbone=<a network of the families {', '.join(Speech.families)}>",
            remedy="`ser list backbone` shows what there is, e.g. backbone=wav2vec2_large_xlsr_53",
        )
    trunk = Trunk(instantiate(config.backbone) if backbone is None else backbone, instantiate(config.finetune))
    check_backbone(trunk.backbone, "backbone", Speech)
    if not trunk.policy.trains:
        raise InputError("finetune=frozen leaves nothing to be learned", remedy="pass finetune=full")
    trunk.check()
    return trunk


def build_training(config: DictConfig) -> Any:
    """Trainer settings with the optimizer and scheduler they use.

    Raises:
        InputError: early stopping by something that is not measured here; mixed clips, which have no text.
    """
    training = instantiate(
        config.trainer,
        optimizer=instantiate(config.optimizer),
        scheduler=instantiate(config.scheduler) or None,
        loss=None,
        seed=config.seed,
    )
    stopping = training.early_stopping
    if stopping is not None and (stopping.get("monitor"), stopping.get("mode")) not in MONITORS:
        raise InputError(
            f"trainer.early_stopping.monitor={stopping.get('monitor')} with mode={stopping.get('mode')}",
            expected=" or ".join(name for name, _ in MONITORS) + ", mode=min",
        )
    if training.mixup:
        raise InputError(f"trainer.mixup={training.mixup}: two mixed clips have no text", remedy="trainer.mixup=0")
    return training


#: What validation measures, and that less is better.
MONITORS = [("val/cer", "min"), ("val/wer", "min"), ("val/loss", "min")]


def find_model(run: Run, tracker: Tracker, cache: Path) -> Path | None:
    """The weights of a run, if it finished and they are still somewhere."""
    if get_state(run) != "finished":
        return None
    try:
        return find_files(run.info.run_id, [MODEL], tracker, cache).absolute() / MODEL
    except InputError as error:
        log.warning("%s\nit is trained anew", error)
        return None


def note_scores(scores: Mapping[str, float]) -> list[str]:
    """What a reader must know of them."""
    notes = []
    if scores["clips/left_out"]:
        notes.append(
            f"{scores['clips/left_out']:.0f} of {scores['clips/train']:.0f} training clips have more characters than "
            "the backbone has frames for them, and were left out of the loss: is all of their text said in them?"
        )
    if scores.get("val/cer", 0) >= NOTHING_READ:
        notes.append(
            f"the character error rate is {scores['val/cer']:.2f}, no better than reading nothing: this backbone has "
            "not learned the language (more epochs, a higher optimizer.lr, or weights that are not random)"
        )
    return notes


def describe(transcripts: Transcripts) -> dict[str, object]:
    """What was read, for ``dataset.json``."""
    frame = transcripts.frame
    return {
        "name": "+".join(sorted(frame["dataset"].unique())),
        "clips": frame["part"].value_counts().sort_index().to_dict(),
        "speakers": {str(part): sorted(rows["speaker"].unique()) for part, rows in frame.groupby("part")},
        "languages": sorted(frame["language"].dropna().unique()),
        "texts": int(frame["text"].nunique()),
        "fingerprint": transcripts.fingerprint,
    }


def name_run(config: DictConfig, labels: Mapping[str, str] | None) -> str:
    """What varied; for a single run, its main choices."""
    if labels:
        return " ".join(f"{name}={value}" for name, value in labels.items())
    return f"pretune {config.choices.dataset} {config.choices.backbone} seed={config.seed}"


def make_tags(plan: Plan, folder: Path, parent: str, labels: Mapping[str, str] | None) -> dict[str, str]:
    """MLflow tags that identify a run."""
    environment = describe_environment()
    tags = {
        "ser.key": plan.key,
        "ser.kind": "pretune",
        "ser.version": str(environment["ser"]),
        "ser.git_revision": str(environment["git_revision"]),
        "ser.data_fingerprint": plan.transcripts.fingerprint,
        "ser.run_dir": str(folder),
    }
    if parent:
        tags["mlflow.parentRunId"] = parent
    if labels:
        tags["ser.varied"] = " ".join(f"{name}={value}" for name, value in labels.items())
    return tags
