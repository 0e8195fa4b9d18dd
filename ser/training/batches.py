"""Batches: waveforms, tokens or functionals, lengths, targets; every clip in a seeded order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ser.backbone.texts import read_texts
from ser.dataset.raters import find_shares
from ser.errors import InputError
from ser.head.data import Part
from ser.head.pair import Pair, PairedFeatures
from ser.training.processes import ALONE, Place

#: Waveforms of a part are kept in memory while they need less than this many bytes.
MEMORY = 2**30


class Batch(NamedTuple):
    """B clips.

    Attributes:
        inputs: waveforms [B, T] or frames [B, F, …], float32 and padded with zeros, or vectors [B, …]; tokens [B, T],
            int64 and padded with zeros, where a text is read; by modality, with their lengths, where both are.
        lengths: of the waveforms in samples, of the texts in tokens, or of the frames [B].
        targets: index of each clip's emotion [B], -1 for one that the model does not know; shares of the votes that
            the model's emotions got [B, K]; or ratings [B, D].
        clips: their ids.
    """

    inputs: Any
    lengths: Any
    targets: Tensor
    clips: tuple[str, ...]


class Clips(Dataset):
    """Clips of a part with targets; waveforms are read on first use and kept while memory allows.

    Targets are the part's ratings, if it has any, else indices into ``emotions``, or the raters' shares of them.

    Args:
        part: the clips.
        emotions: of the model.
        rate: in Hz at which they are read.
        shares: whether targets are votes of raters.
        encode: transcripts to tokens, where these are read in place of audio.
    """

    def __init__(
        self,
        part: Part,
        emotions: Sequence[str],
        rate: int,
        shares: bool = False,
        encode: Callable[[str], np.ndarray] | None = None,
    ) -> None:
        place = {emotion: index for index, emotion in enumerate(emotions)}
        self.part = part
        self.rate = rate
        if part.targets is not None:
            self.targets = part.targets.astype(np.float32)
        elif shares:
            self.targets = find_shares(part.frame, emotions)
        else:
            self.targets = np.array([place.get(emotion, -1) for emotion in part.emotions])
        self.clips = part.frame["clip"].tolist()
        self.places = list(zip(*(part.frame[column] for column in ("path", "start", "end")), strict=True))
        self.kept: dict[int, tuple[np.ndarray, int]] = {}
        self.bytes = 0
        self.lengths = part.samples
        self.tokens: list[np.ndarray] = []
        if encode is not None and part.features is None:
            self.tokens = [encode(text) for text in read_texts(part.frame, "mask")]
            self.lengths = np.array([len(tokens) for tokens in self.tokens])

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int, np.ndarray, str]:
        inputs, length = self.find_inputs(index)
        return inputs, length, self.targets[index], self.clips[index]

    def find_inputs(self, index: int) -> tuple[np.ndarray, int]:
        """What a network gets of a clip, and its length."""
        found: Any = self.tokens or self.part.features
        return self.read(index) if found is None else (found[index], len(found[index]))

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Waveform [T] of a clip, and how much of it is the clip where it was padded at its end."""
        if index in self.kept:
            return self.kept[index]
        path, start, end = self.places[index]
        clip = self.part.preparation.prepare(path, self.rate, *(None if np.isnan(t) else t for t in (start, end)))
        # Zeros in front cannot be told apart by a length: there they are part of what is heard, as published.
        found = clip.waveform, clip.valid if clip.begin == 0 else len(clip.waveform)
        if self.bytes + clip.waveform.nbytes <= MEMORY:
            self.kept[index] = found
            self.bytes += clip.waveform.nbytes
        return found


class PairedClips(Dataset):
    """Clips that are heard and read; the length of what is heard counts.

    Args:
        part: the clips, with features by modality.
        others: see :class:`Clips`.
    """

    def __init__(
        self,
        part: Part,
        emotions: Sequence[str],
        rate: int,
        shares: bool = False,
        encode: Callable[[str], np.ndarray] | None = None,
    ) -> None:
        assert isinstance(part.features, PairedFeatures)
        audio, text = (replace(part, features=features) for features in part.features.pair)
        self.heard = Clips(audio, emotions, rate, shares)
        self.read = Clips(text, emotions, rate, shares, encode)
        self.lengths = self.heard.lengths

    def __len__(self) -> int:
        return len(self.heard)

    def __getitem__(self, index: int) -> tuple[Pair[np.ndarray], Pair[int], np.ndarray, str]:
        audio, samples, target, clip = self.heard[index]
        text, tokens = self.read.find_inputs(index)
        return Pair(audio, text), Pair(samples, tokens), target, clip


class BatchOrder(Sampler[list[int]]):
    """Indices in batches of nearly equal size and of clips of similar length, so that little of a batch is padding.

    Without a seed: by length, always alike. With one: in an order that depends on seed and epoch alone, so that a
    resumed training sees what an uninterrupted one would. Clips are shuffled and then sorted by length only within
    pools of batches, and by length only roughly: with few batches an epoch, exact sorting would put the same clips
    together in every epoch. No batch is a lone last clip, which would break batch normalisation.

    Args:
        samples: length of each clip [N].
        batch_size: clips in a batch, of all processes together.
        seed: see above.
        place: of several processes that train together, this one; each takes its share of every batch.
    """

    #: Batches in a pool.
    POOL = 8
    #: Standard deviation of what is added to the logarithm of a length before sorting: a tenth of the length.
    ROUGHLY = 0.1

    def __init__(self, samples: np.ndarray, batch_size: int, seed: int | None = None, place: Place = ALONE) -> None:
        if len(samples) < place.count:
            raise InputError(
                f"trainer.devices: {len(samples)} clips cannot be divided among {place.count} devices",
                remedy="pass trainer.devices=1",
            )
        self.samples = samples
        least = min(batch_size, 2 * place.count)
        self.size = max(1, min(-(-len(samples) // batch_size), len(samples) // least))
        self.seed = seed
        self.place = place
        self.epoch = 0
        self.sampler = self  # where Lightning looks for set_epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[list[int]]:
        return (batch[self.place.rank :: self.place.count].tolist() for batch in self.order())

    def order(self) -> list[np.ndarray]:
        """Batches of an epoch, before they are divided among processes."""
        if self.seed is None:
            return np.array_split(np.argsort(self.samples, kind="stable"), self.size)
        draw = np.random.default_rng([self.seed, self.epoch])
        batches: list[np.ndarray] = []
        for pool in self._divide(draw.permutation(len(self.samples))):
            clips = np.concatenate(pool)
            lengths = self.samples[clips] * np.exp(self.ROUGHLY * draw.standard_normal(len(clips)))
            batches += np.array_split(clips[np.argsort(lengths, kind="stable")], len(pool))
        return [batches[index] for index in draw.permutation(len(batches))]

    def measure_padding(self) -> float:
        """Share of an epoch's batches that is padding."""
        padded = sum(len(batch) * int(self.samples[batch].max()) for batch in self.order())
        return 1 - float(self.samples.sum()) / padded if padded else 0.0

    def _divide(self, order: np.ndarray) -> Iterator[list[np.ndarray]]:
        batches = np.array_split(order, self.size)
        return (batches[first : first + self.POOL] for first in range(0, self.size, self.POOL))


def make_loader(
    part: Part,
    emotions: Sequence[str],
    rate: int,
    batch_size: int,
    seed: int | None = None,
    workers: int = 0,
    shares: bool = False,
    place: Place = ALONE,
    encode: Callable[[str], np.ndarray] | None = None,
) -> DataLoader:
    """Batches of a part at a rate in Hz: in a seeded order for training, by length without a seed.

    With ``shares``, targets are those of the raters' votes (:func:`ser.dataset.raters.find_shares`); with ``encode``,
    the inputs are tokens of the transcripts.
    """
    kind = PairedClips if isinstance(part.features, PairedFeatures) else Clips
    clips = kind(part, emotions, rate, shares, encode)
    return DataLoader(
        clips,
        batch_sampler=BatchOrder(clips.lengths, batch_size, seed, place),
        collate_fn=collate,
        generator=torch.Generator(),  # or starting an epoch would draw from the generator that dropout draws from
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def collate(items: Sequence[tuple[Any, Any, np.ndarray, str]]) -> Batch:
    """Pad the inputs of a batch with zeros to its longest."""
    inputs, lengths, targets, clips = zip(*items, strict=True)
    wanted = torch.from_numpy(np.stack(targets))
    if not isinstance(inputs[0], Pair):
        return Batch(pad(inputs), torch.tensor(lengths), wanted, clips)
    padded, counts = (Pair(*zip(*each, strict=True)) for each in (inputs, lengths))
    return Batch(padded.map(pad), counts.map(torch.tensor), wanted, clips)


def pad(inputs: Sequence[np.ndarray]) -> Tensor:
    """Arrays of different lengths with zeros behind the shorter ones: tokens as int64, others as float32."""
    tokens = np.issubdtype(inputs[0].dtype, np.integer)
    shape = (len(inputs), max(map(len, inputs)), *inputs[0].shape[1:])
    padded = np.zeros(shape, dtype=np.int64 if tokens else np.float32)
    for row, item in zip(padded, inputs, strict=True):
        row[: len(item)] = item
    return torch.from_numpy(padded)
