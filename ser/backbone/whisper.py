"""The encoder of Whisper (Radford et al., 2023) of transformers. Importing this loads neither torch nor weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ser.backbone.transformer import Transformer
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.whisper_network import WhisperNetwork


@dataclass(frozen=True)
class Whisper(Transformer):
    """Whisper's encoder; of a whole Whisper, the decoder is left out.

    Args:
        max_frames: ``real`` reads a clip's own log-mel frames alone; the number of frames in a window (3000, which are
            30 s) pads each clip with silence to a whole window, as Whisper was trained: many times the work for short
            clips, and other embeddings. Either way a clip's own frames alone are handed on.

    Raises:
        InputError: another ``max_frames``.
    """

    families: ClassVar[tuple[str, ...]] = ("whisper",)

    max_frames: Literal["real"] | int = "real"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_frames != "real" and not (isinstance(self.max_frames, int) and self.max_frames > 0):
            raise InputError(f"backbone.max_frames={self.max_frames}", expected="real, or 3000")

    def identify(self) -> dict[str, object]:
        """Everything that decides the frames."""
        return super().identify() | {"max_frames": self.max_frames}

    def build(self) -> WhisperNetwork:
        """The network with its weights."""
        from ser.backbone.whisper_network import load_whisper

        return load_whisper(self)
