"""MFCC, chroma and mel bands of clips of different lengths, each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ser.backbone.base import Tokens
from ser.backbone.masked import make_mask
from ser.backbone.sequences import PITCHES
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.sequences import Sequences

#: Least power that has a logarithm, and how many dB below its loudest band a clip's bands are cut.
FLOOR, RANGE = 1e-10, 80.0
#: Hz of the A in octave 4.
CONCERT_PITCH = 440.0
#: Octave that counts most in chroma, and standard deviation of the weight of the others, in octaves.
OCTAVE, OCTAVES = 5.0, 2.0


class SequenceNetwork(nn.Module):
    """Waveforms to frames; it has no weights.

    Args:
        options: which parts, of which sizes.
    """

    depth = 1
    window: Tensor
    mel: Tensor
    pitch: Tensor
    cosines: Tensor

    def __init__(self, options: Sequences) -> None:
        super().__init__()
        try:
            from torchaudio.functional import create_dct, melscale_fbanks
        except (ImportError, OSError) as error:
            raise InputError(f"torchaudio cannot be loaded ({error})", remedy="run `ser doctor --fix`") from error
        self.rate, self.fft, self.hop = options.rate, options.fft, options.hop
        self.parts = tuple(options.parts)
        self.dim = sum(options.part_sizes.values())
        bins = options.fft // 2 + 1
        mel = melscale_fbanks(bins, 0.0, options.rate / 2, options.mels, options.rate, "slaney", "slaney")
        self.register_buffer("window", torch.hann_window(options.fft), persistent=False)
        self.register_buffer("mel", mel, persistent=False)
        self.register_buffer("pitch", make_chroma(options.rate, options.fft), persistent=False)
        self.register_buffer("cosines", create_dct(options.mfcc, options.mels, "ortho"), persistent=False)

    @property
    def tokens(self) -> Tokens:
        """Centres of the windows."""
        return Tokens(0.0, self.hop / self.rate)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """None: there are no weights."""
        return ()

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """None."""
        return ()

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T] with lengths [B] in samples to the one hidden state [B, F, dim] with lengths [B]."""
        lengths = lengths.to(waveforms.device)
        inside = waveforms * make_mask(lengths, waveforms.shape[1])
        transform = torch.stft(inside, self.fft, self.hop, window=self.window, pad_mode="constant", return_complex=True)
        power, frames = transform.abs().square().transpose(1, 2), 1 + lengths // self.hop
        mask = make_mask(frames, power.shape[1])[..., None]
        bands = power @ self.mel
        make = {
            "mfcc": lambda: self.find_cepstra(bands, mask),
            "chroma": lambda: self.find_chroma(power),
            "mel": lambda: bands,
        }
        return [torch.cat([make[part]() for part in self.parts], dim=-1) * mask], frames

    def find_cepstra(self, bands: Tensor, mask: Tensor) -> Tensor:
        """MFCC [B, F, C] of mel bands [B, F, M]; mask [B, F, 1] is true inside the clips."""
        decibels = 10 * bands.clamp(min=FLOOR).log10()
        loudest = decibels.masked_fill(~mask, -torch.inf).amax((1, 2), keepdim=True)
        return decibels.maximum(loudest - RANGE) @ self.cosines

    def find_chroma(self, power: Tensor) -> Tensor:
        """Share of each pitch class [B, F, 12] of spectra [B, F, bins], relative to the strongest of a frame."""
        chroma = power @ self.pitch
        return chroma / chroma.amax(-1, keepdim=True).clamp(min=torch.finfo(chroma.dtype).tiny)


def make_chroma(rate: int, fft: int) -> Tensor:
    """What each bin of a spectrum adds to each pitch class [bins, 12], from C to B (Ellis, 2007).

    A bin adds to the classes near its frequency by a bell curve as wide as the bin is in semitones; its weights have
    norm 1, and bins far from :data:`OCTAVE` count less.
    """
    hertz = torch.arange(1, fft, dtype=torch.float64) * rate / fft
    octaves = torch.log2(hertz / (CONCERT_PITCH / 16))  # above A in octave 0
    semitones = len(PITCHES) * octaves
    # The bin of constant power has no pitch: it lies an octave and a half below the first, and counts next to nothing.
    semitones = torch.cat([semitones[:1] - 1.5 * len(PITCHES), semitones])
    width = torch.cat([semitones.diff().clamp(min=1), torch.ones(1, dtype=torch.float64)])
    classes = torch.arange(len(PITCHES), dtype=torch.float64)
    half = len(PITCHES) / 2
    distance = (semitones[:, None] - classes + half) % len(PITCHES) - half
    weight = torch.exp(-0.5 * (2 * distance / width[:, None]).square())
    weight = weight / weight.norm(dim=1, keepdim=True)
    far = (semitones / len(PITCHES) - OCTAVE) / OCTAVES
    weight = weight * torch.exp(-0.5 * far.square())[:, None]
    from_c = weight.roll(-3, dims=1)  # from A to C
    return from_c[: fft // 2 + 1].float()
