"""Training a network with Lightning's Trainer: early stopping, best checkpoint, resume."""

from __future__ import annotations

import inspect
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.profilers import AdvancedProfiler, SimpleProfiler
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from ser.dataset.raters import check_votes
from ser.errors import InputError
from ser.head.data import Part, Workspace
from ser.training.batches import BatchOrder, make_loader
from ser.training.callbacks import BEST, LAST, make_callbacks
from ser.training.module import DimensionModule, EmotionModule
from ser.training.processes import ALONE, Place

if TYPE_CHECKING:
    from ser.fusion.network import FusedNetwork
    from ser.head.emotion_network import EmotionNetwork

log = logging.getLogger(__name__)
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler}
#: Lightning's strategies that a training can have; processes are started here, so those that start their own cannot.
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")


class Training:
    """How networks are trained.

    Args:
        optimizer: parameters to optimizer.
        scheduler: optimizer to scheduler, or ``None``.
        loss: gives the loss; one for emotions takes ``weight`` (of the classes), one for dimensions does not. One whose
            class says ``takes_shares`` is trained on votes of raters.
        seed: of batch order and dropout.
        max_epochs: at most this many.
        batch_size: clips in a batch (nearly: batches of an epoch are of equal size), of all devices together.
        early_stopping: arguments of Lightning's callback (``monitor``, ``mode``, ``patience``, ``min_delta``); its
            monitor also chooses the checkpoint; ``also``: further rules, with what is different in them. ``None``: no
            validation, the last epoch counts.
        num_workers: of the loaders.
        mixup: alpha of the mixing weights' Beta distribution; 0 mixes none.
        keep_checkpoints: weights of every so many steps (:class:`ser.training.callbacks.Snapshots`), or ``None``.
        devices: how many train together, or which; as Lightning takes them.
        strategy: one of :data:`STRATEGIES`.
        overfit: training loss at which to stop, where few clips are to be learnt by heart (``debug=overfit``).
        profiler: ``simple`` or ``advanced``: Lightning's, written into the folder of the checkpoints.
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
        keep_checkpoints: Mapping[str, Any] | None = None,
        devices: Any = 1,
        strategy: str = "auto",
        overfit: float | None = None,
        profiler: str | None = None,
        **lightning: Any,
    ) -> None:
        if strategy not in STRATEGIES or lightning.get("num_nodes", 1) != 1:
            raise InputError(
                f"trainer.strategy={strategy}, trainer.num_nodes={lightning.get('num_nodes', 1)}",
                expected=f"one of {', '.join(STRATEGIES)}, on one node",
                remedy="pass trainer.strategy=ddp to train on several devices",
            )
        if mixup < 0:
            raise InputError(f"trainer.mixup={mixup}", expected="0 (no mixing) or above; its paper uses 0.1 to 0.4")
        if profiler not in (None, *PROFILERS):
            raise InputError(f"trainer.profiler={profiler}", expected=", ".join(PROFILERS))
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
        self.keep_checkpoints = keep_checkpoints
        self.devices = devices
        self.strategy = strategy
        self.overfit = overfit
        self.profiler = profiler
        self.lightning = lightning
        self.place = ALONE
        self.told = False

    @property
    def takes_shares(self) -> bool:
        """Whether the loss compares with shares of raters in place of one emotion a clip."""
        return getattr(getattr(self.loss, "func", self.loss), "takes_shares", False)

    @cached_property
    def processes(self) -> int:
        """How many processes train, one a device.

        Raises:
            InputError: devices that are not there, a batch that cannot be divided among them.
        """
        if self.devices == 1 and self.strategy == "auto":
            return 1
        try:
            count = self.make_trainer(devices=self.devices, strategy=self.strategy).num_devices
        except (MisconfigurationException, ValueError) as error:
            raise InputError(f"trainer.devices={self.devices}: {error}", remedy="pass trainer.devices=1") from error
        if self.batch_size < count:
            raise InputError(
                f"trainer.batch_size={self.batch_size}: it is divided among {count} devices",
                expected=f"{count} or more",
            )
        return count

    def take(self, place: Place) -> Training:
        """The same training as one of several processes has it."""
        mine = copy(self)
        mine.place = place
        return mine

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
        self.processes  # noqa: B018 - raises where devices are not there
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
        network: EmotionNetwork | FusedNetwork,
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
        settings: dict[str, Any] = {"workers": self.num_workers, "place": self.place, "encode": network.encode_text}
        order = make_loader(
            train, emotions, network.rate, self.batch_size, self.seed, shares=self.takes_shares, **settings
        )
        known = validation if validation is None or train.dimensions else take_known(validation, emotions)
        check = None if known is None else make_loader(known, emotions, network.rate, self.batch_size, **settings)
        last = workspace.folder / f"{LAST}.ckpt"
        if last.is_file():
            # Lightning asks for the batches of a resumed training before it tells their order which epoch it is.
            assert isinstance(order.batch_sampler, BatchOrder)
            order.batch_sampler.set_epoch(torch.load(last, weights_only=True)["epoch"] + 1)
        module = self.make_module(network, weights, train.dimensions, workspace, groups)
        trainer = self.build_trainer(workspace, check is not None)
        if self.place.count > 1:
            self.place.join(trainer.strategy.root_device.type)
        with warnings.catch_warnings(), pass_interrupts():
            # Lightning advises on workers and logging intervals; both are settled in the configuration.
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            trainer.fit(module, order, check, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        if self.place.count > 1:
            self.place.leave()
        self.take_up(network, workspace.folder, check is not None)

    def make_module(
        self,
        network: EmotionNetwork | FusedNetwork,
        weights: Tensor | None,
        dimensions: Sequence[str],
        workspace: Workspace,
        groups: Callable[[float], list[dict[str, Any]]],
    ) -> EmotionModule:
        """What Lightning trains; see :meth:`fit`."""
        heard = workspace.augmentation if workspace.trunk.trains_on_sound else None
        optimizer = partial(self.build_optimizer, groups)
        policy = workspace.trunk.policy
        settings = (optimizer, policy, self.scheduler, self.seed, heard, self.mixup, self.place)
        if dimensions:
            return DimensionModule(dimensions, network, self.loss(), *settings)
        return EmotionModule(network, self.loss(weight=weights), *settings)

    def log_padding(self, train: Part) -> None:
        """Say once how much of what a trained backbone computes is padding; folds differ little."""
        if not self.told:
            self.told = True
            share = BatchOrder(train.samples, self.batch_size, self.seed).measure_padding()
            log.info("padding is %.1f %% of the batches of an epoch", 100 * share)

    def take_up(self, network: EmotionNetwork | FusedNetwork, folder: Path, validated: bool) -> None:
        """Give the network the weights of the chosen epoch."""
        state = torch.load(folder / f"{BEST if validated else LAST}.ckpt", weights_only=True)["state_dict"]
        network.load_weights({k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")})

    def build_optimizer(self, groups: Callable[[float], list[dict[str, Any]]]) -> torch.optim.Optimizer:
        """The optimizer over groups of weights, which start from its own learning rate."""
        bound = inspect.signature(self.optimizer).parameters.get("lr")
        if bound is None or bound.default is inspect.Parameter.empty:
            raise InputError("optimizer: it has no learning rate", remedy="pass optimizer.lr=…")
        return self.optimizer(groups(float(bound.default)))

    def build_trainer(self, workspace: Workspace, validates: bool) -> pl.Trainer:
        """A Trainer that logs to the run, keeps its last epoch and, with validation, its best."""
        stopping = self.early_stopping if validates else None
        callbacks = make_callbacks(workspace, stopping, self.keep_checkpoints, self.overfit)
        settings: dict[str, Any] = {"devices": self.devices}
        if self.profiler is not None:
            settings |= {"profiler": PROFILERS[self.profiler](workspace.folder, "profile")}
        if self.place.count > 1:
            # Weights that get no gradient for a while (finetune=head_then_full) are no mistake.
            unused = "ddp_find_unused_parameters_true"
            strategy = unused if self.strategy in ("auto", "ddp") else self.strategy
            settings |= {"strategy": strategy, "plugins": [LightningEnvironment()]}
        elif self.processes > 1:
            raise InputError(f"trainer.devices={self.devices}: this trains on one device", remedy="trainer.devices=1")
        return self.make_trainer(
            max_epochs=self.max_epochs, callbacks=callbacks, default_root_dir=workspace.folder, **settings
        )

    def make_trainer(self, **settings: Any) -> pl.Trainer:
        """Lightning's Trainer, silent but for its progress."""
        return pl.Trainer(
            logger=False,
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # BatchOrder divides batches
            **settings,
            **self.lightning,
        )


def take_known(validation: Part, emotions: Sequence[str]) -> Part:
    """Clips with emotions that the training part has.

    Raises:
        InputError: there are none.
    """
    known = validation.take(np.flatnonzero(np.isin(validation.emotions, emotions)))
    if not len(known):
        raise InputError(
            "the validation part has none of the emotions of the training part",
            expected=", ".join(emotions),
            remedy="another split.seed, a larger split.validation_share, or trainer.early_stopping=null",
        )
    return known


@contextmanager
def pass_interrupts() -> Iterator[None]:
    """Let Ctrl-C through as what it is; Lightning turns it into an exit."""
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
