"""Batches: waveforms or functionals, lengths, targets; every clip in a seeded order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ser.head.data import Part

#: Waveforms of a part are kept in memory while they need less than this many bytes.
MEMORY = 2**30


class Batch(NamedTuple):
    """B clips.

    Attributes:
        inputs: waveforms [B, T] float32 padded with zeros, or functionals [B, D].
        lengths: of the waveforms, in samples [B].
        targets: index of each clip's emotion [B]; -1 for one that the model does not know.
        clips: their ids.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    clips: tuple[str, ...]


class Clips(Dataset):
    """Clips of a part with targets; waveforms are read on first use and kept while memory allows."""

    def __init__(self, part: Part, emotions: Sequence[str], rate: int) -> None:
        place = {emotion: index for index, emotion in enumerate(emotions)}
        self.part = part
        self.rate = rate
        self.targets = np.array([place.get(emotion, -1) for emotion in part.emotions])
        self.clips = part.frame["clip"].tolist()
        self.places = list(zip(*(part.frame[column] for column in ("path", "start", "end")), strict=True))
        self.kept: dict[int, np.ndarray] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int, str]:
        features = self.part.features
        inputs = self.read(index) if features is None else features[index]
        return inputs, int(self.targets[index]), self.clips[index]

    def read(self, index: int) -> np.ndarray:
        """Waveform [T] of a clip."""
        if index in self.kept:
            return self.kept[index]
        path, start, end = self.places[index]
        waveform = self.part.preparation.read(path, self.rate, *(None if np.isnan(t) else t for t in (start, end)))
        if self.bytes + waveform.nbytes <= MEMORY:
            self.kept[index] = waveform
            self.bytes += waveform.nbytes
        return waveform


class ShuffledBatches(Sampler[list[int]]):
    """Indices in batches of nearly equal size (a lone last clip would break batch normalisation).

    The order depends on seed and epoch alone, so that a resumed training sees what an uninterrupted one would.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count = count
        self.batches = max(1, -(-count // batch_size))
        self.seed = seed
        self.epoch = 0
        self.sampler = self  # where Lightning looks for set_epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        return (part.tolist() for part in np.array_split(order, self.batches))


def make_loader(
    part: Part, emotions: Sequence[str], batch_size: int, rate: int = 16000, seed: int | None = None, workers: int = 0
) -> DataLoader:
    """Batches of a part: in a seeded order for training, in the part's order without a seed."""
    clips = Clips(part, emotions, rate)
    if seed is None:
        return DataLoader(clips, batch_size, collate_fn=collate, num_workers=workers)
    order = ShuffledBatches(len(clips), batch_size, seed)
    return DataLoader(
        clips, batch_sampler=order, collate_fn=collate, num_workers=workers, persistent_workers=workers > 0
    )


def collate(items: Sequence[tuple[np.ndarray, int, str]]) -> Batch:
    """Pad the inputs of a batch with zeros to its longest."""
    inputs, targets, clips = zip(*items, strict=True)
    lengths = [len(item) for item in inputs]
    padded = np.zeros((len(inputs), max(lengths)), dtype=np.float32)
    for row, item in zip(padded, inputs, strict=True):
        row[: len(item)] = item
    return Batch(torch.from_numpy(padded), torch.tensor(lengths), torch.tensor(targets), clips)
