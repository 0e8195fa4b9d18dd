"""Parts of a clip, some of which are replaced by those of another: words of a text, stretches of a waveform.

Whatever another clip's length, its parts lie where the clip's own do, in proportion: with all parts replaced it is the
other clip, with none it is the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ser.explainer.modality.table import Array

Wave = NDArray[np.float32]
#: s over which a stretch of one clip fades out before one of the other fades in.
FADE = 0.005
#: A stretch shorter than this share of the clip is none.
LEAST = 0.002


def cut_text(text: str, most: int) -> list[str]:
    """Words of a text, or stretches of words where there are more than so many; one empty part of an empty text."""
    words = text.split()
    return share_words(words, min(len(words), most) or 1)


def share_words(words: Sequence[str], count: int) -> list[str]:
    """Words in so many stretches in order, empty ones where there are fewer words."""
    edges = np.round(np.arange(count + 1) * len(words) / count).astype(int)
    return [" ".join(words[first:end]) for first, end in pairwise(edges)]


def mix_text(own: Sequence[str], other: str, keep: Sequence[bool]) -> str:
    """A text with the parts that are not kept replaced by those of another."""
    theirs = share_words(other.split(), len(own))
    chosen = [part if kept else their for part, their, kept in zip(own, theirs, keep, strict=True)]
    return " ".join(part for part in chosen if part)


def cut_evenly(seconds: float, step: float, most: int) -> Array:
    """Edges of stretches of about so many s [count + 1], as shares of the clip's length."""
    return np.linspace(0, 1, min(max(1, round(seconds / step)), most) + 1)


def cut_words(times: Sequence[tuple[float, float]], seconds: float, most: int) -> Array:
    """Edges of stretches around words [count + 1], as shares of the clip's length.

    Edges are in the middle of the pause between two words, so that every word has a stretch of its own; where there
    are more than ``most`` words, stretches have the words that :func:`cut_text` puts together.

    Args:
        times: start and end of each word in s from the first sample.
        seconds: length of the clip.
        most: largest number of stretches.
    """
    middles = [(one[1] + other[0]) / 2 for one, other in pairwise(times)]
    edges = np.clip(np.array([0.0, *middles, seconds]) / seconds, 0, 1)
    count = min(len(times), most)
    return edges[np.round(np.arange(count + 1) * len(times) / count).astype(int)]


def is_cut(edges: Array) -> bool:
    """Whether every stretch has a length."""
    return bool(len(edges) > 1 and np.diff(edges).min() >= LEAST)


def mix_wave(own: Wave, other: Wave, edges: Array, keep: Sequence[bool], rate: int) -> Wave:
    """A waveform with the stretches that are not kept replaced by those of another.

    Args:
        own: [T].
        other: [U].
        edges: of the stretches, as shares of either [count + 1].
        keep: which stretches stay [count].
        rate: samples a second.
    """
    sources = [own if kept else other for kept in keep]
    pieces = []
    for number, (source, first, end) in enumerate(zip(sources, edges[:-1], edges[1:], strict=True)):
        piece = source[round(first * len(source)) : round(end * len(source))].copy()
        size = min(round(FADE * rate), len(piece) // 2)
        ramp = np.linspace(0, 1, size, dtype=np.float32)
        if number and sources[number - 1] is not source:
            piece[:size] *= ramp
        if number + 1 < len(sources) and sources[number + 1] is not source:
            piece[len(piece) - size :] *= ramp[::-1]
        pieces.append(piece)
    return np.concatenate(pieces)
