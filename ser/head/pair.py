"""Two of a kind, one of each modality: what is heard of clips, and what is said in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")
U = TypeVar("U")


class Pair(NamedTuple, Generic[T]):
    """Something of each modality."""

    audio: T
    text: T

    def map(self, function: Callable[[T], U]) -> Pair[U]:
        """A function of each."""
        return Pair(function(self.audio), function(self.text))


@dataclass(frozen=True, eq=False)
class PairedFeatures:
    """Features of N clips by modality, as :class:`ser.head.data.Part` has them of one.

    Attributes:
        audio: vectors [N, D] or [N, L, D], or an object array [N] of frames; ``None`` where that branch is trained.
        text: likewise.
    """

    audio: np.ndarray | None
    text: np.ndarray | None

    @property
    def pair(self) -> Pair[np.ndarray | None]:
        """Both."""
        return Pair(self.audio, self.text)

    def __getitem__(self, rows: Any) -> PairedFeatures:
        return PairedFeatures(*self.pair.map(lambda each: None if each is None else each[rows]))

    def join(self) -> np.ndarray:
        """Vectors of both side by side [N, D]."""
        assert self.audio is not None and self.text is not None
        return np.concatenate([self.audio, self.text], axis=1)

    @classmethod
    def stack(cls, parts: Sequence[PairedFeatures]) -> PairedFeatures:
        """Those of several parts one after the other."""
        columns: Any = zip(*(part.pair for part in parts), strict=True)
        return cls(*(None if column[0] is None else np.concatenate(column) for column in columns))
