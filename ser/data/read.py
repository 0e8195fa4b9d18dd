"""The usable clips of a corpus, each file read once."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.inspect import drop_bad_clips, inspect_clips
from ser.audio.prepare import Preparation
from ser.data.options import load_manifest
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadCorpus:
    """Usable clips.

    Attributes:
        manifest: without unusable clips; its notes name them.
        digests: content hash of each clip's prepared waveform.
        samples: its length [N].
        preparation: how files become waveforms.
        info: what is published about the corpus.
        root: where it lies, if the dataset has a root.
    """

    manifest: Manifest
    digests: list[str]
    samples: np.ndarray
    preparation: Preparation
    info: CorpusInfo | None
    root: str


def read_usable(config: DictConfig, rate: int) -> ReadCorpus:
    """Load the manifest of ``dataset`` and read every file once.

    Args:
        config: ``dataset``, ``audio`` and ``on_bad_audio`` count.
        rate: of the consumer in Hz.

    Raises:
        InputError: a corpus that is not there, clips without an emotion, or (under ``on_bad_audio=fail``) unusable
            files.
    """
    if config.on_bad_audio not in ("fail", "skip"):
        raise InputError(f"on_bad_audio={config.on_bad_audio}", expected="fail or skip")
    manifest, info = load_manifest(config)
    manifest.require_emotions()
    preparation = instantiate(config.audio)
    clips = inspect_clips(manifest.frame, preparation, rate)
    manifest, clips = drop_bad_clips(manifest, clips, config.on_bad_audio)
    for note in manifest.notes:
        log.warning(note)
    root = str(config.dataset.get("root") or config.dataset.get("path") or "")
    return ReadCorpus(manifest, clips["digest"].tolist(), clips["samples"].to_numpy(), preparation, info, root)
