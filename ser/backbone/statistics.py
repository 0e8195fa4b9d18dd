"""What the feature store keeps of a network's hidden states, and vectors and frames from there. No torch in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ser.backbone.base import Layer
from ser.backbone.store import FeatureStore, load_array, load_row
from ser.errors import InputError

#: Statistics over a clip's frames that are kept side by side, so that no pooling needs the network again.
KEPT = ("mean", "std", "max", "sum")
#: Frames of a corpus that need more bytes than this stay in their files until they are used.
MEMORY = 2**30


@dataclass(frozen=True)
class Statistics:
    """:data:`KEPT` of every hidden state: float32 [L, S, D] a clip."""

    def identify(self) -> dict[str, object]:
        """What tells an address of these from that of others."""
        return {"level": "statistics", "statistics": list(KEPT)}


@dataclass(frozen=True)
class Frames:
    """The frames themselves: [F, D] a clip of one layer, [F, L, D] of all.

    Args:
        layer: a hidden state by number, or ``mix`` for all of them.
        dtype: ``float32``, or ``float16`` for half the space and three digits.
    """

    layer: Layer
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float16"):
            raise InputError(f"stored frames: dtype={self.dtype}", expected="float32 or float16")

    def identify(self) -> dict[str, object]:
        """What tells an address of these from that of others."""
        return {"level": "frames", "layers": "all" if self.layer == "mix" else self.layer, "dtype": self.dtype}


#: What is kept of a clip.
Level = Statistics | Frames


def find_layer(layer: int, depth: int) -> int:
    """Index of a hidden state; negative numbers count from the last.

    Raises:
        InputError: a layer that the network does not have.
    """
    if not -depth <= layer < depth:
        raise InputError(
            f"backbone.layer={layer}: the backbone yields {depth} hidden states",
            expected=f"{-depth} to {depth - 1}, or mix",
        )
    return layer % depth


def combine(kept: np.ndarray, statistics: Sequence[str]) -> np.ndarray:
    """Chosen statistics [..., D times their number] side by side from those that are kept [..., S, D].

    Args:
        kept: in the order of :data:`KEPT`.
        statistics: some of them, or ``mean_plus_max`` (as BYOL-A pools; Niizumi et al., 2021).

    Raises:
        InputError: another name.
    """
    named = {name: kept[..., index, :] for index, name in enumerate(KEPT)}
    named["mean_plus_max"] = named["mean"] + named["max"]
    if unknown := [name for name in statistics if name not in named]:
        raise InputError(f"pooling.statistics={list(statistics)}: {unknown[0]}?", expected=", ".join(named))
    return np.concatenate([named[name] for name in statistics], axis=-1)


def read_vectors(
    store: FeatureStore, digests: Sequence[str], layer: Layer, statistics: Sequence[str], variant: int = 0
) -> np.ndarray:
    """Pooled frames of clips from a store of :class:`Statistics`, float32.

    Args:
        store: where all of them are.
        digests: the content hash of each clip's waveform.
        layer: a hidden state by number, or ``mix`` for all of them.
        statistics: fixed ones over time, side by side.
        variant: of each clip.

    Returns:
        [N, D'] of one layer, [N, L, D'] of all, in order.

    Raises:
        InputError: a layer or a statistic that there is not.
    """
    read_file = load_array if layer == "mix" else partial(load_row, find_row=partial(find_layer, layer))
    return np.stack(store.load(digests, lambda path: combine(read_file(path), statistics), variant))


def read_frames(store: FeatureStore, digests: Sequence[str], variant: int = 0, memory: int = MEMORY) -> np.ndarray:
    """Frames of clips from a store of :class:`Frames`: an object array [N], each [F, D] or [F, L, D].

    Above ``memory`` bytes they are :class:`StoredArray`, which ``np.asarray`` reads anew each time; else plain arrays.
    """
    size = sum(store.load(digests, lambda path: path.stat().st_size, variant))
    read_file: Any = StoredArray if size > memory else load_array
    found = np.empty(len(digests), dtype=object)
    for index, frames in enumerate(store.load(digests, read_file, variant)):
        found[index] = frames
    return found


class StoredArray:
    """An array that stays in its file; numpy's functions take it for an array and read it each time.

    Memory maps would hold a file descriptor each, of which a process has few.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _header(self) -> tuple[tuple[int, ...], np.dtype]:
        with self.path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return shape, dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return self._header[0]

    @property
    def dtype(self) -> np.dtype:
        """As of an array."""
        return self._header[1]

    @property
    def ndim(self) -> int:
        """As of an array."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """As of an array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        return load_array(self.path)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return load_array(self.path).astype(dtype or self.dtype, copy=False)
