"""What a backbone is: functionals of a clip, or a network whose frames a head pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

#: A hidden state by number (0: what enters the first block, -1: the last), or a learned softmax mix of all of them.
Layer = int | Literal["mix"]


class Tokens(NamedTuple):
    """Frame ``i`` of a network is centred at ``first + i * step`` s from the first sample."""

    first: float
    step: float


def reads_text(backbone: Any) -> bool:
    """Whether a backbone reads transcripts (``reads = "text"``); one that does not say what it reads hears audio."""
    return getattr(backbone, "reads", "audio") == "text"


def is_trainable(backbone: Any) -> bool:
    """Whether a backbone is a network with weights to train, as it is unless it says ``trainable = False``."""
    return bool(backbone.frames and getattr(backbone, "trainable", True))


class Functionals(Protocol):
    """A backbone without frames: openSMILE's functionals, for instance. Nothing in it is ever trained.

    One that reads text has ``reads = "text"`` and ``missing`` as a :class:`TextBackbone` has, and computes its vector
    of a transcript.
    """

    frames: ClassVar[bool]  # False
    rate: int

    def identify(self) -> dict[str, object]:
        """Everything that decides what :meth:`compute` yields."""

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Functionals [D] of a waveform [T] at ``rate``; must be safe to call from several threads."""


class FrameBackbone(Protocol):
    """What a network that yields frames is made of; importing and creating it loads neither torch nor weights.

    Attributes:
        rate: sampling rate in Hz at which it reads clips.
        layer: which hidden state a head sees.
        pretrained: whether its weights mean something before training.
    """

    frames: ClassVar[bool]  # True
    rate: int
    layer: Layer
    pretrained: bool

    def identify(self) -> dict[str, object]:
        """Everything that decides the frames (family, versions, hash of the weights, parameters), but not ``layer``."""

    def build(self) -> FrameNetwork:
        """The network with its weights.

        Raises:
            InputError: weights that cannot be found, or that do not fill the network.
        """


class TextBackbone(FrameBackbone, Protocol):
    """A :class:`FrameBackbone` that reads transcripts: its network gets numbers of tokens in place of samples.

    One that learns its vocabulary has ``learn(texts)`` and ``recall(vocabulary)``, which give the backbone with one,
    and is never frozen: features are stored before there are folds, a vocabulary is one fold's.

    Attributes:
        reads: ``"text"``.
        missing: ``error`` refuses clips without a transcript, ``mask`` reads them as saying nothing.
        rate: sampling rate in Hz at which the clips' audio is checked; nothing else of it is used.
    """

    reads: ClassVar[str]
    missing: str

    def encode_text(self, text: str) -> np.ndarray:
        """A transcript as numbers of tokens [T], int64, at least one."""

    def count_unknown(self, text: str) -> tuple[int, int]:
        """How many words (or tokens) of a transcript it does not know, and how many there are."""


class FrameNetwork(Protocol):
    """A network from waveforms to hidden states; what a clip yields never depends on its batch or its padding.

    Attributes:
        rate: sampling rate in Hz.
        dim: size D of its frames.
        depth: number L of its hidden states.
        front_end: modules that turn the waveform into frames; fine-tuning leaves them frozen unless told otherwise.
        blocks: its trunk from bottom to top.
        tokens: when its frames are centred.
    """

    rate: int
    dim: int
    depth: int

    @property
    def tokens(self) -> Tokens:
        """See above."""

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """See above."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """See above."""

    def __call__(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T], zero beyond lengths [B] in samples, to L tensors [B, F, D] with lengths [B] in frames.

        Of text: tokens [B, T], int64, with lengths [B] in tokens. Such a network has ``encode_text``, as its backbone.
        """
