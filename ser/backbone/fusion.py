"""A backbone that hears and one that reads, side by side. Importing this loads no torch.

Each branch is any other choice of ``conf/backbone``, with a pooling and a fine-tuning of its own if wanted. How the two
become one decision is a choice of ``conf/fusion`` (:mod:`ser.fusion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ser.backbone.base import reads_text
from ser.errors import InputError


@dataclass(frozen=True)
class Fusion:
    """Two backbones.

    Args:
        audio: hears the clips.
        text: reads their transcripts.
        pooling: of ``audio``, of ``text``, as ``conf/pooling`` has them; a branch without has that of the run.
        finetune: likewise, of ``conf/finetune``.

    Raises:
        InputError: a branch that reads what the other should.
    """

    #: A head gets what the two yield, not frames.
    frames: ClassVar[bool] = False

    audio: Any
    text: Any
    pooling: Mapping[str, Any] = field(default_factory=dict)
    finetune: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, branch, reads, choices in (
            ("audio", self.audio, "sound", "byol_s, wav2vec2_base, sequences, egemaps"),
            ("text", self.text, "transcripts", "glove, words, text_encoder, sentence_use"),
        ):
            if reads_text(branch) != (name == "text"):
                other = "sound" if name == "text" else "transcripts"
                raise InputError(
                    f"backbone@backbone.{name}: {type(branch).__name__} reads {other}",
                    expected=f"a backbone that reads {reads}, such as {choices}",
                )

    @property
    def branches(self) -> tuple[Any, Any]:
        """Both."""
        return self.audio, self.text

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which clips are heard."""
        return int(self.audio.rate)

    @property
    def source(self) -> str:
        """Where the weights come from, for people."""
        return " and ".join(str(getattr(each, "source", None) or type(each).__name__) for each in self.branches)

    def identify(self) -> dict[str, object]:
        """What decides the features of either branch."""
        return {"audio": self.audio.identify(), "text": self.text.identify()}
