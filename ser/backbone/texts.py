"""Transcripts of clips as backbones read them. Importing this loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ser.audio.prepare import Prepared
from ser.dataset.manifest import find_blanks
from ser.errors import InputError

#: Tokens that take a network about as long as a second of sound.
TOKENS = 256


class Reader(Protocol):
    """What all backbones that read text have in common."""

    missing: str

    def count_unknown(self, text: str) -> tuple[int, int]:
        """How many words (or tokens) of a transcript it does not know, and how many there are."""


def read_texts(frame: pd.DataFrame, missing: str = "error", key: str = "backbone") -> list[str]:
    """The transcript of each clip, empty where it is masked.

    Args:
        frame: rows of a manifest.
        missing: ``error`` or ``mask``; see :class:`ser.backbone.base.TextBackbone`.
        key: where the configuration has the backbone.

    Raises:
        InputError: clips without a transcript, named, under ``error``; another word.
    """
    if missing not in ("error", "mask"):
        raise InputError(f"{key}.missing={missing}", expected="error or mask")
    blank = find_blanks(frame["text"])
    if blank.any() and missing == "error":
        clips = ", ".join(frame.loc[blank, "clip"].iloc[:5].astype(str)) + (" …" if blank.sum() > 5 else "")
        raise InputError(
            f"the backbone reads text, and {blank.sum()} of {len(frame)} clips have no transcript: {clips}",
            expected="a transcript of every clip, in the manifest's column text",
            remedy="dataset.texts=<table with columns clip,text>, which `ser data transcribe` writes; or "
            f"{key}.missing=mask, which reads such clips as saying nothing",
        )
    return frame["text"].astype(object).mask(blank, "").tolist()


def hash_text(text: str) -> str:
    """What a text's features are stored under."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


class Texts:
    """Transcripts as a frozen backbone reads them, by their content: each text once, however many clips say it.

    Args:
        frame: rows of a manifest.
        missing: see :func:`read_texts`.
        encode: a text to what the backbone gets.
    """

    variants = 1
    rate = TOKENS

    def __init__(self, frame: pd.DataFrame, missing: str, encode: Callable[[str], Any]) -> None:
        texts = read_texts(frame, missing)
        self.digests = [hash_text(text) for text in texts]
        self._texts = dict(zip(self.digests, texts, strict=True))
        self._clips = dict(zip(reversed(self.digests), frame["clip"].iloc[::-1], strict=True))
        self._encode = encode

    def identify(self) -> dict[str, object]:
        """Nothing is done to texts."""
        return {}

    def measure(self, digest: str) -> int:
        """How many tokens a text has."""
        return len(self._encoded[digest])

    @cached_property
    def _encoded(self) -> dict[str, Any]:
        return {digest: self._encode(text) for digest, text in self._texts.items()}

    def name(self, digest: str) -> str:
        """What a person calls a text: a clip that says it."""
        return f"text of {self._clips[digest]}"

    def read(self, digest: str, cut: Callable[[Prepared], np.ndarray]) -> list[Any]:  # noqa: ARG002 - of audio
        """The text as the backbone gets it."""
        return [self._encoded[digest]]


def measure_texts(parts: Sequence[tuple[Reader, pd.DataFrame]]) -> tuple[dict[str, float], list[str]]:
    """How well the words of clips are known: metrics, and what a reader of the results must know.

    Args:
        parts: backbones (one, or one a fold where each learns its own vocabulary) with the clips that they read.

    Returns:
        ``text/oov``: share of words that the backbone does not know, over all clips; ``text/masked``: clips without a
        transcript. The most frequent unknown texts are in the notes.
    """
    unknown = words = masked = 0
    worst: Counter[str] = Counter()
    for backbone, frame in parts:
        counted: dict[str, tuple[int, int]] = {}
        for text in read_texts(frame, backbone.missing):
            masked += not text
            if text not in counted:
                counted[text] = backbone.count_unknown(text)
            unknown, words = unknown + counted[text][0], words + counted[text][1]
            worst[text] += counted[text][0]
    share = unknown / words if words else 0.0
    notes = []
    if unknown:
        example = worst.most_common(1)[0][0]
        notes.append(f"text: {share:.1%} of the words are unknown to the backbone (text/oov), e.g. in {example!r}")
    if masked:
        notes.append(f"text: {masked} clips without a transcript are read as saying nothing (missing=mask)")
    return {"text/oov": share, "text/masked": float(masked)}, notes
