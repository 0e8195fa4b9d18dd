"""The Lightning module: one network, its loss and its optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ser import metrics, regression
from ser.augmentation.mixup import Mixed, mix
from ser.errors import InputError
from ser.head.pair import Pair
from ser.training.batches import Batch
from ser.training.processes import ALONE, Place

if TYPE_CHECKING:
    from ser.augmentation.base import Augmentation
    from ser.finetune.base import Policy
    from ser.fusion.network import FusedNetwork
    from ser.head.emotion_network import EmotionNetwork


class EmotionModule(pl.LightningModule):
    """Training and validation of a classifier.

    Args:
        network: inputs and lengths to logits.
        loss: logits [B, K] and targets, [B] in validation and [B] or shares [B, K] in training, to a number.
        optimizer: gives the optimizer of all weights that are ever trained.
        policy: of fine-tuning the backbone.
        scheduler: optimizer to scheduler; ``None`` for a constant rate. It is stepped once an epoch, or with every step
            of the optimizer if it takes ``total_steps``, which it is then given.
        seed: of dropout, with the epoch, so that a resumed training draws what an uninterrupted one would.
        augmentation: varies the waveforms of every training batch; ``None`` for none, and with functionals.
        mixup: alpha of the mixing weights' Beta distribution; 0 mixes none.
        place: of several processes that train together, this one.
    """

    def __init__(
        self,
        network: EmotionNetwork | FusedNetwork,
        loss: nn.Module,
        optimizer: Callable[[], torch.optim.Optimizer],
        policy: Policy,
        scheduler: Callable[[torch.optim.Optimizer], Any] | None,
        seed: int,
        augmentation: Augmentation | None = None,
        mixup: float = 0.0,
        place: Place = ALONE,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.make_optimizer = optimizer
        self.policy = policy
        self.make_scheduler = scheduler
        self.seed = seed
        self.augmentation = augmentation
        self.mixup = mixup
        self.place = place
        self._scores: dict[str, float] = {}
        self._rate = 0.0
        self._losses: dict[str, list[tuple[float, int]]] = {"train": [], "val": []}
        self._pairs: list[tuple[Tensor, Tensor]] = []

    def configure_optimizers(self) -> Any:
        """Optimizer and scheduler over all parameters that are trained.

        Raises:
            InputError: a scheduler that watches the validation, where there is none.
        """
        optimizer = self.make_optimizer()
        if self.make_scheduler is None:
            return optimizer
        settings: dict[str, Any] = {}
        given: dict[str, Any] = {}
        if makes(self.make_scheduler, ReduceLROnPlateau):
            watched = self.trainer.early_stopping_callback
            if watched is None:
                raise InputError(
                    "scheduler: it watches what early stopping watches, but nothing is validated",
                    remedy="choose another scheduler, or trainer.early_stopping",
                )
            settings["monitor"], given["mode"] = watched.monitor, watched.mode
        total = inspect.signature(self.make_scheduler).parameters.get("total_steps")
        if total is not None:
            settings["interval"] = "step"
            if total.default in (None, inspect.Parameter.empty):
                given["total_steps"] = int(self.trainer.estimated_stepping_batches)
        scheduler = self.make_scheduler(optimizer, **given)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, **settings}}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a scheduler, unless it watches a score.

        Lightning steps those after it has written the checkpoint of the epoch, so that a resumed training would be a
        step behind; :class:`ser.training.callbacks.EpochLog` steps them before.
        """
        if metric is None:
            scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out weights that stay as the backbone's checkpoint has them."""
        for name in self.network.untrained:
            checkpoint["state_dict"].pop(f"network.{name}", None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put them back."""
        state = self.network.state_dict()
        checkpoint["state_dict"].update({f"network.{name}": state[name] for name in self.network.untrained})

    def on_train_epoch_start(self) -> None:
        """Seed what the epoch draws."""
        torch.manual_seed(self.seed + 1_000_003 * self.current_epoch + 7_919 * self.place.rank)
        if self.network.backbone is not None:
            self.policy.begin_epoch(self.network.backbone, self.current_epoch)
        self._scores = {}
        self._losses["train"].clear()
        self._rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of a training batch."""
        if self.augmentation is not None:
            batch = self.vary(self.augmentation, batch, index)
        if self.mixup:
            generator = self.make_generator(index, 1)
            loss = self.find_mixed_loss(mix(batch.inputs, batch.lengths, batch.targets, self.mixup, generator))
        else:
            targets = self.encode(batch.targets)
            losses = [self.loss(said, targets) for said in self.network.list_outputs(batch.inputs, batch.lengths)]
            loss = torch.stack(losses).sum()
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the training loss is {loss.item()} in epoch {self.current_epoch}; lower optimizer.lr or "
                "trainer.gradient_clip_val"
            )
        self._losses["train"].append((loss.item(), len(batch.targets)))
        return loss

    def vary(self, augmentation: Augmentation, batch: Batch, index: int) -> Batch:
        """The batch as this epoch hears it; the draw depends on seed, epoch and place alone."""
        draw = self.make_generator(index, 0)
        paired = isinstance(batch.inputs, Pair)  # what is said in a clip stays as it is
        heard, samples = (batch.inputs.audio, batch.lengths.audio) if paired else (batch.inputs, batch.lengths)
        made = augmentation.augment(heard, samples, int(self.network.rate), draw)
        sources = made.sources.to(batch.targets.device)
        inputs: Any = Pair(made.waveforms, batch.inputs.text[sources]) if paired else made.waveforms
        lengths: Any = Pair(made.lengths, batch.lengths.text[sources]) if paired else made.lengths
        clips = tuple(batch.clips[source] for source in sources.tolist())
        return Batch(inputs, lengths, batch.targets[sources], clips)

    def make_generator(self, index: int, purpose: int) -> torch.Generator:
        """What a training batch draws from, so that a resumed epoch draws what an uninterrupted one would."""
        share = index * self.place.count + self.place.rank
        entropy = np.random.SeedSequence([self.seed, self.current_epoch, share, purpose]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(entropy[0] >> 1))

    def find_mixed_loss(self, mixed: Mixed) -> Tensor:
        """Loss of sums of two clips: shares and ratings are added up in their proportion, losses of emotions are."""
        outputs = self.network(mixed.inputs, mixed.lengths)
        if mixed.targets.is_floating_point():
            return self.loss(outputs, mixed.blend(self.encode(mixed.targets), self.encode(mixed.partners)))
        each = copy(self.loss)
        each.reduction = "none"  # type: ignore[assignment]
        return mixed.blend(each(outputs, mixed.targets), each(outputs, mixed.partners)).mean()

    def encode(self, targets: Tensor) -> Tensor:
        """Targets as the loss takes them."""
        return targets

    @staticmethod
    def list_scores(dimensions: Sequence[str]) -> dict[str, str]:  # noqa: ARG004 - modules are alike
        """What validation measures, and whether its best is ``max`` or ``min``."""
        return {"val/loss": "min", "val/uar": "max", "val/wa": "max"}

    def summarise_epoch(self) -> dict[str, float]:
        """Metrics of the epoch: mean training loss, the rate it began with, and those of its validation."""
        losses = self.place.gather(self._losses["train"])
        return {"train/loss": mean_loss(losses), "train/lr": self._rate, **self._scores}

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch; all processes validate the network that the first one would save."""
        self._pairs.clear()
        self._losses["val"].clear()
        if self.place.count > 1:  # each has batch statistics of its own
            for statistic in self.buffers():
                torch.distributed.broadcast(statistic, 0)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect loss and predictions of a validation batch."""
        logits = self.network(batch.inputs, batch.lengths)
        self._losses["val"].append((self.loss(logits, batch.targets).item(), len(batch.targets)))
        self._pairs.append((batch.targets.cpu(), logits.argmax(-1).cpu()))

    def on_validation_epoch_end(self) -> None:
        """UAR and loss of the validation part; what early stopping watches."""
        pairs = self.place.gather(self._pairs)
        true, predicted = (torch.cat(column).numpy() for column in zip(*pairs, strict=True))
        classes = int(max(true.max(), predicted.max())) + 1
        counts = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(counts, (true, predicted), 1)
        scores = {
            "val/loss": mean_loss(self.place.gather(self._losses["val"])),
            "val/uar": float(metrics.uar(counts)),
            "val/wa": float(metrics.wa(counts)),
        }
        self.log_dict(scores)
        self._scores = scores


class DimensionModule(EmotionModule):
    """Training and validation of a regressor; its network has a ``target_scale``.

    Args:
        dimensions: names of the network's outputs.
        others: those of :class:`EmotionModule`; the loss takes standardised values [B, D] twice.
    """

    def __init__(self, dimensions: Sequence[str], *others: Any) -> None:
        super().__init__(*others)
        self.dimensions = tuple(dimensions)

    @property
    def scale(self) -> Any:
        """From ratings to what the network predicts, and back."""
        return self.network.target_scale

    def encode(self, targets: Tensor) -> Tensor:
        """Ratings on the network's scale."""
        return self.scale.encode(targets)

    @staticmethod
    def list_scores(dimensions: Sequence[str]) -> dict[str, str]:
        """What validation measures, and whether its best is ``max`` or ``min``."""
        each = {f"val/ccc/{dimension}": "max" for dimension in dimensions}
        return {"val/loss": "min", "val/ccc": "max", "val/mae": "min", **each}

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect a validation batch."""
        outputs = self.network(batch.inputs, batch.lengths)
        self._pairs.append((batch.targets.cpu(), outputs.float().cpu()))

    def on_validation_epoch_end(self) -> None:
        """Loss, CCC and mean absolute error of the validation part as a whole: batch means of a CCC are not its CCC."""
        pairs = self.place.gather(self._pairs)
        targets, outputs = (torch.cat(column).to(self.device) for column in zip(*pairs, strict=True))
        sums = regression.sum_clips(targets.cpu().numpy(), self.scale.decode(outputs).cpu().numpy())
        ccc = regression.ccc(sums)
        scores = {
            "val/loss": float(self.loss(outputs, self.encode(targets))),
            "val/ccc": float(ccc.mean()),
            "val/mae": float(regression.mae(sums).mean()),
            **{f"val/ccc/{name}": float(value) for name, value in zip(self.dimensions, ccc, strict=True)},
        }
        self.log_dict(scores)
        self._scores = scores


def makes(factory: Callable[..., Any], kind: type) -> bool:
    """Whether a class, or a class with some of its arguments, is of a kind."""
    made = getattr(factory, "func", factory)
    return isinstance(made, type) and issubclass(made, kind)


def mean_loss(losses: list[tuple[float, int]]) -> float:
    """Mean over clips of batch means."""
    values, sizes = zip(*losses, strict=True)
    return float(np.average(values, weights=sizes))
