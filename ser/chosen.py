"""The objects that a configuration names, put together and checked before any data is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.cache import AudioCache
from ser.audio.prepare import Preparation
from ser.backbone.fusion import Fusion
from ser.dataset.target import list_dimensions
from ser.errors import InputError
from ser.gather import make_augmentation
from ser.head.data import Head
from ser.head.fused_trunk import fuse
from ser.head.reading import Reading
from ser.head.trunk import Trunk
from ser.language.start import Language
from ser.tracking.tracker import Tracker

if TYPE_CHECKING:
    from ser.augmentation.base import Augmentation
    from ser.training.fit import Training


@dataclass(frozen=True)
class Choices:
    """The objects that a configuration names."""

    trunk: Trunk
    language: Language
    head: Head
    training: Training | None
    augmentation: Augmentation | None
    preparation: Preparation
    tracker: Tracker

    @classmethod
    def build(cls, config: DictConfig) -> Choices:
        """Instantiate and check what needs no data; raises InputError where choices do not go together."""
        if config.class_weight not in ("none", "balanced"):
            raise InputError(f"class_weight={config.class_weight}", expected="none or balanced")
        trunk = build_trunk(config)
        head = instantiate(config.head, class_weight=config.class_weight)
        head.check(trunk)
        dimensions = list_dimensions(config.dataset.target)
        head.check_target(dimensions)
        training = build_training(config) if head.uses_trainer else None
        if training is not None:
            training.check_target(dimensions)
        augmentation = make_augmentation(config)
        trunk.check_training(augmentation, training)
        tracker = instantiate(config.tracking)
        tracker.connect()
        cache = AudioCache(Path(config.paths.cache) / "audio")
        preparation = replace(instantiate(config.audio), cache=cache)
        language = instantiate(config.language)
        return cls(trunk, language, head, training, augmentation, preparation, tracker)


def build_trunk(config: DictConfig) -> Trunk:
    """What lies under the head, as config groups ``backbone``, ``fusion``, ``finetune`` and ``pooling`` say."""
    backbone, policy = instantiate(config.backbone), instantiate(config.finetune)
    pooling = instantiate(config.pooling)
    if isinstance(backbone, Fusion):
        trunk = fuse(backbone, instantiate(config.fusion), policy, pooling)
    else:
        trunk = Trunk(backbone, policy, Reading.choose(backbone, pooling))
    trunk.check()
    return trunk


def build_training(config: DictConfig) -> Training:
    """Trainer settings with the optimizer, scheduler and loss they use."""
    return instantiate(
        config.trainer,
        optimizer=instantiate(config.optimizer),
        scheduler=instantiate(config.scheduler) or None,
        loss=instantiate(config.loss),
        seed=config.seed,
    )
