"""Training a network with Lightning's Trainer: early stopping, best checkpoint, resume."""

from __future__ import annotations

import inspect
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor, nn

from ser.dataset.raters import check_votes
from ser.errors import InputError
from ser.head.data import Part, Workspace
from ser.training.batches import BatchOrder, make_loader
from ser.training.module import DimensionModule, EmotionModule

if TYPE_CHECKING:
    from ser.head.emotion_network import EmotionNetwork

log = logging.getLogger(__name__)
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
BEST, LAST = "best", "last"


class Training:
    """How networks are trained.

    Args:
        optimizer: parameters to optimizer.
        scheduler: optimizer to scheduler, or ``None``.
        loss: gives the loss; one for emotions takes ``weight`` (of the classes), one for dimensions does not. One whose
            class says ``takes_shares`` is trained on votes of raters.
        seed: of batch order and dropout.
        max_epochs: at most this many.
        batch_size: clips in a batch (nearly: batches of an epoch are of equal size).
        early_stopping: arguments of Lightning's callback (``monitor``, ``mode``, ``patience``, ``min_delta``); its
            monitor also chooses the checkpoint. ``None``: no validation, the last epoch counts.
        num_workers: of the loaders.
        mixup: alpha of the mixing weights' Beta distribution; 0 mixes none.
        lightning: everything else goes to Lightning's Trainer.
    """

    def __init__(
        self,
        optimizer: Callable[[Any], torch.optim.Optimizer],
        scheduler: Callable[[torch.optim.Optimizer], Any] | None,
        loss: Callable[..., nn.Module],
        seed: int,
        max_epochs: int,
        batch_size: int = 32,
        early_stopping: Mapping[str, Any] | None = None,
        num_workers: int = 0,
        mixup: float = 0.0,
        **lightning: Any,
    ) -> None:
        if mixup < 0:
            raise InputError(f"trainer.mixup={mixup}", expected="0 (no mixing) or above; its paper uses 0.1 to 0.4")
        if max_epochs < 1 or batch_size < 1:
            raise InputError(f"trainer.max_epochs={max_epochs}, trainer.batch_size={batch_size}: both must be positive")
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.loss = loss
        self.seed = seed
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.num_workers = num_workers
        self.mixup = mixup
        self.lightning = lightning

    @property
    def takes_shares(self) -> bool:
        """Whether the loss compares with shares of raters in place of one emotion a clip."""
        return getattr(getattr(self.loss, "func", self.loss), "takes_shares", False)

    def check_clips(self, frame: pd.DataFrame, emotions: Sequence[str]) -> None:
        """Refuse training clips that have not what the loss compares with.

        Args:
            frame: manifest rows of all clips that train.
            emotions: those to be told apart.

        Raises:
            InputError: no votes of raters, where the loss needs them.
        """
        if self.takes_shares:
            check_votes(frame, emotions)

    def check_target(self, dimensions: Sequence[str]) -> None:
        """Refuse a loss or a monitor that does not go with these dimensions; none means emotions.

        Raises:
            InputError: with those that do.
        """
        for_emotions = "weight" in inspect.signature(self.loss).parameters
        if for_emotions == bool(dimensions):
            name = getattr(self.loss, "func", self.loss).__name__
            target, choices = ("numbers", "ccc or loss=mse") if dimensions else ("emotions", "cross_entropy")
            raise InputError(
                f"loss with {name}: it does not compare {target}",
                expected=f"a loss for {target}",
                remedy=f"pass loss={choices}",
            )
        if self.early_stopping is None:
            return
        modes = (DimensionModule if dimensions else EmotionModule).list_scores(dimensions)
        monitor, mode = self.early_stopping.get("monitor"), self.early_stopping.get("mode")
        if monitor not in modes:
            main = "val/ccc" if dimensions else "val/uar"
            raise InputError(
                f"trainer.early_stopping.monitor={monitor}: not measured for this target",
                expected=", ".join(modes),
                remedy=f"pass trainer.early_stopping.monitor={main}",
            )
        if mode != modes[monitor]:
            raise InputError(
                f"trainer.early_stopping.mode={mode}: would keep the worst epoch by {monitor}",
                remedy=f"pass trainer.early_stopping.mode={modes[monitor]}",
            )

    def fit(
        self,
        network: EmotionNetwork,
        emotions: Sequence[str],
        weights: Tensor | None,
        train: Part,
        validation: Part | None,
        workspace: Workspace,
        groups: Callable[[float], list[dict[str, Any]]],
    ) -> None:
        """Train a network in place; an interrupted training in the workspace's folder goes on.

        Args:
            network: with fresh weights; leaves with the chosen ones.
            emotions: its classes; none where the parts have targets.
            weights: of the classes in the loss.
            train: clips that train.
            validation: clips that stop the training and choose the epoch.
            workspace: folder for checkpoints, and where epochs are logged.
            groups: learning rate to what the optimizer is given.
        """
        self.check_target(train.dimensions)
        workers, shares = self.num_workers, self.takes_shares
        order = make_loader(train, emotions, network.rate, self.batch_size, self.seed, workers, shares)
        check = None
        if validation is not None:
            known = validation
            if not train.dimensions:
                known = validation.take(np.flatnonzero(np.isin(validation.emotions, emotions)))
            if not len(known):
                raise InputError(
                    "the validation part has none of the emotions of the training part",
                    expected=", ".join(emotions),
                    remedy="another split.seed, a larger split.validation_share, or trainer.early_stopping=null",
                )
            check = make_loader(known, emotions, network.rate, self.batch_size, workers=workers)
        last = workspace.folder / f"{LAST}.ckpt"
        if last.is_file():
            # Lightning asks for the batches of a resumed training before it tells their order which epoch it is.
            assert isinstance(order.batch_sampler, BatchOrder)
            order.batch_sampler.set_epoch(torch.load(last, weights_only=True)["epoch"] + 1)
        heard = workspace.augmentation if network.backbone is not None else None
        optimizer = partial(self.build_optimizer, groups)
        settings = (optimizer, workspace.trunk.policy, self.scheduler, self.seed, heard, self.mixup)
        if train.dimensions:
            module: EmotionModule = DimensionModule(train.dimensions, network, self.loss(), *settings)
        else:
            module = EmotionModule(network, self.loss(weight=weights), *settings)
        trainer = self.build_trainer(workspace, check is not None)
        with warnings.catch_warnings(), pass_interrupts():
            # Lightning advises on workers and logging intervals; both are settled in the configuration.
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            trainer.fit(module, order, check, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        chosen = workspace.folder / f"{BEST if check is not None else LAST}.ckpt"
        state = torch.load(chosen, weights_only=True)["state_dict"]
        network.load_weights({k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")})

    def build_optimizer(self, groups: Callable[[float], list[dict[str, Any]]]) -> torch.optim.Optimizer:
        """The optimizer over groups of weights, which start from its own learning rate."""
        bound = inspect.signature(self.optimizer).parameters.get("lr")
        if bound is None or bound.default is inspect.Parameter.empty:
            raise InputError("optimizer: it has no learning rate", remedy="pass optimizer.lr=…")
        return self.optimizer(groups(float(bound.default)))

    def build_trainer(self, workspace: Workspace, validates: bool) -> pl.Trainer:
        """A Trainer that logs to the run, keeps its last epoch and, with validation, its best."""
        stopping = dict(self.early_stopping or {})
        callbacks: list[Callback] = [EpochLog(workspace)]
        if validates:
            best = keep_checkpoint(workspace, BEST, stopping["monitor"], stopping["mode"])
            callbacks += [EarlyStopping(**stopping), best]
        callbacks.append(keep_checkpoint(workspace, LAST))  # after the best, whose state it holds
        return pl.Trainer(
            max_epochs=self.max_epochs,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=workspace.folder,
            **self.lightning,
        )


class Checkpoint(ModelCheckpoint):
    """Knows the best epoch after its folder was moved; Lightning's own forgets its score, and the next epoch wins."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state up with its paths in the present folder."""

        def move(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {name: move(path) for name, path in state_dict.items() if name.endswith("_model_path")}
        best = {move(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": best, "dirpath": self.dirpath})


def keep_checkpoint(workspace: Workspace, name: str, monitor: str | None = None, mode: str = "min") -> ModelCheckpoint:
    """Write one checkpoint at the end of an epoch: of every epoch, or of the best by a monitor."""
    return Checkpoint(
        workspace.folder, name, monitor=monitor, mode=mode, save_on_train_epoch_end=True, enable_version_counter=False
    )


@contextmanager
def pass_interrupts() -> Iterator[None]:
    """Let Ctrl-C through as what it is; Lightning turns it into an exit."""
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


class EpochLog(Callback):
    """Hands the metrics of each epoch to the run."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log; the validation of the epoch lies before this."""
        assert isinstance(pl_module, EmotionModule)
        self.workspace.log_epoch(pl_module.summarise_epoch(), trainer.current_epoch)
