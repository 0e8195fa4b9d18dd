"""BYOL-A and BYOL-S as networks: log-mel spectrogram, encoder, frames.

The convolutional encoder is AudioNTT2020 of BYOL for Audio (Niizumi et al., IJCNN 2021, arXiv:2103.06695; structure and
names of the weights as in ``byol_a/models.py`` of github.com/nttcslab/byol-a), which BYOL-S trains on speech
(Scheidwasser-Clow et al., ICASSP 2022, arXiv:2110.03414). Its published pooling, mean plus maximum over time, is left
to the head. Every stage honours the clips' lengths, so what a clip yields does not depend on its batch.
"""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ser.backbone.base import Tokens
from ser.backbone.checkpoint import check, make_random
from ser.backbone.masked import MaskedBatchNorm2d, find_longest, make_mask
from ser.backbone.mel_cnn import mask_time
from ser.backbone.spectrogram import SpectrogramGrid, find_centres
from ser.backbone.weights import hash_parameters
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.byol import BYOL

log = logging.getLogger(__name__)

#: The spectrogram of all published encoders: bands, length of the Fourier transform and hop in samples, limits in Hz.
SPECTROGRAM: dict[str, Any] = {"mels": 64, "fft": 1024, "hop": 160, "low": 60.0, "high": 7800.0}

#: Samples that a CPU takes at once: the first convolution makes 100 bytes of each, and larger maps leave its cache.
AT_ONCE = 100_000
#: What is added to the power before the logarithm: the epsilon of float32, as in the published code.
EPSILON = torch.finfo(torch.float32).eps


class Encoder(nn.Module):
    """From log-mel spectrograms to frames.

    Attributes:
        dim: size D of its frames.
        shortest: fewest frames of the spectrogram from which it makes one frame.
        centre: frame of the spectrogram on which its first one is centred.
        stride: frames of the spectrogram from one to the next.
    """

    dim: int
    shortest: int
    centre: float
    stride: int

    @property
    def front_end(self) -> list[nn.Module]:
        """Convolutions below the trunk; see :class:`ser.backbone.base.FrameNetwork`."""
        raise NotImplementedError

    @property
    def blocks(self) -> list[nn.Module]:
        """The trunk from bottom to top."""
        raise NotImplementedError

    def forward(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Spectrograms [B, mels, F] with zeros beyond the ends and lengths [B] to frames [B, F', D] and lengths [B]."""
        raise NotImplementedError


class NormalisedLogMel(nn.Module):
    """Natural logarithm of the mel power, minus a constant mean, over a constant standard deviation.

    The published front end takes torchaudio's defaults: periodic Hann window, HTK scale, triangles of height 1, frames
    centred at multiples of the hop, the clip mirrored at both ends. Mirroring happens at each clip's own end.

    Args:
        rate: sampling rate in Hz.
        window: length of the window in samples.
        mean: mean that is subtracted, a constant for all clips.
        std: standard deviation that is divided by.
        mels: mel bands.
        fft: length of the Fourier transform in samples.
        hop: step between frames in samples.
        low: lowest frequency in Hz.
        high: highest frequency in Hz.
    """

    def __init__(
        self, *, rate: int, window: int, mean: float, std: float, mels: int, fft: int, hop: int, low: float, high: float
    ) -> None:
        super().__init__()
        try:
            from torchaudio.transforms import MelSpectrogram
        except (ImportError, OSError) as error:
            raise InputError(f"torchaudio cannot be loaded ({error})", remedy="run `ser doctor --fix`") from error
        self.margin = fft // 2
        self.hop = hop
        self.mean = mean
        self.std = std
        self.spectrogram = MelSpectrogram(rate, fft, window, hop, f_min=low, f_max=high, n_mels=mels, center=False)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, T] and lengths [B] (samples) to [B, mels, F] with zeros beyond, and lengths [B] (frames)."""
        with torch.autocast(waveforms.device.type, enabled=False):  # EPSILON is zero in float16
            power = self.spectrogram(mirror_ends(waveforms.float(), lengths, self.margin))
            mel = ((power + EPSILON).log() - self.mean) / self.std
        frames = 1 + lengths // self.hop
        return mel * mask_time(frames, mel)[:, 0], frames


def mirror_ends(waveforms: Tensor, lengths: Tensor, margin: int) -> Tensor:
    """Continue each clip by its mirror image, as numpy's padding ``reflect`` does: [B, T] to [B, T + 2 margin].

    Clips shorter than the margin are mirrored over and over. The clip begins at ``margin``; what lies beyond its
    mirrored end is whatever was there, zeros in a padded batch.
    """
    steps = torch.arange(margin, device=waveforms.device)
    before = (-1 - steps).expand(lengths.shape[0], -1)
    outside = torch.cat([before, lengths[:, None] + steps], dim=1)
    period = (2 * (lengths - 1)).clamp(min=1)[:, None]
    inside = outside.remainder(period)
    inside = torch.minimum(inside, period - inside)
    padded = functional.pad(waveforms, (margin, margin))
    return padded.scatter(1, outside + margin, waveforms.gather(1, inside))


class AudioNTT(Encoder):
    """Three convolutions with pooling, then two linear layers on each time step's channels and bands.

    Keys of the state dict: ``features.{0,4,8}`` convolutions, ``features.{1,5,9}`` batch normalisations, ``fc.{0,3}``
    linear layers. One frame out per 8 frames of the spectrogram; a remainder is cut off.

    Args:
        mels: mel bands.
        dim: size D of the frames: 512, 1,024 or 2,048 in the published checkpoints.
        channels: channels of the convolutions, 64 in the published ones.
    """

    stages = 3

    def __init__(self, mels: int = 64, dim: int = 512, channels: int = 64) -> None:
        super().__init__()
        self.dim = dim
        self.shortest = self.stride = 2**self.stages
        self.centre = (self.stride - 1) / 2  # pooling without padding: frames come from groups, not from centres
        layers: list[nn.Module] = []
        for inputs in (1, channels, channels):
            layers += [
                nn.Conv2d(inputs, channels, 3, padding=1),
                MaskedBatchNorm2d(channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.features = nn.ModuleList(layers)
        size = channels * (mels // 2**self.stages)
        self.fc = nn.Sequential(nn.Linear(size, dim), nn.ReLU(), nn.Dropout(0.3), nn.Linear(dim, dim), nn.ReLU())

    @property
    def front_end(self) -> list[nn.Module]:
        """The convolutions."""
        return [self.features]

    @property
    def blocks(self) -> list[nn.Module]:
        """The two linear layers."""
        return [self.fc[0], self.fc[3]]

    def forward(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Encoder`."""
        # With channels last pooling is many times faster on CPUs; `contiguous` leaves a single channel as it is.
        x = mel.unsqueeze(1).clone(memory_format=torch.channels_last)
        for stage in range(self.stages):
            convolution, norm, activation, pool = self.features[4 * stage : 4 * stage + 4]
            x = activation(pool(norm(convolution(x), mask_time(lengths, x))))  # as pool(activation(…)), on a quarter
            lengths = lengths // 2
            # An odd last frame is cut off when the clip is alone; with padding behind it the pool made a frame of it.
            x = x * mask_time(lengths, x)
        return self.fc(x.permute(0, 3, 2, 1).flatten(2)), lengths


class BYOLNetwork(nn.Module):
    """Waveforms to the one hidden state of an encoder; a :class:`ser.backbone.base.FrameNetwork`.

    A clip too short for one frame is read as if silence followed it.

    Args:
        rate: sampling rate in Hz.
        mel: the spectrogram.
        encoder: from the spectrogram to frames.
    """

    depth = 1

    def __init__(self, rate: int, mel: NormalisedLogMel, encoder: Encoder) -> None:
        super().__init__()
        self.rate = rate
        self.mel = mel
        self.encoder = encoder
        self.dim = encoder.dim
        self.shortest = (encoder.shortest - 1) * mel.hop  # samples

    @property
    def tokens(self) -> Tokens:
        """When its frames are centred."""
        return Tokens(*(frames * self.mel.hop / self.rate for frames in (self.encoder.centre, self.encoder.stride)))

    @property
    def grid(self) -> SpectrogramGrid:
        """Where the cells of its spectrograms lie."""
        silence = (math.log(EPSILON) - self.mel.mean) / self.mel.std
        return SpectrogramGrid(self.mel.hop / self.rate, find_centres(self.mel.spectrogram), silence)

    @property
    def front_end(self) -> list[nn.Module]:
        """Convolutions below the trunk."""
        return self.encoder.front_end

    @property
    def blocks(self) -> list[nn.Module]:
        """The trunk from bottom to top."""
        return self.encoder.blocks

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T] and lengths [B] in samples to [[B, F, D]] and lengths [B] in frames."""
        waveforms, lengths = self.prepare(waveforms, lengths)
        # Batch normalisation in training needs the whole batch; an export must not depend on its size.
        if self.training or waveforms.device.type != "cpu" or torch.compiler.is_exporting():
            return self.listen(*self.mel(waveforms, lengths))
        clips = max(1, AT_ONCE // waveforms.shape[1])
        groups = zip(waveforms.split(clips), lengths.split(clips), strict=True)
        parts = [self.encoder(*self.mel(*group)) for group in groups]
        frames, lengths = (torch.cat(part) for part in zip(*parts, strict=True))
        return [frames], lengths

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Clips with zeros beyond their ends, and long enough for one frame."""
        own = waveforms * make_mask(lengths, waveforms.shape[1])
        lengths = lengths.clamp(min=self.shortest)
        longest = find_longest(lengths, max(own.shape[1], self.shortest))
        return functional.pad(own, (0, longest - own.shape[1])), lengths  # cuts needless padding off, too

    def look(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, T] and lengths [B] in samples to spectrograms [B, M, F] and lengths [B] in frames."""
        return self.mel(*self.prepare(waveforms, lengths))

    def listen(self, mel: Tensor, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """Spectrograms [B, M, F] with lengths [B] to the one hidden state and its lengths."""
        hidden, lengths = self.encoder(mel, frames)
        return [hidden], lengths


def load_byol(backbone: BYOL, create: Callable[..., Encoder]) -> BYOLNetwork:
    """The network of a backbone with its weights, ready for use.

    Args:
        backbone: what the user says.
        create: makes the encoder from the backbone's parameters of it.

    Raises:
        InputError: weights that cannot be found or read, or that do not fill the encoder.
    """
    mel = NormalisedLogMel(
        rate=backbone.rate, window=backbone.window, mean=backbone.mean, std=backbone.std, **SPECTROGRAM
    )
    encoder = make_random(lambda: create(**backbone.encoder), backbone.seed)
    path = backbone.find_weights()
    if path is not None:
        state = read_state(path)
        check(state, encoder.state_dict(), (), str(path))
        encoder.load_state_dict(state)
    source = f"random weights, seed {backbone.seed}" if path is None else str(path)
    log.info("backbone: %s, hash of its parameters %s", source, hash_parameters(encoder))
    return BYOLNetwork(backbone.rate, mel, encoder).eval()


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of torch, read without running any code; trainers may have wrapped it.

    Raises:
        InputError: a file that holds none.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        remedy = "download it again; is it a Git LFS pointer?"
        raise InputError(f"{path}: no weights can be read from it ({reason})", remedy=remedy) from error
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path}: no weights in it", expected="a state dict: tensors by their names")
    return state
