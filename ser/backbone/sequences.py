"""MFCC, chroma and mel bands as sequences: the speech features of the third published system (Kumar et al., 2021).

Published were their means over time (40 + 12 + 128 = 180 numbers a clip), fed to recurrent networks as if they were
sequences. Here they are sequences; ``pooling=mean`` gives the published vector. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.sequence_network import SequenceNetwork

#: Raised when the same settings come to yield other frames, so that no stored ones are taken for them.
FORWARD = 1
PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Sequences:
    """Frames with MFCC, chroma and mel bands side by side; nothing in them is trained.

    Settings of the published features at 16 kHz are the defaults. Chroma is relative to A = 440 Hz; what was published
    estimates the tuning of each clip, which speech does not have.

    Args:
        parts: which of them, in this order.
        mfcc: number of cepstral coefficients, from the bands in dB, at most 80 dB below the clip's loudest.
        mels: number of mel bands, as power.
        fft: length of the Fourier transform and of its window in samples.
        hop: step between frames in samples.
        rate: sampling rate in Hz at which clips are read.

    Raises:
        InputError: a part that there is not, none, or one twice; sizes that cannot be.
    """

    frames: ClassVar[bool] = True
    pretrained: ClassVar[bool] = True
    trainable: ClassVar[bool] = False
    layer: ClassVar[int] = -1

    parts: Sequence[str] = ("mfcc", "chroma", "mel")
    mfcc: int = 40
    mels: int = 128
    fft: int = 2048
    hop: int = 512
    rate: int = 16000

    def __post_init__(self) -> None:
        known = ("mfcc", "chroma", "mel")
        if not self.parts or len(set(self.parts)) < len(self.parts) or not set(self.parts) <= set(known):
            raise InputError(f"backbone.parts={list(self.parts)}", expected=f"some of {', '.join(known)}, each once")
        if not 1 <= self.mfcc <= self.mels or not 1 <= self.hop <= self.fft:
            raise InputError(
                f"backbone: mfcc={self.mfcc}, mels={self.mels}, hop={self.hop}, fft={self.fft}",
                expected="as many bands as coefficients at least, a hop no longer than the window",
            )

    @property
    def part_sizes(self) -> dict[str, int]:
        """How many numbers of a frame belong to each part."""
        sizes = {"mfcc": self.mfcc, "chroma": len(PITCHES), "mel": self.mels}
        return {part: sizes[part] for part in self.parts}

    @property
    def names(self) -> list[str]:
        """Name of each number of a frame."""
        numbered = {part: [str(place) for place in range(size)] for part, size in self.part_sizes.items()}
        return [f"{part}_{name}" for part in self.parts for name in (PITCHES if part == "chroma" else numbered[part])]

    def identify(self) -> dict[str, object]:
        """Name and parameters."""
        sizes = {"sizes": list(self.part_sizes.items()), "fft": self.fft, "hop": self.hop, "mels": self.mels}
        return {"extractor": "sequences", "forward": FORWARD, "rate": self.rate, **sizes}

    def build(self) -> SequenceNetwork:
        """What computes them."""
        from ser.backbone.sequence_network import SequenceNetwork

        return SequenceNetwork(self)
