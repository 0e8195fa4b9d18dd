"""Features of frozen backbones: what the store lacks is computed once, on all cores. Reading them loads no torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from ser.audio.inspect import count_cores
from ser.audio.prepare import Preparation, Prepared
from ser.backbone.base import FrameBackbone
from ser.backbone.statistics import Level
from ser.backbone.store import FeatureStore
from ser.progress import show_progress

if TYPE_CHECKING:
    from ser.augmentation.copies import Copies

log = logging.getLogger(__name__)


class Extractor(Protocol):
    """What functionals, or other measurements of a clip, are computed by."""

    rate: int

    def identify(self) -> dict[str, object]:
        """Everything that decides what :meth:`compute` yields."""

    def compute(self, waveform: Any) -> np.ndarray:
        """Functionals [D] of a waveform [T] at ``rate``, or of a text; must be safe to call from several threads."""


class Source(Protocol):
    """Clips as a frozen backbone gets them: :class:`Waveforms`, or :class:`ser.backbone.texts.Texts`.

    Attributes:
        digests: hash of what is read of each clip.
        variants: of each clip.
        rate: numbers (samples, tokens) that take a network about as long as a second of sound.
    """

    digests: list[str]
    variants: int

    @property
    def rate(self) -> int:
        """See above."""

    def identify(self) -> dict[str, object]:
        """What is done to the clips, where they are not read as they are."""

    def measure(self, digest: str) -> int:
        """How many numbers a network gets of a clip."""

    def name(self, digest: str) -> str:
        """What a person calls a clip."""

    def read(self, digest: str, cut: Callable[[Prepared], np.ndarray]) -> list[Any]:
        """What the backbone gets of each variant of a clip."""


class Waveforms:
    """Clips as a frozen backbone hears them, by the content hash of their prepared waveform.

    Args:
        frame: rows of a manifest; for networks also ``begin``, ``valid`` and ``samples``.
        digests: the content hash of each row's prepared waveform.
        preparation: how files become waveforms.
        rate: of the backbone, in Hz.
        copies: augmented copies to hear in their place; ``None`` for the clips themselves.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        digests: list[str],
        preparation: Preparation,
        rate: int,
        copies: Copies | None = None,
    ) -> None:
        self.digests = digests
        self.variants = 1 if copies is None else copies.variants
        self.rate = rate
        self._preparation = preparation
        self._copies = copies
        self._places = dict(zip(digests, zip(frame["path"], frame["start"], frame["end"], strict=True), strict=True))
        self._frame = frame

    def identify(self) -> dict[str, object]:
        """What is done to the clips, where they are not heard as they are."""
        return {} if self._copies is None else self._copies.identify()

    def measure(self, digest: str) -> int:
        """Samples of a clip that :func:`cut_end` leaves, as :class:`ser.corpus.Corpus` found them."""
        return self._samples[digest]

    @cached_property
    def _samples(self) -> dict[str, int]:
        frame = self._frame
        samples = np.where(frame["begin"] == 0, frame["valid"], frame["samples"]).tolist()
        return dict(zip(self.digests, samples, strict=True))

    def name(self, digest: str) -> str:
        """What a person calls a clip: its file, and its place there."""
        path, start, end = self._places[digest]
        return str(path) if np.isnan(start) and np.isnan(end) else f"{path} ({start:g} to {end:g} s)"

    def read(self, digest: str, cut: Callable[[Prepared], np.ndarray]) -> list[np.ndarray]:
        """Waveforms [T] of a clip's variants; of the clip alone, unless there are copies.

        Args:
            digest: of the clip.
            cut: what of it is heard: :func:`cut_padding` or :func:`cut_end`.
        """
        path, *times = self._places[digest]
        start, end = (None if np.isnan(time) else time for time in times)
        waveform = cut(self._preparation.prepare(path, self.rate, start, end))
        return [waveform] if self._copies is None else self._copies.vary(waveform)


def cut_padding(clip: Prepared) -> np.ndarray:
    """The clip without padding: zeros that only make it longer would count as pauses among functionals."""
    return clip.waveform[clip.begin : clip.begin + clip.valid]


def cut_end(clip: Prepared) -> np.ndarray:
    """The clip without padding at its end; zeros in front are heard, as where the network is trained."""
    return clip.waveform if clip.begin else clip.waveform[: clip.valid]


def extract_features(
    extractor: Extractor, frame: pd.DataFrame, digests: list[str], preparation: Preparation, root: str | Path
) -> np.ndarray:
    """Functionals [N, D] of all clips, float32, in the order of ``frame``.

    Args:
        extractor: computes them.
        frame: rows of a manifest.
        digests: the content hash of each row's prepared waveform.
        preparation: how files become waveforms.
        root: folder of the feature store.
    """
    return read_functionals(
        fill_functionals(extractor, Waveforms(frame, digests, preparation, extractor.rate), root), digests
    )


def read_functionals(store: FeatureStore, digests: list[str], variant: int = 0) -> np.ndarray:
    """Functionals [N, D] of clips, float32, in order."""
    return np.stack(store.read(digests, variant)).astype(np.float32)


def fill_functionals(extractor: Extractor, waveforms: Source, root: str | Path) -> FeatureStore:
    """The store with the functionals of all clips; those that are missing are computed."""
    store = FeatureStore(root, extractor.identify() | waveforms.identify(), waveforms.variants)
    missing = store.find_missing(waveforms.digests)
    if not missing:
        return store

    def compute(digest: str) -> None:
        store.write(digest, *(extractor.compute(waveform) for waveform in waveforms.read(digest, cut_padding)))

    log.info("extracting features of %d of %d clips", len(missing), len(set(waveforms.digests)))
    computed = 0
    with ThreadPoolExecutor(count_cores()) as pool, show_progress("features", len(missing)) as advance:
        for batch in store.claim(missing):
            for _ in pool.map(compute, batch):
                advance(1)
            computed += len(batch)
    note_others(len(missing) - computed)
    return store


def fill_hidden(
    backbone: FrameBackbone, waveforms: Source, root: str | Path, level: Level, accelerator: str = "auto"
) -> FeatureStore:
    """The store with what is kept of a network's hidden states of all clips; the network runs where it is missing.

    Args:
        backbone: says which network.
        waveforms: of the clips, or their texts.
        root: folder of the feature store.
        level: what is kept.
        accelerator: ``cpu``, or ``auto`` and others for the accelerator that there is.

    Raises:
        InputError: weights that cannot be loaded, a layer that there is not, a clip of which nothing can be kept.
    """
    identity = backbone.identify() | level.identify() | waveforms.identify()
    store = FeatureStore(root, identity, waveforms.variants)
    missing = store.find_missing(waveforms.digests)
    if missing:
        from ser.backbone.frames import run_network

        computed = run_network(backbone, waveforms, missing, store, level, accelerator)
        note_others(len(missing) - computed)
    return store


def note_others(count: int) -> None:
    """Log how many clips other processes computed."""
    if count:
        log.info("%d of them came from another process", count)
