"""The forward pass of Whisper's encoder on clips as long as they are, or on whole windows of 30 s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, pad
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.masking_utils import create_bidirectional_mask
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from ser.backbone.base import Tokens
from ser.backbone.checkpoint import log_parameters, make_config, make_model
from ser.backbone.masked import find_longest, is_full, make_mask
from ser.backbone.spectrogram import SpectrogramGrid, weigh_centres
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.backbone.whisper import Whisper

#: As for the self-supervised networks: no layers skipped, no frames masked.
FIXED = {"encoder_layerdrop": 0.0, "apply_spec_augment": False, "gradient_checkpointing": False}
#: What an encoder's keys begin with in a whole Whisper for transcription, and in one for classification.
PREFIXES = ("model.encoder.", "encoder.")
#: Decoder and heads.
DISPENSABLE = ("classifier.", "decoder.", "layer_weights", "model.decoder.", "proj_out.", "projector.")


def load_whisper(backbone: Whisper) -> WhisperNetwork:
    """The encoder with its weights.

    Raises:
        InputError: a configuration of no network, weights that do not fill it, a window of another length.
    """
    config = make_config(WhisperConfig, backbone, FIXED)
    settings = backbone.checkpoint.read_preprocessor() if backbone.checkpoint else {}
    if settings.get("feature_size", config.num_mel_bins) != config.num_mel_bins:
        raise InputError(
            f"backbone.source={backbone.source}: its feature extractor has {settings['feature_size']} mel bands",
            expected=f"{config.num_mel_bins}, as its encoder",
        )
    steps = {name: settings[name] for name in ("hop_length", "n_fft") if name in settings}
    mel = LogMel(config.num_mel_bins, backbone.rate, **steps)
    encoder = make_model(lambda: WhisperEncoder(config), backbone, PREFIXES, DISPENSABLE)
    network = WhisperNetwork(encoder, mel, whole=backbone.max_frames != "real").eval()
    frames = network.window // mel.hop
    if backbone.max_frames not in ("real", frames):
        raise InputError(f"backbone.max_frames={backbone.max_frames}", expected=f"real, or {frames} for whole windows")
    log_parameters(backbone, network)
    return network


class LogMel(nn.Module):
    """Log-mel spectrograms as WhisperFeatureExtractor of transformers computes them, clip by clip.

    Args:
        feature_size: mel bands.
        sampling_rate: in Hz.
        hop_length: step between frames in samples.
        n_fft: window in samples.
    """

    filters: Tensor
    window: Tensor

    def __init__(self, feature_size: int, sampling_rate: int, hop_length: int = 160, n_fft: int = 400) -> None:
        super().__init__()
        extractor = WhisperFeatureExtractor(feature_size, sampling_rate, hop_length, n_fft=n_fft)
        self.rate, self.hop, self.fft = sampling_rate, hop_length, n_fft
        filters = torch.tensor(extractor.mel_filters.T, dtype=torch.float32)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def count(self, lengths: Tensor) -> Tensor:
        """Frames that are centred inside clips of so many samples, at least one."""
        return (-(-lengths // self.hop)).clamp(min=1)

    def forward(self, waves: Tensor) -> Tensor:
        """Waveforms [B, T], zero beyond each clip, to spectrograms [B, mels, T // hop].

        A clip's loudest point floors its spectrogram 80 dB below. Silence has the least value there is, so neither
        padding nor the frames beyond a clip's end, which its last samples reach, depend on the batch.
        """
        with torch.autocast(waves.device.type, enabled=False):  # half precision cannot hold power
            spectrum = torch.stft(waves.float(), self.fft, self.hop, window=self.window, return_complex=True)[..., :-1]
            mel = self.filters @ (spectrum.real.square() + spectrum.imag.square())
            decades = mel.clamp(min=1e-10).log10()
            return (decades.maximum(decades.amax((1, 2), keepdim=True) - 8) + 4) / 4


class WhisperNetwork(nn.Module):
    """Waveforms to hidden states, 50 frames a second.

    A clip longer than a window (30 s) is read in consecutive windows, each by itself as Whisper does: positions and the
    floor of the spectrogram begin anew in each. The last hidden state is normalised, as in transformers.

    Args:
        encoder: of transformers.
        mel: the front end.
        whole: read whole windows, rather than the clips' own frames.
    """

    def __init__(self, encoder: WhisperEncoder, mel: LogMel, whole: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.mel = mel
        self.whole = whole
        self.rate = mel.rate
        self.dim = int(encoder.config.d_model)
        self.depth = int(encoder.config.encoder_layers) + 1
        #: Samples in a window; the second convolution halves the number of frames.
        self.window = int(encoder.config.max_source_positions) * 2 * mel.hop

    @property
    def tokens(self) -> Tokens:
        """One frame for two of the spectrogram."""
        return Tokens(0.0, 2 * self.mel.hop / self.rate)

    @property
    def grid(self) -> SpectrogramGrid:
        """Where the cells of its spectrograms lie; silence differs by clip, whose loudest point sets the floor."""
        return SpectrogramGrid(self.mel.hop / self.rate, weigh_centres(self.mel.filters.T, self.rate), -1.5)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """The convolutions over the spectrogram."""
        return self.encoder.conv1, self.encoder.conv2

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The transformer's layers, from bottom to top."""
        return tuple(self.encoder.layers)

    def enable_gradient_checkpointing(self) -> None:
        """Compute layers again in the backward pass instead of keeping what they computed: less memory, more time."""
        self.encoder.activation_checkpointing_enable({"use_reentrant": False})

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T] with lengths [B] in samples to ``depth`` tensors [B, F, dim] with lengths [B] in frames."""
        windows, sizes, counts = self.cut(waveforms, lengths.to(waveforms.device))
        mel, frames = self.mel(self.extend(windows)), self.mel.count(sizes)
        if self.whole:
            hidden = self.transform(mel, torch.full_like(frames, mel.shape[-1]))
        else:
            longest = find_longest(frames, (windows.shape[1] + self.mel.hop - 1) // self.mel.hop)
            hidden = self.transform(mel[..., :longest], frames)
        frames = halve(frames)
        if counts.shape[0] < windows.shape[0]:
            return join(hidden, frames, counts)
        longest = find_longest(frames, hidden[0].shape[1])
        return [x[:, :longest] for x in hidden], frames

    def look(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, T] and lengths [B] in samples to spectrograms [B, M, F] and lengths [B] in frames.

        Raises:
            InputError: a clip of more than one window.
        """
        windows, sizes, counts = self.cut(waveforms, lengths)
        if len(counts) < len(windows):
            raise InputError(
                f"a clip of {int(lengths.max()) / self.rate:.1f} s has no single spectrogram in Whisper",
                expected=f"at most {self.window / self.rate:.0f} s",
                remedy="cut long clips with audio/duration",
            )
        frames = self.mel.count(sizes)
        mel = self.mel(self.extend(windows))
        return (mel, torch.full_like(frames, mel.shape[-1])) if self.whole else (mel[..., : int(frames.max())], frames)

    def listen(self, mel: Tensor, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """Spectrograms [B, M, F] with lengths [B] to hidden states and their lengths."""
        return self.transform(mel, frames), halve(frames)

    def cut(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clips to windows [N, T], zero beyond each clip, with sizes [N] in samples; and how many each clip has [B]."""
        counts = (-(-lengths // self.window)).clamp(min=1)
        most = find_longest(counts, 1)  # an export reads one window
        waves = waveforms * make_mask(lengths, waveforms.shape[1])
        if most == 1:
            return waves[:, : find_longest(lengths, waves.shape[1])], lengths, counts
        waves = pad(waves, (0, max(0, most * self.window - waves.shape[1])))[:, : most * self.window]
        there = make_mask(counts, most)
        starts = torch.arange(most, device=lengths.device) * self.window
        sizes = (lengths[:, None] - starts).clamp(max=self.window)
        return waves.view(len(waves), most, self.window)[there], sizes[there], counts

    def extend(self, windows: Tensor) -> Tensor:
        """Append silence: enough for the last frames to see nothing else beyond a clip's end, at most a whole window.

        The transform mirrors what it lacks at the edges; only at the end of a window does it find sound to mirror, in
        any batch, as in WhisperFeatureExtractor.
        """
        length = self.window
        if not self.whole:
            length = min(length, (windows.shape[1] // self.mel.hop + 1) * self.mel.hop + self.mel.fft)
        return pad(windows, (0, length - windows.shape[1]))

    def transform(self, mel: Tensor, frames: Tensor) -> list[Tensor]:
        """Spectrograms [N, mels, M] with lengths [N] to hidden states [N, F, dim].

        Convolutions see zeros beyond a clip, as at the edges of a window.
        """
        inside = make_mask(frames, mel.shape[-1])[:, None]
        x = gelu(self.encoder.conv1(mel * inside)) * inside
        x = gelu(self.encoder.conv2(x)).transpose(1, 2)
        x = x + self.encoder.embed_positions.weight[: x.shape[1]]
        x = dropout(x, self.encoder.dropout, self.training)
        mask = make_mask(halve(frames), x.shape[1])
        attended = create_bidirectional_mask(self.encoder.config, x, None if is_full(mask) else mask)
        hidden = [x]
        for layer in self.encoder.layers:
            x = layer(x, attended)
            hidden.append(x)
        hidden[-1] = self.encoder.layer_norm(x)
        return hidden


def halve(frames: Tensor) -> Tensor:
    """Frames left after a kernel of three with stride two: those centred inside the clip."""
    return (frames + 1) // 2


def join(hidden: Sequence[Tensor], frames: Tensor, counts: Tensor) -> tuple[list[Tensor], Tensor]:
    """Windows [N, F, D] with lengths [N] to clips of ``counts`` [B] windows each."""
    joined = []
    for x in hidden:
        pieces = [window[:length] for window, length in zip(x, frames.tolist(), strict=True)]
        joined.append(
            pad_sequence([torch.cat(list(clip)) for clip in _group(pieces, counts.tolist())], batch_first=True)
        )
    lengths = torch.stack([clip.sum() for clip in frames.split(counts.tolist())])
    return joined, lengths


def _group(pieces: Sequence[Tensor], counts: Sequence[int]) -> list[Sequence[Tensor]]:
    ends = torch.tensor(counts).cumsum(0).tolist()
    return [pieces[end - count : end] for end, count in zip(ends, counts, strict=True)]
