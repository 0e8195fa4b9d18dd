"""Embeddings of words as networks of frames: a frame a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ser.backbone.base import Tokens
from ser.backbone.words import NOTHING, UNKNOWN, require_vocabulary

if TYPE_CHECKING:
    from ser.backbone.glove import GloVe
    from ser.backbone.words import Words


class WordNetwork(nn.Module):
    """Numbers of words to their embeddings.

    Args:
        embedding: row 0 is that of nothing.
        encode: a text to numbers.
        rate: see :class:`ser.backbone.base.TextBackbone`.
        vocabulary: where it was learned; ``None`` where it comes with the vectors.
    """

    depth = 1

    def __init__(
        self,
        embedding: nn.Embedding,
        encode: Callable[[str], np.ndarray],
        rate: int,
        vocabulary: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.encode_text = encode
        self.rate = rate
        self.dim = embedding.embedding_dim
        self.vocabulary = vocabulary

    @property
    def tokens(self) -> Tokens:
        """In words: they have no time."""
        return Tokens(0.0, 1.0)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """None."""
        return ()

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """None."""
        return ()

    def forward(self, words: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Numbers [B, T] with lengths [B] in words to the one hidden state [B, T, dim] with the same lengths."""
        return [self.embedding(words)], lengths


def make_words(backbone: Words) -> WordNetwork:
    """Fresh embeddings of a learned vocabulary."""
    vocabulary = require_vocabulary(backbone)
    embedding = nn.Embedding(UNKNOWN + 1 + len(vocabulary), backbone.dim, padding_idx=NOTHING)
    return WordNetwork(embedding, backbone.encode_text, backbone.rate, vocabulary)


def load_glove(backbone: GloVe) -> WordNetwork:
    """Published vectors, which stay as they are; nothing and unknown words are zero."""
    vectors = torch.from_numpy(backbone.vectors.matrix)
    return WordNetwork(nn.Embedding.from_pretrained(vectors, freeze=True), backbone.encode_text, backbone.rate)
