"""A frozen network over clips: in batches of nearly equal lengths, on all cores or on an accelerator.

On processors each thread takes batches of its own: threads that share a batch wait for each other at every step, the
more so the busier the machine is. Whoever computes a batch also reads its files, so that one batch is read while
another is computed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Semaphore
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ser.audio.inspect import count_cores
from ser.backbone.base import FrameBackbone
from ser.backbone.extract import Source, cut_end
from ser.backbone.statistics import Frames, Level, find_layer
from ser.backbone.store import FeatureStore
from ser.backbone.weights import hash_parameters
from ser.errors import InputError
from ser.progress import show_progress

log = logging.getLogger(__name__)

#: Seconds of sound in a batch, padding included. Processors gain nothing from more; accelerators idle with less.
SECONDS, SECONDS_ACCELERATED = 16.0, 160.0
#: A batch ends before more than this share of it would be padding.
PADDING = 0.04
#: Clips that are claimed together fill so many batches: enough of them are alike in length, and others find work too.
BATCHES = 32
#: Most threads; more would wait for the interpreter.
THREADS = 8


def run_network(
    backbone: FrameBackbone,
    waveforms: Source,
    missing: Sequence[str],
    store: FeatureStore,
    level: Level,
    accelerator: str = "auto",
    seconds: float | None = None,
) -> int:
    """Compute what the store lacks; other processes may do so at the same time.

    Args:
        backbone: says which network.
        waveforms: of the clips, or their texts.
        missing: content hashes of the clips that are not in the store.
        store: takes what is kept of each.
        level: what that is.
        accelerator: ``cpu``, or others for the accelerator that there is.
        seconds: of sound in a batch; ``None`` for what suits the device.

    Returns:
        How many clips this process computed.

    Raises:
        InputError: weights that cannot be loaded, a layer that there is not, a clip of which nothing can be kept.
    """
    encoder = Encoder(backbone, level, choose_device(accelerator))
    store.write_record(encoder.describe())
    budget = round((seconds or encoder.seconds) * waveforms.rate / waveforms.variants)
    claim = round(BATCHES * budget * len(missing) / sum(map(waveforms.measure, missing)))

    def compute(batch: Sequence[str]) -> Tally:
        names = [waveforms.name(digest) for digest in batch for _ in range(waveforms.variants)]
        heard = [variant for digest in batch for variant in waveforms.read(digest, cut_end)]
        kept = iter(encoder.encode(heard, names))
        for digest in batch:
            store.write(digest, *(next(kept) for _ in range(waveforms.variants)))
        return Tally(len(batch), sum(map(len, heard)), len(heard) * max(map(len, heard)))

    log.info("running %s on %d of %d clips", encoder.name, len(missing), len(set(waveforms.digests)))
    done, began = Tally(), time.perf_counter()
    with (
        show_progress("features", len(missing)) as advance,
        encoder.share_cores() as threads,
        ThreadPoolExecutor(threads) as pool,
    ):
        for claimed in store.claim(missing, max(1, claim)):
            samples = {digest: waveforms.measure(digest) for digest in claimed}
            for tally in pool.map(compute, cut_batches(samples, budget)):
                advance(tally.clips)
                done = done.add(tally)
    if done.clips:
        log.info("%s on %s", done.describe(time.perf_counter() - began), encoder.device)
    return done.clips


class Tally(NamedTuple):
    """What has been computed: clips, their samples, and samples of their batches with padding."""

    clips: int = 0
    samples: int = 0
    padded: int = 0

    def add(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(sum(pair) for pair in zip(self, other, strict=True)))

    def describe(self, seconds: float) -> str:
        """For the log."""
        waste = 100 * (1 - self.samples / self.padded)
        return f"{self.clips} clips, {self.clips / seconds:.1f} a second, {waste:.1f} % of the batches was padding,"


def cut_batches(samples: Mapping[str, int], budget: int) -> Iterator[list[str]]:
    """Clips in batches of nearly equal lengths, the longest first.

    A batch has at most ``budget`` samples and a share of :data:`PADDING` of padding, or it is one clip.

    Args:
        samples: of each clip.
        budget: samples of a batch, padding included.
    """
    batch: list[str] = []
    longest = total = 0
    for digest, length in sorted(samples.items(), key=lambda item: -item[1]):
        padded = (len(batch) + 1) * longest
        if batch and (padded > budget or padded - total - length > PADDING * padded):
            yield batch
            batch, total = [], 0
        if not batch:
            longest = length
        batch.append(digest)
        total += length
    if batch:
        yield batch


class Encoder:
    """A network that is only run, and what is kept of its hidden states.

    Args:
        backbone: says which network.
        level: what is kept.
        device: where it runs.

    Raises:
        InputError: weights that cannot be loaded, a layer that the network does not have.
    """

    def __init__(self, backbone: FrameBackbone, level: Level, device: torch.device) -> None:
        network: Any = backbone.build()
        if isinstance(level, Frames) and level.layer != "mix":
            find_layer(level.layer, network.depth)
        self.backbone = backbone
        self.network = network.eval().requires_grad_(False).to(device)
        self.level = level
        self.device = device
        # The memory of an accelerator holds one batch, while others are being read.
        self._turn = Semaphore(THREADS if device.type == "cpu" else 1)

    @property
    def name(self) -> str:
        """For messages."""
        return type(self.network).__name__

    @property
    def seconds(self) -> float:
        """Of sound in a batch that suits the device."""
        return SECONDS if self.device.type == "cpu" else SECONDS_ACCELERATED

    def describe(self) -> dict[str, object]:
        """What was run: for people, and for runs that use the features."""
        return describe_network(self.backbone, self.network)

    @contextmanager
    def share_cores(self) -> Iterator[int]:
        """Set the threads of torch's own work; the context yields how many threads may call :meth:`encode`."""
        if self.device.type != "cpu":
            # Rounded products would make features depend on the machine, and a clip's on its batch.
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield min(THREADS, count_cores())
            return
        cores = torch.get_num_threads()  # as OMP_NUM_THREADS says
        threads = min(THREADS, cores)
        torch.set_num_threads(cores // threads)
        try:
            yield threads
        finally:
            torch.set_num_threads(cores)

    def encode(self, waveforms: Sequence[np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
        """What is kept of each clip of a batch.

        Args:
            waveforms: [T] each; of text, tokens.
            names: of the clips, for messages.

        Raises:
            InputError: a clip without frames, with frames that are not finite, or too long for the device's memory.
        """
        try:
            with self._turn:
                return self._run(waveforms, names)
        except torch.OutOfMemoryError:
            middle = len(waveforms) // 2
        if not middle:
            raise InputError(
                f"{names[0]}: {self.name} needs more memory for this clip than {self.device} has",
                remedy="pass trainer.accelerator=cpu, or cut long clips with audio/duration",
            )
        return self.encode(waveforms[:middle], names[:middle]) + self.encode(waveforms[middle:], names[middle:])

    @torch.inference_mode()
    def _run(self, waveforms: Sequence[np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
        padded = pad_sequence([torch.from_numpy(waveform) for waveform in waveforms], batch_first=True)
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        hidden, frames = self.network(padded.to(self.device), lengths.to(self.device))
        counts = frames.tolist()
        if 0 in counts:
            raise InputError(f"{names[counts.index(0)]}: too short, {self.name} makes no frame of it")
        kept = keep_frames(hidden, counts, self.level) if isinstance(self.level, Frames) else summarise(hidden, counts)
        for name, array in zip(names, kept, strict=True):
            if not np.isfinite(array).all():
                raise InputError(
                    f"{name}: {self.name} yields numbers that are not finite, or too large for {array.dtype}",
                    remedy="listen to the clip; leave it out of the corpus if it is broken",
                )
        return kept


def choose_device(accelerator: str) -> torch.device:
    """The processor if ``cpu`` is asked for or there is nothing else, or the accelerator."""
    found = None if accelerator == "cpu" else torch.accelerator.current_accelerator(check_available=True)
    return found or torch.device("cpu")


def describe_network(backbone: FrameBackbone, network: Any) -> dict[str, object]:
    """Where the weights of a network come from, how many and which they are."""
    return {
        "source": getattr(backbone, "source", None) or "random weights",
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "hash": hash_parameters(network),
        "identity": backbone.identify(),
    }


def summarise(hidden: Sequence[Tensor], counts: Sequence[int]) -> list[np.ndarray]:
    """:data:`ser.backbone.statistics.KEPT` of L hidden states [B, F, D] over each clip's own frames: B of [L, S, D].

    The standard deviation is that of the frames as a population.
    """
    clips = []
    for index, count in enumerate(counts):
        frames = torch.stack([layer[index, :count] for layer in hidden]).float()
        total, highest = frames.sum(1), frames.amax(1)
        mean = total / count
        deviation = frames.sub_(mean.unsqueeze(1)).square_().mean(1).sqrt_()
        clips.append(torch.stack([mean, deviation, highest, total], dim=1))
    return list(torch.stack(clips).cpu().numpy())


def keep_frames(hidden: Sequence[Tensor], counts: Sequence[int], level: Frames) -> list[np.ndarray]:
    """Each clip's own frames of L hidden states [B, F, D]: B of [F, D] of one layer, or of [F, L, D]."""
    frames = torch.stack(list(hidden), dim=2) if level.layer == "mix" else hidden[level.layer]
    found = frames.to(getattr(torch, level.dtype)).cpu().numpy()
    return [clip[:count].copy() for clip, count in zip(found, counts, strict=True)]
