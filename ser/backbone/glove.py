"""GloVe word vectors (Pennington, Socher and Manning, 2014) in their publisher's text format. No torch in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ser.backbone.weights import hash_files
from ser.backbone.words import NOTHING, split_words
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.words_network import WordNetwork

#: Raised when the same file and text come to yield other frames, so that no stored ones are taken for them.
FORWARD = 1


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of words.

    Attributes:
        numbers: word → its row.
        matrix: [V + 1, D], float32; row 0 is zero.
    """

    numbers: Mapping[str, int]
    matrix: np.ndarray


@dataclass(frozen=True)
class GloVe:
    """A frame for each word of the transcript that has a vector; words without one are left out.

    A transcript without any known word is one frame of zeros. GloVe writes contractions as two words (``do n't``,
    ``it 's``); a word with an apostrophe that has no vector itself is divided where its parts have some.

    Args:
        source: the file with a word and its D numbers in each line, or a folder with that one ``*.txt`` file.
        missing: see :class:`ser.backbone.base.TextBackbone`.
        rate: sampling rate in Hz at which the clips' audio is checked.
    """

    frames: ClassVar[bool] = True
    reads: ClassVar[str] = "text"
    pretrained: ClassVar[bool] = True
    trainable: ClassVar[bool] = False
    layer: ClassVar[int] = -1

    source: str
    missing: str = "error"
    rate: int = 16000

    @cached_property
    def path(self) -> Path:
        """The file.

        Raises:
            InputError: there is none.
        """
        path = Path(self.source).expanduser()
        found = sorted(path.glob("*.txt")) if path.is_dir() else [path]
        if len(found) != 1 or not found[0].is_file():
            listing = ", ".join(item.name for item in found) if path.is_dir() and found else "nothing"
            raise InputError(
                f"backbone.source={self.source}: no word vectors there; found {listing}",
                expected="a file such as glove.6B.50d.txt, or a folder with one *.txt file",
                remedy="unpack https://nlp.stanford.edu/data/glove.6B.zip and pass backbone.source=<the file>",
            )
        return found[0]

    @property
    def vectors(self) -> WordVectors:
        """What is in the file."""
        state = self.path.stat()
        return read_vectors(self.path, state.st_mtime_ns)

    def identify(self) -> dict[str, object]:
        """The contents of the file, and how texts are divided."""
        return {"extractor": "glove", "weights": hash_files([self.path]), "forward": FORWARD}

    def encode_text(self, text: str) -> np.ndarray:
        """Numbers of the known words [T], or of nothing."""
        numbers = self.vectors.numbers
        found = [numbers[piece] for word in split_words(text) for piece in divide(word, numbers)]
        return np.array(found or [NOTHING], dtype=np.int64)

    def count_unknown(self, text: str) -> tuple[int, int]:
        """Words without a vector, and all words."""
        words, numbers = split_words(text), self.vectors.numbers
        return sum(not divide(word, numbers) for word in words), len(words)

    def bring(self, folder: Path) -> dict[str, Path]:
        """Copy the vectors into a folder; see :mod:`ser.deployment.weights`."""
        folder.mkdir(parents=True, exist_ok=True)
        return {"source": Path(shutil.copy2(self.path, folder))}

    def build(self) -> WordNetwork:
        """The vectors as a network."""
        from ser.backbone.words_network import load_glove

        return load_glove(self)


def divide(word: str, numbers: Mapping[str, int]) -> list[str]:
    """The parts of a word that have vectors: itself, or the parts of a contraction, or none."""
    if word in numbers:
        return [word]
    known = [[piece for piece in pieces if piece in numbers] for pieces in list_divisions(word)]
    return max(known, key=len, default=[])


def list_divisions(word: str) -> Iterator[tuple[str, str]]:
    """Ways to divide a contraction: ``don't`` to ``do n't``, ``it's`` to ``it 's``, ``l'aglio`` to ``l' aglio``."""
    if word.endswith("n't"):
        yield word[:-3], "n't"
    head, mark, tail = word.partition("'")
    if mark:
        yield head, mark + tail
        yield head + mark, tail


@lru_cache(maxsize=2)
def read_vectors(path: Path, changed: int) -> WordVectors:  # noqa: ARG001 - part of what is remembered
    """Vectors from a file in the publisher's format.

    Args:
        path: the file.
        changed: when it was changed last.

    Raises:
        InputError: a line that is not a word and as many numbers as the first line has.
    """
    numbers: dict[str, int] = {}
    rows: list[np.ndarray] = []
    size = 0
    with path.open(encoding="utf-8") as file:
        for place, line in enumerate(file, 1):
            size = size or len(line.split(" ")) - 1
            word, *values = line.rstrip("\n").rsplit(" ", size)  # some words of glove.840B have blanks
            row = parse(values, size)
            if row is None or not word:
                raise InputError(
                    f"{path}: line {place} is not a word and {size} numbers: {line[:40]!r}",
                    expected="GloVe's text format: in each line a word and its numbers, with single blanks between",
                    remedy="remove a header line, as word2vec writes one; download a file that broke off again",
                )
            if word not in numbers:
                numbers[word] = len(rows) + 1
                rows.append(row)
    if not rows:
        raise InputError(f"{path}: the file is empty", expected="GloVe's text format")
    return WordVectors(numbers, np.vstack([np.zeros((1, size), dtype=np.float32), *rows]))


def parse(values: list[str], size: int) -> np.ndarray | None:
    """Numbers [size], or ``None`` where they are fewer or something else; one number alone is no vector."""
    if len(values) != size or size < 2:
        return None
    try:
        row = np.array(values, dtype=np.float32)
    except ValueError:
        return None
    return row if np.isfinite(row).all() else None
