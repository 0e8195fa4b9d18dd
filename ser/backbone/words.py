"""Words of a text, and a vocabulary of the words of training texts. Importing this loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ser.errors import InputError
from ser.language.texts import normalise

if TYPE_CHECKING:
    from ser.backbone.words_network import WordNetwork

#: Numbers of a learned vocabulary before those of its words: nothing (padding) and any word that it does not have.
NOTHING, UNKNOWN = 0, 1


def split_words(text: str) -> list[str]:
    """Words of a text, in lower case and without punctuation (:func:`ser.language.texts.normalise`)."""
    return normalise(text).split()


def build_vocabulary(texts: Iterable[str], min_count: int = 1) -> tuple[str, ...]:
    """Words that occur at least so many times in texts, sorted."""
    counts = Counter(word for text in texts for word in split_words(text))
    return tuple(sorted(word for word, count in counts.items() if count >= min_count))


def number_words(vocabulary: Sequence[str]) -> dict[str, int]:
    """Word → its number."""
    return {word: number for number, word in enumerate(vocabulary, UNKNOWN + 1)}


def encode_words(text: str, numbers: Mapping[str, int]) -> np.ndarray:
    """A text as numbers [T], int64; one unknown word where it has none."""
    found = [numbers.get(word, UNKNOWN) for word in split_words(text)]
    return np.array(found or [UNKNOWN], dtype=np.int64)


@dataclass(frozen=True)
class Words:
    """Word embeddings trained from scratch with the head, over the vocabulary of the fold's training texts.

    Args:
        dim: of an embedding.
        min_count: words that occur fewer times in the training texts are unknown.
        missing: see :class:`ser.backbone.base.TextBackbone`.
        rate: sampling rate in Hz at which the clips' audio is checked.
        vocabulary: learned; ``None`` before that.
    """

    frames: ClassVar[bool] = True
    reads: ClassVar[str] = "text"
    pretrained: ClassVar[bool] = False
    layer: ClassVar[int] = -1

    dim: int = 50
    min_count: int = 1
    missing: str = "error"
    rate: int = 16000
    vocabulary: tuple[str, ...] | None = None

    def identify(self) -> dict[str, object]:
        """Nothing that the configuration does not say: vocabulary and weights come from training."""
        return {}

    def learn(self, texts: Iterable[str]) -> Words:
        """With the vocabulary of training texts."""
        return replace(self, vocabulary=build_vocabulary(texts, self.min_count))

    def recall(self, vocabulary: Sequence[str]) -> Words:
        """With a vocabulary that was learned before."""
        return replace(self, vocabulary=tuple(vocabulary))

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Word → its number."""
        return number_words(require_vocabulary(self))

    def encode_text(self, text: str) -> np.ndarray:
        """A transcript as numbers of words [T]."""
        return encode_words(text, self.numbers)

    def count_unknown(self, text: str) -> tuple[int, int]:
        """Words that no training text has, and all words."""
        words = split_words(text)
        return sum(word not in self.numbers for word in words), len(words)

    def build(self) -> WordNetwork:
        """With fresh embeddings."""
        from ser.backbone.words_network import make_words

        return make_words(self)


def require_vocabulary(backbone: Any) -> tuple[str, ...]:
    """The vocabulary that a backbone has learned.

    Raises:
        InputError: none yet.
    """
    if backbone.vocabulary is None:
        raise InputError(
            f"{type(backbone).__name__}: its vocabulary is that of training texts, and it has seen none",
            remedy="train it: finetune=full",
        )
    return backbone.vocabulary
