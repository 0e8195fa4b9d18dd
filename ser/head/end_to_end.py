"""A fitted head and its backbone as one network, whether the backbone was trained or its features were stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser.head.data import Predictions, Values
from ser.head.emotion_network import EmotionNetwork, Shape
from ser.head.pooling import StatisticsPooling
from ser.head.reading import Reading

if TYPE_CHECKING:
    from ser.head.trunk import Trunk


class EndToEnd(nn.Module):
    """Waveforms to outputs.

    Args:
        backbone: waveforms to hidden states.
        top: the fitted network; it has the backbone inside, or reads features that were made of its hidden states.
        reading: how they were made.
        shape: of those features.
        emotions: its classes.
        dimensions: or what numbers it predicts.
    """

    def __init__(
        self,
        backbone: nn.Module,
        top: EmotionNetwork,
        reading: Reading,
        shape: Shape,
        emotions: Sequence[str],
        dimensions: Sequence[str],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.top = top
        self.reading = reading
        self.shape = shape
        self.emotions = tuple(emotions)
        self.dimensions = tuple(dimensions)
        learned = reading.network is not None
        self.pooling = None if learned else StatisticsPooling(reading.statistics)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """Waveforms [B, T], zero beyond lengths [B] in samples, to logits or dimensions [B, K]."""
        return self.read(*self.backbone(waveforms, lengths))

    def read(self, hidden: Sequence[Tensor], lengths: Tensor) -> Tensor:
        """Hidden states of the backbone with lengths [B] in frames to outputs [B, K]."""
        return self.top.layers(self.embed(hidden, lengths))

    def embed(self, hidden: Sequence[Tensor], lengths: Tensor) -> Tensor:
        """Hidden states with lengths [B] in frames to one vector a clip [B, D], as the layers see it."""
        if self.top.backbone is not None:
            return self.top.reader(hidden, lengths)
        return self.top.embed(self._make_features(hidden, lengths), lengths)

    def _make_features(self, hidden: Sequence[Tensor], lengths: Tensor) -> Tensor:
        """What the feature store would have: [B, F, D] or [B, F, L, D] of frames, [B, D] or [B, L, D] of vectors."""
        chosen = list(hidden) if self.reading.layer == "mix" else [hidden[self.reading.layer]]
        if self.shape.features == "frames":
            return chosen[0] if self.reading.layer != "mix" else torch.stack(chosen, dim=2)
        assert self.pooling is not None
        pooled = [self.pooling(frames, lengths) for frames in chosen]
        return pooled[0] if self.reading.layer != "mix" else torch.stack(pooled, dim=1)

    @torch.inference_mode()
    def predict(self, waveforms: Sequence[np.ndarray]) -> Predictions | Values:
        """What it says of clips, each [T] in samples or tokens, in one batch."""
        device = next(self.parameters()).device
        padded = pad_sequence([torch.from_numpy(waveform) for waveform in waveforms], batch_first=True)
        lengths = torch.tensor([len(waveform) for waveform in waveforms], device=device)
        outputs = self(padded.to(device), lengths).double().cpu()
        if self.dimensions:
            assert self.top.target_scale is not None
            return Values(self.dimensions, self.top.target_scale.decode(outputs).numpy())
        probabilities = outputs.softmax(-1).numpy()
        return Predictions(self.emotions, np.array(self.emotions)[probabilities.argmax(1)], probabilities)


class FromSpectrogram(nn.Module):
    """The part of an end-to-end network above its spectrogram: [B, M, F] of equally long clips to outputs [B, K]."""

    def __init__(self, whole: EndToEnd) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, mel: Tensor) -> Tensor:
        """Compute."""
        frames = torch.full((len(mel),), mel.shape[-1], device=mel.device)
        return self.whole.read(*self.whole.backbone.listen(mel, frames))  # type: ignore[operator]


class FromWaveform(nn.Module):
    """An end-to-end network for equally long clips [B, T] to outputs [B, K]."""

    def __init__(self, whole: EndToEnd) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, waveforms: Tensor) -> Tensor:
        """Compute."""
        return self.whole(waveforms, torch.full((len(waveforms),), waveforms.shape[1], device=waveforms.device))


def join_network(trunk: Trunk, head: Any, accelerator: str = "auto") -> EndToEnd:
    """Backbone and fitted head as one network, in evaluation mode and on a device.

    Args:
        trunk: what lies under the head.
        head: a :class:`ser.head.network.FittedNetwork` or ``FittedDimensions``.
        accelerator: ``cpu``, or others for the accelerator that there is.
    """
    from ser.backbone.frames import choose_device

    top: EmotionNetwork = head.network
    backbone = top.backbone if top.backbone is not None else trunk.backbone.build()
    whole = EndToEnd(backbone, top, trunk.reading, head.shape, head.emotions, head.dimensions)
    return whole.eval().requires_grad_(False).to(choose_device(accelerator))
