"""Training a recogniser, and what it then reads."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.utils.data import DataLoader

from ser.fold import HISTORY, append_history, read_history
from ser.head.data import Part, Workspace
from ser.head.trunk import Trunk
from ser.language.recognition import CTC, Recogniser, RecognitionModule, TranscribedClips, make_loader, measure_errors
from ser.language.texts import Vocabulary
from ser.language.transcripts import Transcripts
from ser.training.batches import BatchOrder
from ser.training.callbacks import LAST
from ser.training.fit import Training, pass_interrupts
from ser.training.processes import ALONE, Place, train_together

#: What ``history.csv`` has in place of a fold.
FOLD = "ctc"


class Learner:
    """Fits a recogniser to transcribed speech.

    Args:
        trunk: the backbone, and which of its weights are trained.
        training: how.
        transcripts: who says what.
        folder: for checkpoints; an interrupted training in it goes on.
        log_epoch: takes the metrics of an epoch and its number.
    """

    def __init__(
        self,
        trunk: Trunk,
        training: Training,
        transcripts: Transcripts,
        folder: Path,
        log_epoch: Callable[[Mapping[str, float], int], None],
    ) -> None:
        self.trunk = trunk
        self.training = training
        self.transcripts = transcripts
        self.folder = folder
        self.log_epoch = log_epoch
        self.train, self.validation = transcripts.take("train"), transcripts.take("validation")
        self.texts = dict(zip(transcripts.frame["clip"], transcripts.frame["text"], strict=True))
        self.vocabulary = Vocabulary.build(self.train.frame["text"])

    def fit(self) -> RecognitionModule:
        """Train; returns the recogniser of the chosen epoch, which has just read the validation part."""
        self.folder.mkdir(parents=True, exist_ok=True)
        module = self.make_module()
        if self.training.processes > 1:
            share = partial(fit_share, self.trunk, self.training, self.transcripts, self.folder)
            train_together(self.training.processes, share, self.write_epoch)
        else:
            self.run(module)
        validates = len(self.validation) > 0
        self.training.take_up(module.network, self.folder, validates)
        if validates:
            check = self.make_loader(self.validation, module.network.rate)
            trainer = self.training.make_trainer(devices=1, default_root_dir=self.folder)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="pytorch_lightning")
                trainer.validate(module, check, verbose=False)
        return module.cpu().eval()

    def run(self, module: RecognitionModule) -> None:
        """Train on this device; an interrupted training goes on."""
        place, validates = self.training.place, len(self.validation) > 0
        order = self.make_loader(self.train, module.network.rate, self.training.seed, place)
        check = self.make_loader(self.validation, module.network.rate, place=place) if validates else None
        last = self.folder / f"{LAST}.ckpt"
        if last.is_file():
            # Lightning asks for the batches of a resumed training before it tells their order which epoch it is.
            assert isinstance(order.batch_sampler, BatchOrder)
            order.batch_sampler.set_epoch(torch.load(last, weights_only=True)["epoch"] + 1)
        workspace = Workspace(self.folder, self.trunk, self.training, self.write_epoch)
        trainer = self.training.build_trainer(workspace, validates)
        if place.count > 1:
            place.join(trainer.strategy.root_device.type)
        with warnings.catch_warnings(), pass_interrupts():
            # Lightning advises on workers and logging intervals; both are settled in the configuration.
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            trainer.fit(module, order, check, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        if place.count > 1:
            place.leave()

    def make_loader(self, part: Part, rate: int, seed: int | None = None, place: Place = ALONE) -> DataLoader:
        """Batches of one part with texts as numbers."""
        clips = TranscribedClips(part, [self.vocabulary.encode(text) for text in part.frame["text"]], rate)
        return make_loader(clips, self.training.batch_size, seed, self.training.num_workers, place)

    def make_module(self) -> RecognitionModule:
        """A recogniser with fresh output weights above those of the backbone, and how it is trained."""
        torch.manual_seed(self.training.seed)
        policy = self.trunk.policy
        recogniser = Recogniser(policy.apply(self.trunk.backbone.build()), len(self.vocabulary))

        def group(lr: float) -> list[dict[str, Any]]:
            below = policy.group_parameters(recogniser.backbone, lr)  # type: ignore[arg-type]
            return [*map(dict, below), {"params": list(recogniser.layers.parameters()), "lr": lr}]

        training = self.training
        optimizer = partial(training.build_optimizer, group)
        settings = (optimizer, policy, training.scheduler, training.seed, None, 0.0, training.place)
        return RecognitionModule(self.texts, self.vocabulary, recogniser, CTC(), *settings)

    def write_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Write an epoch down; of several processes the main one does."""
        if self.training.place.count == 1:
            append_history(self.folder / HISTORY, FOLD, epoch, metrics)
        self.log_epoch(metrics, epoch)

    def read_history(self) -> pd.DataFrame:
        """Metrics of all epochs."""
        return read_history(self.folder / HISTORY)

    def tabulate(self, read: Mapping[str, str]) -> pd.DataFrame:
        """Validation clips with ``text``, ``read``, and ``known``: whether training had the text."""
        frame = self.validation.frame.set_index("clip").loc[list(read)]
        known = frame["text"].isin(self.train.frame["text"])
        table = frame[["dataset", "speaker", "text"]].assign(read=list(read.values()), known=known)
        return table.reset_index().sort_values("clip", ignore_index=True)

    def count(self, module: RecognitionModule) -> dict[str, float]:
        """Sizes: clips, characters, parameters."""
        weights = list(module.network.parameters())
        history = self.read_history()
        left_out = history.loc[history["metric"] == "train/left_out", "value"]
        return {
            "clips/train": float(len(self.train)),
            "clips/validation": float(len(self.validation)),
            "clips/left_out": float(left_out.iloc[0]),
            "characters": float(len(self.vocabulary.characters)),
            "parameters/total": float(sum(weight.numel() for weight in weights)),
            "parameters/trainable": float(sum(weight.numel() for weight in weights if weight.requires_grad)),
        }


def fit_share(
    trunk: Trunk,
    training: Training,
    transcripts: Transcripts,
    folder: Path,
    place: Place,
    log_epoch: Callable[[Mapping[str, float], int], None],
) -> None:
    """What one of several processes does."""
    learner = Learner(trunk, training.take(place), transcripts, folder, log_epoch)
    learner.run(learner.make_module())


def score(read: pd.DataFrame) -> dict[str, float]:
    """Error rates of the rows of :meth:`Learner.tabulate`, and of those whose text training did not have."""
    if read.empty:
        return {}
    scores = {f"val/{name}": rate for name, rate in measure(read).items()}
    scores["val/known_texts"] = float(read["known"].mean())
    if 0 < scores["val/known_texts"] < 1:
        scores |= {f"val/{name}_new_texts": rate for name, rate in measure(read[~read["known"]]).items()}
    return scores


def measure(read: pd.DataFrame) -> dict[str, float]:
    """Error rates of rows of :meth:`Learner.tabulate`."""
    return measure_errors(list(zip(read["text"], read["read"], strict=True)))
