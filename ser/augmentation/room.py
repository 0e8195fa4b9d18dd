"""Rooms: convolution with impulse responses from the user's folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from ser.augmentation.library import ALWAYS, LibraryTransform, load_library
from ser.augmentation.recordings import Reader, Recordings
from ser.errors import InputError


class ImpulseResponse(LibraryTransform):
    """The clip as heard in a room: convolved with a drawn impulse response.

    The response's largest peak, which is the direct sound, is brought to time 0 and height 1: speech stays where it is
    and as loud and polarised as it is, and the room's reflections are added. The length stays; what rings on is cut.

    Args:
        folder: of impulse responses, searched to any depth; files of any rate are resampled.
        p: probability that a clip is transformed.

    Raises:
        InputError: no such folder, no audio in it, files that cannot be read, or a silent response.
    """

    def __init__(self, folder: str | None = None, p: float = 1.0) -> None:
        self.folder = folder
        super().__init__(p)
        self.recordings = Recordings(folder, "impulse responses")

    def build(self, rate: int) -> Any:
        """The library's transform, reading our files our way."""
        # It keeps .wav names only, and looks at none before it reads: it gets one and then the files.
        room = load_library().ApplyImpulseResponse(["none.wav"], compensate_for_propagation_delay=True, **ALWAYS)
        room.ir_paths = self.recordings.paths
        room.audio = lambda path: read_response(path, rate)
        return room

    def identify(self) -> dict[str, object]:
        """Name, parameters, and the responses by content, wherever their folder is."""
        return super().identify() | {"folder": self.recordings.fingerprint}


@lru_cache(maxsize=256)
def read_response(path: Path, rate: int) -> Tensor:
    """Impulse response [1, n] at a rate in Hz whose largest peak is 1."""
    samples = Reader(rate)(path)
    peak = samples[0, samples.abs().argmax()]
    if peak == 0:
        raise InputError(f"augmentation: {path}: silent", expected="an impulse response", remedy="remove the file")
    return samples / peak
