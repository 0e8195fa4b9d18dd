"""Training a recogniser, and what it then reads."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ser.fold import HISTORY, append_history, read_history
from ser.head.data import Workspace
from ser.head.trunk import Trunk
from ser.language.recognition import CTC, RecognitionModule, Recogniser, TranscribedClips, make_loader, measure_errors
from ser.language.texts import Vocabulary
from ser.language.transcripts import Transcripts
from ser.training.batches import BatchOrder
from ser.training.fit import BEST, LAST, Training, pass_interrupts

log = logging.getLogger(__name__)
FOLD = "ctc"


class Learner:
    """Fits a recogniser to transcribed speech.

    Args:
        trunk: the backbone, and which of its weights are trained.
        training: how.
        transcripts: who says what.
        folder: for checkpoints; an interrupted training in it goes on.
        log_metrics: takes metrics and an epoch.
    """

    def __init__(
        self,
        trunk: Trunk,
        training: Training,
        transcripts: Transcripts,
        folder: Path,
        log_metrics: Callable[[Mapping[str, float], int], None],
    ) -> None:
        self.trunk = trunk
        self.training = training
        self.folder = folder
        self.log_metrics = log_metrics
        self.train, self.validation = transcripts.take("train"), transcripts.take("validation")
        self.texts = dict(zip(transcripts.frame["clip"], transcripts.frame["text"], strict=True))
        self.vocabulary = Vocabulary.build(self.train.frame["text"])
        self.module: RecognitionModule

    def fit(self) -> tuple[Recogniser, pd.DataFrame]:
        """Train; returns the recogniser of the chosen epoch and what it reads (:meth:`tabulate`)."""
        torch.manual_seed(self.training.seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        recogniser = Recogniser(self.trunk.policy.apply(self.trunk.backbone.build()), len(self.vocabulary))
        validates = len(self.validation) > 0
        order = self.make_loader(self.train, recogniser.rate, self.training.seed)
        check = self.make_loader(self.validation, recogniser.rate) if validates else None
        self.module = self.make_module(recogniser)
        trainer = self.training.build_trainer(
            Workspace(self.folder, self.trunk, self.training, self.log_epoch), validates
        )
        last = self.folder / f"{LAST}.ckpt"
        if last.is_file():
            # Lightning asks for the batches of a resumed training before it tells their order which epoch it is.
            assert isinstance(order.batch_sampler, BatchOrder)
            order.batch_sampler.set_epoch(torch.load(last, weights_only=True)["epoch"] + 1)
        with warnings.catch_warnings(), pass_interrupts():
            # Lightning advises on workers and logging intervals; both are settled in the configuration.
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            trainer.fit(self.module, order, check, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
            chosen = torch.load(self.folder / f"{BEST if validates else LAST}.ckpt", weights_only=True)["state_dict"]
            prefix = "network."
            recogniser.load_weights({k.removeprefix(prefix): v for k, v in chosen.items() if k.startswith(prefix)})
            if check is not None:
                trainer.validate(self.module, check, verbose=False)
        return recogniser.cpu().eval(), self.tabulate()

    def make_loader(self, part: Any, rate: int, seed: int | None = None) -> Any:
        """Batches of one part with texts as numbers."""
        clips = TranscribedClips(part, [self.vocabulary.encode(text) for text in part.frame["text"]], rate)
        return make_loader(clips, self.training.batch_size, seed, self.training.num_workers)

    def make_module(self, recogniser: Recogniser) -> RecognitionModule:
        """What Lightning trains."""

        def group(lr: float) -> list[dict[str, Any]]:
            below = self.trunk.policy.group_parameters(recogniser.backbone, lr)  # type: ignore[arg-type]
            return [*map(dict, below), {"params": list(recogniser.layers.parameters()), "lr": lr}]

        optimizer = partial(self.training.build_optimizer, group)
        settings = (optimizer, self.trunk.policy, self.training.scheduler, self.training.seed)
        return RecognitionModule(self.texts, self.vocabulary, recogniser, CTC(), *settings)

    def log_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Write an epoch down."""
        append_history(self.folder / HISTORY, FOLD, epoch, metrics)
        self.log_metrics(metrics, epoch)

    def read_history(self) -> pd.DataFrame:
        """Metrics of all epochs."""
        return read_history(self.folder / HISTORY)

    def tabulate(self) -> pd.DataFrame:
        """Validation clips with ``text``, ``read`` and ``known`` (whether training had the text); empty without any."""
        read = self.module.read
        frame = self.validation.frame.set_index("clip").loc[list(read)]
        known = frame["text"].isin(self.train.frame["text"])
        table = frame[["dataset", "speaker", "text"]].assign(read=list(read.values()), known=known)
        return table.reset_index().sort_values("clip", ignore_index=True)

    def score(self, read: pd.DataFrame) -> dict[str, float]:
        """Error rates of the validation part, and of its clips whose text training did not have."""
        if read.empty:
            return {}
        scores = {f"val/{name}": rate for name, rate in measure(read).items()}
        scores["val/known_texts"] = float(read["known"].mean())
        if 0 < scores["val/known_texts"] < 1:
            scores |= {f"val/{name}_new_texts": rate for name, rate in measure(read[~read["known"]]).items()}
        return scores

    def count(self) -> dict[str, float]:
        """Sizes: clips, characters, parameters."""
        weights = list(self.module.network.parameters())
        return {
            "clips/train": float(len(self.train)),
            "clips/validation": float(len(self.validation)),
            "clips/left_out": float(self.module.loss.left_out),
            "characters": float(len(self.vocabulary.characters)),
            "parameters/total": float(sum(weight.numel() for weight in weights)),
            "parameters/trainable": float(sum(weight.numel() for weight in weights if weight.requires_grad)),
        }


def measure(read: pd.DataFrame) -> dict[str, float]:
    """Error rates of rows of :meth:`Learner.tabulate`."""
    return measure_errors(list(zip(read["text"], read["read"], strict=True)))
