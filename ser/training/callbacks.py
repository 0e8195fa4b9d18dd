"""What happens in a training beside the training: logging, stopping, checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ser.errors import InputError
from ser.training.module import EmotionModule

if TYPE_CHECKING:
    from ser.head.data import Workspace

log = logging.getLogger(__name__)

BEST, LAST = "best", "last"
#: Where weights of every so many steps are kept, in the folder with the checkpoints.
STEPS = "steps"


class EpochLog(Callback):
    """Hands the metrics of each epoch to the run, and to schedulers that watch them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log; the validation of the epoch lies before this."""
        assert isinstance(pl_module, EmotionModule)
        scores = pl_module.summarise_epoch()  # of all processes
        if trainer.is_global_zero:
            self.workspace.log_epoch(scores, trainer.current_epoch)
        for config in trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau) and config.monitor in scores:
                config.scheduler.step(scores[config.monitor])


class Stopping(EarlyStopping):
    """Stops as the configuration says, also where a training goes on that was begun with more or less patience.

    Args:
        number: tells several rules of a training apart.
        others: those of Lightning's callback.
    """

    def __init__(self, number: int, **others: Any) -> None:
        super().__init__(**others)
        self.number = number

    @property
    def state_key(self) -> str:
        """Under which a checkpoint keeps the state."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode, number=self.number)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Do not begin another epoch of a training that had stopped."""
        if self.wait_count >= self.patience:
            log.info("early stopping had ended this training; more patience lets it go on")
            trainer.should_stop = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up how long nothing got better, but not the patience."""
        super().load_state_dict({**state_dict, "patience": self.patience})


def make_rules(stopping: Mapping[str, Any]) -> list[Callback]:
    """Early stopping by one rule, and by what ``also`` adds: the first to be met ends the training."""
    first = {str(name): value for name, value in stopping.items() if name != "also"}
    rules = [first, *({**first, **rule} for rule in stopping.get("also") or ())]
    return [Stopping(number, **rule) for number, rule in enumerate(rules)]


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


class Snapshots(Callback):
    """Keeps the weights of every so many optimizer steps, for studies of how layers change.

    They are what a model keeps (:meth:`ser.head.emotion_network.EmotionNetwork.select_weights`), without the state of
    the training, so that :meth:`ser.head.network.NetworkHead.load` reads them.

    Args:
        folder: for ``step-000050.ckpt`` and so on.
        every_n_steps: steps between two.
        max: how many of the last are kept; ``None`` for all.
    """

    def __init__(self, folder: Path, every_n_steps: int, max: int | None = None) -> None:
        for name, value in (("every_n_steps", every_n_steps), ("max", max)):
            if not (value is None and name == "max") and (not isinstance(value, int) or value < 1):
                raise InputError(f"trainer.keep_checkpoints.{name}={value}", expected="a number of 1 or more")
        self.folder = folder
        self.every = every_n_steps
        self.most = max
        self.written = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Leave to this training what an interrupted one did after its last epoch."""
        if trainer.is_global_zero:
            for path in self.find():
                if find_step(path) > trainer.global_step:
                    path.unlink()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Keep the weights if it is time; batches whose gradients only add up are no steps."""
        step = trainer.global_step
        if step % self.every or step == self.written or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, EmotionModule)
        self.written = step
        save_weights(pl_module.network.select_weights(), self.folder / f"step-{step:06d}.ckpt")
        for path in self.find()[: -self.most] if self.most else ():
            path.unlink()

    def find(self) -> list[Path]:
        """Files there are, by step."""
        return sorted(self.folder.glob("step-*.ckpt"), key=find_step)


def find_step(path: Path) -> int:
    """The step of ``step-000050.ckpt``."""
    return int(path.stem.partition("-")[2])


def save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(dict(weights), temporary)
    temporary.replace(path)


class Overfit(Callback):
    """Stops where the training loss is nearly zero, and warns where it never gets there.

    Args:
        loss: that is near enough to zero.
    """

    def __init__(self, loss: float) -> None:
        self.loss = loss
        self.least = float("inf")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the loss of the epoch."""
        assert isinstance(pl_module, EmotionModule)
        self.least = min(self.least, pl_module.summarise_epoch()["train/loss"])
        trainer.should_stop = trainer.should_stop or self.least <= self.loss

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Say what came of it."""
        if self.least <= self.loss:
            log.info("the training loss fell to %.3g in %d epochs", self.least, trainer.current_epoch)
            return
        log.warning(
            "the training loss fell to %.3g and no further in %d epochs, although there are few clips: raise "
            "optimizer.lr, lower dropout, or look for what keeps the network from learning (smoothed labels, mixup and "
            "augmentation keep any loss above zero)",
            self.least,
            trainer.current_epoch,
        )


def make_callbacks(
    workspace: Workspace,
    stopping: Mapping[str, Any] | None,
    keep: Mapping[str, Any] | None,
    overfit: float | None = None,
) -> Sequence[Callback]:
    """All of them, in the order in which they must act.

    Args:
        workspace: folder for checkpoints, and where epochs are logged.
        stopping: ``trainer.early_stopping`` where there is a validation part; its monitor chooses the best epoch.
        keep: ``trainer.keep_checkpoints``.
        overfit: ``trainer.overfit``.
    """
    callbacks: list[Callback] = [EpochLog(workspace)]
    if overfit is not None:
        callbacks.append(Overfit(overfit))
    if keep is not None:
        callbacks.append(Snapshots(workspace.folder / STEPS, **keep))
    if stopping is not None:
        callbacks += [*make_rules(stopping), keep_checkpoint(workspace, BEST, stopping["monitor"], stopping["mode"])]
    return [*callbacks, keep_checkpoint(workspace, LAST)]  # after the best, whose state it holds
