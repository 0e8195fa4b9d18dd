"""Text encoders of transformers, by hub id or folder, or a small one trained from scratch. Imports no torch.

Sources: BERT (Devlin et al., 2019) and its many successors; sentence encoders of the same layout (Reimers and
Gurevych, 2019) are read alike, with ``pooling=mean``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from omegaconf import OmegaConf

from ser.backbone.base import Layer
from ser.backbone.weights import Checkpoint, find_checkpoint
from ser.backbone.words import UNKNOWN, build_vocabulary, encode_words, number_words, require_vocabulary, split_words
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.text_network import TextNetwork

#: Raised when the same weights and text come to yield other frames, so that no stored ones are taken for them.
FORWARD = 1


@dataclass(frozen=True)
class TextEncoder:
    """A network of transformers that reads tokens in both directions, its tokeniser and its weights.

    Without ``source`` it is trained from scratch: its configuration is ``config``, its tokens are the words of the
    fold's training texts.

    Args:
        source: a folder or an id on the Hugging Face hub; ``None`` for random weights.
        revision: of an id on the hub.
        layer: hidden state that a head sees: 0 enters the first block, -1 is the last; or ``mix``.
        config: values of the network's configuration, in place of the checkpoint's; all of it for random weights.
        max_tokens: longer transcripts are cut.
        missing: see :class:`ser.backbone.base.TextBackbone`.
        rate: sampling rate in Hz at which the clips' audio is checked.
        vocabulary: learned, without ``source``; ``None`` before that.
    """

    frames: ClassVar[bool] = True
    reads: ClassVar[str] = "text"

    source: str | None = None
    revision: str | None = None
    layer: Layer = -1
    config: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int = 128
    missing: str = "error"
    rate: int = 16000
    vocabulary: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        plain: Any = self.config or {}
        if OmegaConf.is_config(plain):
            plain = OmegaConf.to_container(plain, resolve=True)
        object.__setattr__(self, "config", dict(plain))
        if self.max_tokens < 3:
            raise InputError(f"backbone.max_tokens={self.max_tokens}", expected="3 or more: two tokens mark the ends")

    @property
    def pretrained(self) -> bool:
        """Whether its weights mean something before training."""
        return bool(self.source)

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """Files of the weights; none where they are random."""
        return find_checkpoint(self.source, self.revision) if self.source else None

    @cached_property
    def tokeniser(self) -> Any:
        """The tokeniser that belongs to the checkpoint.

        Raises:
            InputError: there is none beside the weights.
        """
        assert self.checkpoint is not None and self.source is not None
        try:
            return load_tokeniser(self.checkpoint.config.parent, local_files_only=True)
        except Exception as here:  # transformers has no one kind for files that are missing
            try:
                return load_tokeniser(self.source, revision=self.revision)
            except Exception:
                reason = str(here).strip().partition("\n")[0]
                raise InputError(
                    f"backbone.source={self.source}: no tokeniser can be read from there ({reason})",
                    expected="tokenizer.json, or the vocabulary of the checkpoint's own tokeniser, beside config.json",
                    remedy="where the hub can be reached, `hf download <id> --local-dir DIR`; then backbone.source=DIR",
                ) from here

    def read_config(self) -> dict[str, Any]:
        """The network's configuration, as the checkpoint, the user and a learned vocabulary say."""
        config = (self.checkpoint.read_config() if self.checkpoint else {}) | dict(self.config)
        if "model_type" not in config:
            raise InputError(f"backbone.source={self.source}: no model_type", remedy="backbone.config.model_type=bert")
        if self.checkpoint is None and self.vocabulary is not None:
            config |= {"vocab_size": UNKNOWN + 1 + len(self.vocabulary), "pad_token_id": 0}
        return config

    def identify(self) -> dict[str, object]:
        """Family, version, weights, tokeniser; of random weights nothing that the configuration does not say."""
        if self.checkpoint is None:
            return {"versions": {"transformers": version("transformers")}, "forward": FORWARD}
        return {
            "family": self.read_config()["model_type"],
            "versions": {"transformers": version("transformers")},
            "forward": FORWARD,
            "config": dict(self.config),
            "weights": self.checkpoint.hash(),
            "tokeniser": hash_tokeniser(self.tokeniser),
            "max_tokens": self.max_tokens,
        }

    def learn(self, texts: Iterable[str]) -> TextEncoder:
        """With the vocabulary of training texts, unless a checkpoint has its own."""
        return self if self.source else replace(self, vocabulary=build_vocabulary(texts))

    def recall(self, vocabulary: Sequence[str]) -> TextEncoder:
        """With a vocabulary that was learned before."""
        return replace(self, vocabulary=tuple(vocabulary))

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Word → its number, of a learned vocabulary."""
        return number_words(require_vocabulary(self))

    def encode_text(self, text: str) -> np.ndarray:
        """A transcript as numbers of tokens [T], with those that the checkpoint's tokeniser puts around a text."""
        if not self.source:
            return encode_words(text, self.numbers)[: self.max_tokens]
        found = self.tokeniser(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return np.array(found or [self.tokeniser.unk_token_id or 0], dtype=np.int64)

    def count_unknown(self, text: str) -> tuple[int, int]:
        """Tokens that stand for something unknown, and all tokens of the text."""
        if not self.source:
            words = split_words(text)
            return sum(word not in self.numbers for word in words), len(words)
        found = self.tokeniser(text, add_special_tokens=False)["input_ids"]
        return found.count(self.tokeniser.unk_token_id), len(found)

    def bring(self, folder: Path) -> dict[str, Path]:
        """Write weights, settings and tokeniser into a folder; see :mod:`ser.deployment.weights`."""
        if self.checkpoint is None:
            return {}
        from ser.language.folder import save_encoder

        save_encoder(self.build(), {}, folder)
        self.tokeniser.save_pretrained(folder)
        return {"source": folder}

    def build(self) -> TextNetwork:
        """The network with its weights."""
        from ser.backbone.text_network import load_text

        return load_text(self)


def load_tokeniser(place: Any, **options: Any) -> Any:
    """A tokeniser of transformers.

    Raises:
        ValueError: it has no words; transformers makes such a one where files are missing.
    """
    from transformers import AutoTokenizer

    made = AutoTokenizer.from_pretrained(place, **options)
    if len(made.get_vocab()) <= len(made.all_special_tokens):
        raise ValueError("it has no vocabulary")
    return made


def hash_tokeniser(tokeniser: Any) -> str:
    """Hash of all that a tokeniser does."""
    backend = getattr(tokeniser, "backend_tokenizer", None)
    content = repr(sorted(tokeniser.get_vocab().items())) if backend is None else backend.to_str()
    return blake2b(f"{type(tokeniser).__name__} {content}".encode(), digest_size=16).hexdigest()
