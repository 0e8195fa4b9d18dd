"""A small residual CNN on log-mel spectrograms (the network of the Beyond-Saliency study), trained from scratch.

Front end: 128 mel bands, window 30 ms, hop 15 ms. Network: 7x7 convolution to 32 channels, max pooling, residual blocks
32 to 64 and 64 to 128 (stride 2); about 0.3 million parameters. Every stage honours the clips' lengths, so what a clip
yields does not depend on its batch. ReLU and addition are modules, so that relevance can be propagated through them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ser.backbone.base import Tokens
from ser.backbone.masked import MaskedBatchNorm2d, make_mask
from ser.backbone.spectrogram import SpectrogramGrid, find_centres
from ser.errors import InputError


class LogMel(nn.Module):
    """Waveforms [B, T] and lengths [B] (samples) to log-mel [B, mels, F] in dB and lengths [B] (frames)."""

    def __init__(self, rate: int, mels: int, fft: int, window: int, hop: int) -> None:
        super().__init__()
        try:
            from torchaudio.transforms import MelSpectrogram
        except (ImportError, OSError) as error:
            raise InputError(f"torchaudio cannot be loaded ({error})", remedy="run `ser doctor --fix`") from error
        self.hop = hop
        # Constant padding: beyond its end a clip looks the same alone and padded with zeros in a batch.
        self.spectrogram = MelSpectrogram(
            rate, fft, window, hop, n_mels=mels, pad_mode="constant", norm="slaney", mel_scale="slaney"
        )

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute."""
        power = self.spectrogram(waveforms)
        return 10 * torch.log10(power.clamp(min=1e-10)), 1 + lengths // self.hop


class Sum(nn.Module):
    """Addition, as a module."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Add."""
        return a + b


class Block(nn.Module):
    """Two 3x3 convolutions with a 1x1 shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = MaskedBatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = MaskedBatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.norm3 = MaskedBatchNorm2d(outputs)
        self.sum = Sum()
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C, H, T] and lengths [B] to the same of the next stage."""
        if self.stride == 2:
            lengths = halve(lengths)
        inner = self.conv1(x)
        mask = mask_time(lengths, inner)
        inner = self.conv2(self.relu1(self.norm1(inner, mask)))
        return self.relu2(self.sum(self.norm2(inner, mask), self.norm3(self.shortcut(x), mask))), lengths


@dataclass(frozen=True)
class MelCNN:
    """The network and its size; it has one layer and starts untrained.

    Args:
        rate: sampling rate in Hz at which clips are read.
        mels: mel bands.
        fft: length of the Fourier transform in samples.
        window: length of the window in samples.
        hop: step between frames in samples.
        width: channels after the first convolution; the blocks have two and four times as many.
        spec_augment: masks log-mel spectrograms [B, mels, F] in training, or ``None``.
    """

    frames: ClassVar[bool] = True
    pretrained: ClassVar[bool] = False
    layer: ClassVar[int] = -1

    rate: int = 16000
    mels: int = 128
    fft: int = 1024
    window: int = 480
    hop: int = 240
    width: int = 32
    spec_augment: nn.Module | None = None

    def identify(self) -> dict[str, object]:
        """Nothing that the configuration does not say: its weights come from training."""
        return {}

    def build(self) -> MelNetwork:
        """With fresh weights."""
        return MelNetwork(self)


class MelNetwork(nn.Module):
    """Waveforms to frames."""

    depth = 1

    def __init__(self, options: MelCNN) -> None:
        super().__init__()
        width = options.width
        self.rate = options.rate
        self.dim = 4 * width
        self.mel = LogMel(options.rate, options.mels, options.fft, options.window, options.hop)
        self.spec_augment = deepcopy(options.spec_augment) or None  # the choice none composes to an empty mapping
        self.norm0 = MaskedBatchNorm2d(1)
        self.conv1 = nn.Conv2d(1, width, 7, 2, 3, bias=False)
        self.norm1 = MaskedBatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.block1 = Block(width, 2 * width, 1)
        self.block2 = Block(2 * width, 4 * width, 2)
        # Half the time of a forward pass on CPUs; torch's annotations know no call with a format alone.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def grid(self) -> SpectrogramGrid:
        """Where the cells of its spectrograms lie."""
        return SpectrogramGrid(self.mel.hop / self.rate, find_centres(self.mel.spectrogram), 10 * math.log10(1e-10))

    @property
    def tokens(self) -> Tokens:
        """Three steps halve the number of frames, each centred on every second one of those before."""
        return Tokens(0.0, 8 * self.mel.hop / self.rate)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """None: the spectrogram has no weights."""
        return ()

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The residual blocks."""
        return self.block1, self.block2

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T] at :attr:`rate` with lengths [B] in samples to frames [B, F, dim] with lengths [B]."""
        mel, frames = self.look(waveforms, lengths)
        if self.spec_augment is not None:
            mel = self.spec_augment(mel, frames)
        return self.listen(mel, frames)

    def look(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, T] and lengths [B] in samples to spectrograms [B, M, F] and lengths [B] in frames."""
        return self.mel(waveforms, lengths)

    def listen(self, mel: Tensor, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """Spectrograms [B, M, F] with lengths [B] to the one hidden state and its lengths."""
        x = mel.unsqueeze(1)
        x = self.norm0(x, mask_time(frames, x))
        x, frames = self.conv1(x), halve(frames)
        x = self.relu1(self.norm1(x, mask_time(frames, x)))
        # After ReLU nothing is below zero, so the pool sees zeros beyond a clip's end as it sees its own padding; what
        # it carries over the end is cut off.
        x, frames = self.pool(x), halve(frames)
        x = x * mask_time(frames, x)
        x, frames = self.block1(x, frames)
        x, frames = self.block2(x, frames)
        return [x.mean(2).transpose(1, 2)], frames


def halve(lengths: Tensor) -> Tensor:
    """Frames left after an odd kernel with stride 2 and half padding: those centred inside the clip."""
    return (lengths + 1) // 2


def mask_time(lengths: Tensor, x: Tensor) -> Tensor:
    """1 inside the clips, 0 beyond: [B, 1, 1, T] for x [B, C, H, T]."""
    return make_mask(lengths, x.shape[-1])[:, None, None, :].to(x.dtype)
